"""The add-on's preferences."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

import sys
from collections.abc import Iterator

import bpy
from bpy.props import EnumProperty, FloatProperty, StringProperty

from ..base import driver, status, widgets
from ..base.preferences import ADDON
from ..base.text import told, translated
from .guide import setup_hint


def _changed(self: Preferences, context: bpy.types.Context) -> None:
    """Stop the job and the worker, so that the next job starts a worker with the new preferences."""
    driver.cancel()
    if "meshkin.worker.client" in sys.modules:
        sys.modules["meshkin.worker.client"].stop()
    status.request()


def _model_changed(self: Preferences, context: bpy.types.Context) -> None:
    """Look up anew whether there is a model. (A lambda in an annotation would not know this module's names.)"""
    status.request()


def _idle_changed(self: Preferences, context: bpy.types.Context) -> None:
    """As :func:`_changed`, with the time not shorter than the worker takes."""
    from meshkin.base.variables import LEAST_IDLE_SECONDS

    if 0 < self.idle_seconds < LEAST_IDLE_SECONDS:
        self.idle_seconds = LEAST_IDLE_SECONDS  # which calls this again
    else:
        _changed(self, context)


def _devices(self: Preferences, context: bpy.types.Context, text: str) -> Iterator[str]:
    return (name for name in ("auto", "cpu", "cuda", "cuda:0", "cuda:1", "mps") if text in name)


class Preferences(bpy.types.AddonPreferences):
    """Where the worker, the models and the cache are, and what computes."""

    bl_idname = ADDON

    compute: EnumProperty(
        name="Compute",
        description="What computes",
        items=[
            ("own", "Own Worker", "A process that this Blender starts, and that ends with it"),
            (
                "service",
                "Local Service",
                "The service that all Blenders and scripts on this machine share, while “meshkin serve” runs; "
                "else an own worker",
            ),
            (
                "ray",
                "Ray Cluster",
                "The machines of a Ray cluster, to which an own worker hands what takes long; its Python needs Ray",
            ),
        ],
        default="own",
        update=_changed,
    )
    ray_address: StringProperty(
        name="Cluster Address",
        description="Address of the Ray cluster's head, such as head:6379, or ray://head:10001 from a machine that is "
        "no part of the cluster; empty: the cluster that this machine is part of",
        update=_changed,
    )
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
    shared_cache: StringProperty(
        name="Shared Cache",
        description="Folder with a cache of others, which is only read: what it has is copied, not computed; "
        "empty: none",
        subtype="DIR_PATH",
        update=_changed,
    )
    cache_limit: FloatProperty(
        name="Cache Limit",
        description="Size in gigabytes beyond which the least recently used files of the cache are deleted "
        "(0 means unlimited), unless the cache has a limit of its own",
        default=8,
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
        update=_model_changed,
    )

    idle_seconds: FloatProperty(
        name="Release GPU Memory After",
        description="Time without a job after which the worker stops and frees its memory (0 means unlimited)",
        default=300,
        min=0,
        soft_max=3600,
        step=3000,
        precision=0,
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
        update=_idle_changed,
    )
    offline_folder: StringProperty(
        name="Downloads Folder",
        description="Folder with wheels and models to set MeshKin up from without the internet (see the manual); "
        "empty: download them",
        subtype="DIR_PATH",
        update=_changed,
    )
    proxy: StringProperty(
        name="Proxy",
        description="Proxy for downloads, such as http://USER:PASSWORD@HOST:PORT; empty: as the system says",
        update=_changed,
    )
    certificates: StringProperty(
        name="Certificates",
        description="File (.pem) with your company's certificates, if its network replaces those of servers; "
        "empty: as the system says",
        subtype="FILE_PATH",
        update=_changed,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the preferences."""
        status.ensure()
        layout = widgets.form(self.layout)
        widgets.job_place(
            layout, context, setup_hint() or widgets.Hint(translated("MeshKin is set up."), icon="CHECKMARK")
        )

        box = layout.box()
        box.label(text="Worker", icon="CONSOLE")
        widgets.field(box, context, self, "compute")
        if status.service:
            widgets.paragraph(box, context, told(status.service), icon="INFO")
        if self.compute == "ray":
            widgets.field(box, context, self, "ray_address", placeholder=translated("this machine's"))
        widgets.field(box, context, self, "worker_python", placeholder=status.worker or translated("not set up"))
        widgets.field(box, context, self, "device")
        widgets.field(box, context, self, "idle_seconds")
        box.operator("meshkin.release_memory", icon="MEMORY")

        box = layout.box()
        box.label(text="Models", icon="IMAGE_DATA")
        widgets.field(box, context, self, "model", placeholder=translated("the best available"))
        widgets.field(box, context, self, "models_folder", placeholder=status.models_folder)

        box = layout.box()
        box.label(text="Downloads", icon="INTERNET")
        draw_network(box, context, self)
        row = widgets.beside(box, context, ("Set Up MeshKin", "Get Models"), widgets.BUTTON_MARGIN)
        row.operator("meshkin.set_up", icon="IMPORT")
        row.operator("meshkin.get_model", icon="IMPORT")

        box = layout.box()
        box.label(text="Cache", icon="FILE_CACHE")
        used = translated("{size} MB used").format(size=f"{status.cache_bytes / 1e6:.0f}")
        row = widgets.beside(box, context, (used, "Clear Cache"), widgets.BUTTON_MARGIN)
        row.label(text=used, translate=False)
        row.operator("meshkin.clear_cache", icon="TRASH")
        widgets.field(box, context, self, "cache_folder", placeholder=status.cache_folder)
        widgets.field(box, context, self, "cache_limit", label="Cache Limit (GB)")
        widgets.field(box, context, self, "shared_cache", placeholder=translated("none"))


def draw_network(layout: bpy.types.UILayout, context: bpy.types.Context, preferences: Preferences) -> None:
    """Draw the fields that say how to download, or where downloads lie already."""
    column = layout.column()
    for name, placeholder in (
        ("proxy", "the system's"),
        ("certificates", "the system's"),
        ("offline_folder", "none: from the internet"),
    ):
        widgets.field(column, context, preferences, name, placeholder=translated(placeholder))
