"""The buttons that pick two objects, describe and match them, and stop a job."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from . import driver, properties, status
from .common import Explained, SceneJob, busy, locked, missing, options, picked, picked_objects

if TYPE_CHECKING:
    from .common import Steps


class MESHKIN_OT_pick(Explained, bpy.types.Operator):
    """Pick from the selection: the active object gives, the other selected object receives"""

    bl_idname = "meshkin.pick"
    bl_label = "From Selection"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def _pair(cls, context: bpy.types.Context) -> list[bpy.types.Object]:
        active = context.view_layer.objects.active
        chosen = [obj for obj in context.selected_objects if obj.type in properties.SURFACES]
        return sorted(chosen, key=lambda obj: obj != active)

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        pair = cls._pair(context)
        if len(pair) != 2 or context.view_layer.objects.active != pair[0]:
            return "Select two objects with a surface; the active one becomes the source"
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.meshkin
        settings.source, settings.target = self._pair(context)
        return {"FINISHED"}


class MESHKIN_OT_swap(Explained, bpy.types.Operator):
    """Make the source the target and the target the source"""

    bl_idname = "meshkin.swap"
    bl_label = "Swap"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        return "" if settings.source or settings.target else "Nothing is picked yet"

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.meshkin
        settings.source, settings.target = settings.target, settings.source
        return {"FINISHED"}


class MESHKIN_OT_features(SceneJob):
    """Compute the features of source and target and show them as colors: equal color means equal meaning"""

    bl_idname = "meshkin.features"
    bl_label = "Features"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        reason = busy() or missing(context, *picked(settings))
        return reason or locked(*picked_objects(settings)) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        return workflow.features(picked_objects(context.scene.meshkin), options(context))


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


def with_lines(job: Steps) -> Steps:
    """A job after which the lines in the viewport are those of the new match."""
    from meshkin.scene.display import lines

    report = yield from job
    lines.refresh()
    return report


class MESHKIN_OT_cancel(bpy.types.Operator):
    """Stop the running job and leave the scene as it was (Esc)"""

    bl_idname = "meshkin.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        driver.cancel()
        return {"FINISHED"}


CLASSES: list[type] = [
    MESHKIN_OT_pick,
    MESHKIN_OT_swap,
    MESHKIN_OT_features,
    MESHKIN_OT_match,
    MESHKIN_OT_cancel,
]
