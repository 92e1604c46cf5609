"""The buttons for the worker, the models, GPU memory and the cache."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..base import driver, preferences, status, widgets
from ..base.operators import Explained, QuickAction, busy
from ..base.options import options
from .guide import offline
from .preferences import draw_network

if TYPE_CHECKING:
    from ..base.operators import Steps

UNITS = 24
"""Width of the dialog that tells what a setup takes, in Blender's units of 20 pixels. Chosen."""


class MESHKIN_OT_set_up(driver.JobOperator, Explained, bpy.types.Operator):
    """Get what MeshKin computes with: a Python environment of its own, apart from Blender's, and the default models"""

    bl_idname = "meshkin.set_up"
    bl_label = "Set Up MeshKin"
    bl_options = {"INTERNAL"}
    leads_to = "meshkin.try_it"
    mended_by = "meshkin.set_up"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        user_preferences = preferences.get(context)
        if user_preferences and user_preferences.worker_python:
            return "Clear “Worker's Python” in the preferences first, so that the new worker is used"
        return busy() or offline()

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._in_dialog = True
        manager = context.window_manager
        result: set[str] = manager.invoke_props_dialog(self, width=UNITS * 20, confirm_text="Set Up")
        return result

    def draw(self, context: bpy.types.Context) -> None:
        layout = widgets.form(self.layout)
        for text in (
            "MeshKin computes in a Python environment of its own; Blender's Python is not changed. This gets PyTorch, "
            "SciPy and a few more libraries, and two models that recognize what parts are.",
            f"Folder: {status.worker_folder}",
            "Download: about 1 GB, with CUDA 3 GB. On the disk: about 2 GB, with CUDA 6 GB. Time: some minutes. "
            "What is downloaded stays if the connection is lost: press the button again.",
        ):
            widgets.paragraph(layout, context, text, units=UNITS)
        if user_preferences := preferences.get(context):
            draw_network(layout, context, user_preferences)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.start(context) if getattr(self, "_in_dialog", False) else super().execute(context)

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        return workflow.set_up(options(context))


class MESHKIN_OT_get_model(driver.JobOperator, Explained, bpy.types.Operator):
    """Get the default models, ViT-S/14 and EfficientNet-Lite0 (105 MB)"""

    bl_idname = "meshkin.get_model"
    bl_label = "Get Models"
    bl_options = {"INTERNAL"}
    mended_by = "meshkin.get_model"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return busy() or offline() or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        return workflow.get_models(options(context))


class MESHKIN_OT_allow_online(QuickAction):
    """Allow Blender and its add-ons to use the internet (Preferences > System > Network > Allow Online Access)"""

    bl_idname = "meshkin.allow_online"
    bl_label = "Allow Online Access"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if bpy.app.online_access:
            return "Blender may use the internet already"
        return "Blender was started with --offline-mode" if bpy.app.online_access_override else ""

    def act(self, context: bpy.types.Context) -> str:
        context.preferences.system.use_online_access = True
        return ""


class MESHKIN_OT_show_preferences(QuickAction):
    """Show MeshKin's preferences: its worker, models, downloads and cache"""

    bl_idname = "meshkin.show_preferences"
    bl_label = "Preferences"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return ""

    def act(self, context: bpy.types.Context) -> str:
        bpy.ops.preferences.addon_show(module=preferences.ADDON)
        return ""


class MESHKIN_OT_release_memory(driver.JobOperator, Explained, bpy.types.Operator):
    """Stop the worker, so that it frees all memory of the graphics card; the next job starts it again"""

    bl_idname = "meshkin.release_memory"
    bl_label = "Release GPU Memory"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return busy()

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        return workflow.release_memory()


class MESHKIN_OT_clear_cache(driver.JobOperator, Explained, bpy.types.Operator):
    """Delete all computed features and maps; they are computed again when needed"""

    bl_idname = "meshkin.clear_cache"
    bl_label = "Clear Cache"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return busy() or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        preferences.apply(context)
        return workflow.clear_cache()


CLASSES: list[type] = [
    MESHKIN_OT_set_up,
    MESHKIN_OT_get_model,
    MESHKIN_OT_allow_online,
    MESHKIN_OT_show_preferences,
    MESHKIN_OT_release_memory,
    MESHKIN_OT_clear_cache,
]
