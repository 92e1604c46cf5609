"""The add-on's preferences."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

import sys
from collections.abc import Iterator

import bpy
from bpy.props import FloatProperty, IntProperty, StringProperty

from ..base import driver, status, widgets
from ..base.preferences import ADDON


def _changed(self: Preferences, context: bpy.types.Context) -> None:
    """Stop the job and the worker, so that the next job starts a worker with the new preferences."""
    driver.cancel()
    if "meshkin.worker.client" in sys.modules:
        sys.modules["meshkin.worker.client"].stop()
    status.request()


def _devices(self: Preferences, context: bpy.types.Context, text: str) -> Iterator[str]:
    return (name for name in ("auto", "cpu", "cuda", "cuda:0", "cuda:1", "mps") if text in name)


class Preferences(bpy.types.AddonPreferences):
    """Where the worker, the models and the cache are, and what computes."""

    bl_idname = ADDON

    worker_python: StringProperty(
        name="Worker's Python",
        description="Python program of the environment that MeshKin computes in; empty: find it automatically",
        subtype="FILE_PATH",
        update=_changed,
    )
    models_folder: StringProperty(
        name="Models Folder",
        description="Folder for downloaded models; empty: MeshKin's own folder",
        subtype="DIR_PATH",
        update=_changed,
    )
    cache_folder: StringProperty(
        name="Cache Folder",
        description="Folder for computed features and maps; empty: MeshKin's own folder",
        subtype="DIR_PATH",
        update=_changed,
    )
    cache_limit: FloatProperty(
        name="Cache Limit (GB)",
        description="When the cache grows beyond this size, the least recently used files are deleted; 0: 8 GB",
        default=0,
        min=0,
        soft_max=100,
        precision=1,
        update=_changed,
    )
    device: StringProperty(
        name="Device",
        description="Device that computes: auto, cpu, cuda, cuda:1 or mps",
        default="auto",
        search=_devices,
        search_options={"SUGGESTION"},
    )
    model: StringProperty(
        name="DINOv2 Model",
        description="Folder of a model, or its ID on the Hugging Face Hub, such as facebook/dinov2-small; "
        "empty: the best available",
        update=lambda self, context: status.request(),
    )

    idle_seconds: IntProperty(
        name="Release GPU Memory After",
        description="Seconds without a job after which the worker stops and frees its memory; 0: five minutes",
        default=0,
        min=0,
        update=_changed,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the preferences."""
        status.ensure()
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        widgets.job_state(layout, context)

        box = layout.box()
        box.label(text="Worker", icon="CONSOLE")
        widgets.worker_state(box, context)
        box.prop(self, "worker_python", placeholder=status.worker or "not set up")
        box.prop(self, "device")
        box.prop(self, "idle_seconds")
        box.operator("meshkin.release_memory", icon="MEMORY")

        box = layout.box()
        box.label(text="Models", icon="IMAGE_DATA")
        widgets.model_state(box, context)
        box.prop(self, "model", placeholder="the best available")
        box.prop(self, "models_folder", placeholder=status.models_folder)

        box = layout.box()
        box.label(text="Cache", icon="FILE_CACHE")
        row = box.row()
        row.label(text=f"{status.cache_bytes / 1e6:.0f} MB used")
        row.operator("meshkin.clear_cache", icon="TRASH")
        box.prop(self, "cache_folder", placeholder=status.cache_folder)
        box.prop(self, "cache_limit")
