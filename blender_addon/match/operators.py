"""The buttons that match objects, two or many, and take the other answer."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..base import status
from ..base.operators import SURFACES, SceneJob, busy, locked, missing, unmatched
from ..base.options import options

if TYPE_CHECKING:
    from ..base.operators import Steps


class MESHKIN_OT_match(SceneJob):
    """Find for every point of the target its kin on the source, and back"""

    bl_idname = "meshkin.match"
    bl_label = "Match"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = busy() or missing(context, "source", "target")
        return reason or locked(context.scene.meshkin.target) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        return with_lines(workflow.match(settings.source, settings.target, options(context)))


class MESHKIN_OT_flip(SceneJob):
    """Take the other answer: left and right exchanged, or the other place that a part fits; again to go back"""

    bl_idname = "meshkin.flip"
    bl_label = "Flip Match"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = unmatched(context)
        settings = context.scene.meshkin
        if not reason and settings.through and settings.through != settings.source:
            reason = "Only a direct match can be flipped; clear “Through”, or make it the source"
        return reason or locked(settings.target) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow
        from meshkin.scene.mesh import matches

        settings = context.scene.meshkin
        flip = not matches.is_flipped(settings.source, settings.target)
        return with_lines(workflow.match(settings.source, settings.target, options(context, flip=flip)))


class MESHKIN_OT_match_set(SceneJob):
    """Match all selected objects to the active one, and through it to each other, so that all of them agree"""

    bl_idname = "meshkin.match_set"
    bl_label = "Match Selected as a Set"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reference, others = _set(context)
        if len(others) < 2 or not (reference and reference.select_get() and reference.type in SURFACES):
            return "Select three or more objects with a surface; the active one becomes the reference"
        return busy() or locked(*others) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow
        from meshkin.scene.objects import Handle

        reference, others = _set(context)
        center, scene = Handle.of(reference), context.scene.name
        report = yield from with_lines(workflow.match_set(others, reference, options(context)))
        if scene in bpy.data.scenes:
            bpy.data.scenes[scene].meshkin.through = center.get()
        return report


def _set(context: bpy.types.Context) -> tuple[bpy.types.Object | None, list[bpy.types.Object]]:
    reference = context.view_layer.objects.active
    chosen = [obj for obj in context.selected_objects if obj.type in SURFACES]
    return reference, [obj for obj in chosen if obj != reference]


def with_lines(job: Steps) -> Steps:
    """A job after which the lines in the viewport are those of the new match."""
    from meshkin.scene.display import lines

    report = yield from job
    lines.refresh()
    return report


CLASSES: list[type] = [
    MESHKIN_OT_match,
    MESHKIN_OT_flip,
    MESHKIN_OT_match_set,
]
