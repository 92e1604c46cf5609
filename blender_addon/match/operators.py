"""The buttons that match two objects or a set, and the button that flips a match."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..base import members, status
from ..base.operators import SURFACES, SceneJob, busy, locked, missing, unmatched
from ..base.options import options

if TYPE_CHECKING:
    from ..base.operators import Steps


class MESHKIN_OT_match(SceneJob):
    """Find the corresponding point on the source for every point of the target, and the other way round"""

    bl_idname = "meshkin.match"
    bl_label = "Match"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = busy() or missing(context, "source", "target")
        return reason or locked(context.scene.meshkin.target) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        source, target = (members.picked(context.scene.meshkin, role) for role in members.ROLES)
        return with_lines(workflow.match(source, target, options(context)))


class MESHKIN_OT_flip(SceneJob):
    """Use the other solution: left and right exchanged, or the other place that a part fits. The last transfer is done
    again in place. Press again to go back"""

    bl_idname = "meshkin.flip"
    bl_label = "Flip Match"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = unmatched(context)
        settings = context.scene.meshkin
        if not reason and settings.through and settings.through != settings.source:
            reason = "Only a direct match can be flipped; clear “Through”, or make that object the source"
        return reason or locked(settings.target) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        source, target = (members.picked(settings, role) for role in members.ROLES)
        return with_lines(workflow.flip(source, target, options(context)))


class MESHKIN_OT_match_set(SceneJob):
    """Match all selected objects to the active one, and through it to each other, so that all matches agree"""

    bl_idname = "meshkin.match_set"
    bl_label = "Match Selected as a Set"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reference, others = _set(context)
        if len(others) < 2 or not (reference and reference.select_get() and reference.type in SURFACES):
            return "Select three or more objects with a surface; the active one is the reference"
        return busy() or locked(*others) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow
        from meshkin.scene.objects import Handle

        reference, others = _set(context)
        reference_handle, scene = Handle.of(reference), context.scene.name
        report = yield from with_lines(workflow.match_set(others, reference, options(context)))
        if scene in bpy.data.scenes:
            bpy.data.scenes[scene].meshkin.through = reference_handle.get()
        return report


def _set(context: bpy.types.Context) -> tuple[bpy.types.Object | None, list[bpy.types.Object]]:
    """Return the active object and the other selected objects with a surface."""
    reference = context.view_layer.objects.active
    selected = [obj for obj in context.selected_objects if obj.type in SURFACES]
    return reference, [obj for obj in selected if obj != reference]


def with_lines(job: Steps) -> Steps:
    """Return a job that runs another one and then updates the lines in the viewport."""
    from meshkin.scene.display import lines

    report = yield from job
    lines.refresh()
    return report


CLASSES: list[type] = [
    MESHKIN_OT_match,
    MESHKIN_OT_flip,
    MESHKIN_OT_match_set,
]
