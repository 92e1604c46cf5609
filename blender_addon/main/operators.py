"""The buttons that pick source and target, and the button that stops a job."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

import bpy

from ..base import driver
from ..base.operators import SURFACES, Explained


class MESHKIN_OT_pick(Explained, bpy.types.Operator):
    """Pick source and target from the selection: the active object is the source, the other one the target"""

    bl_idname = "meshkin.pick"
    bl_label = "Pick Selected"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def _pair(cls, context: bpy.types.Context) -> list[bpy.types.Object]:
        """Return the selected objects with a surface, the active one first."""
        active = context.view_layer.objects.active
        candidates = [obj for obj in context.selected_objects if obj.type in SURFACES]
        return sorted(candidates, key=lambda obj: obj != active)

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
    """Exchange source and target"""

    bl_idname = "meshkin.swap"
    bl_label = "Swap"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        return "" if settings.source or settings.target else "Pick a source or a target first"

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.meshkin
        settings.source, settings.target = settings.target, settings.source
        return {"FINISHED"}


class MESHKIN_OT_cancel(Explained, bpy.types.Operator):
    """Stop the running job and leave the scene unchanged (Esc)"""

    bl_idname = "meshkin.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return "" if driver.running else "No job is running"

    def execute(self, context: bpy.types.Context) -> set[str]:
        driver.cancel()
        return {"FINISHED"}


class MESHKIN_OT_dismiss(Explained, bpy.types.Operator):
    """Close this report"""

    bl_idname = "meshkin.dismiss"
    bl_label = "Close Report"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return "" if driver.outcome else "There is no report"

    def execute(self, context: bpy.types.Context) -> set[str]:
        driver.dismiss()
        return {"FINISHED"}


CLASSES: list[type] = [
    MESHKIN_OT_pick,
    MESHKIN_OT_swap,
    MESHKIN_OT_cancel,
    MESHKIN_OT_dismiss,
]
