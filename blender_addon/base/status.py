"""What is there and what is missing, looked up now and then, so that drawing only reads it."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import bpy

from . import preferences

known = False
"""Whether the rest has been looked up."""
worker = ""
"""The worker's Python; "" where there is none."""
worker_missing = ""
"""Why there is none; "" where there is one."""
worker_folder = ""
model = False
"""Whether a model for semantic features is at hand."""
models_folder = ""
cache_folder = ""
cache_bytes = 0

_requested = False


def ensure() -> None:
    """Have it looked up soon if it never was; may be called while drawing."""
    if not known:
        request()


def request() -> None:
    """Have it looked up soon."""
    global _requested
    if not _requested:
        _requested = True
        bpy.app.timers.register(refresh, first_interval=0.01)


def forget() -> None:
    """Drop a request that was not served yet."""
    global known, _requested
    known = _requested = False
    if bpy.app.timers.is_registered(refresh):
        bpy.app.timers.unregister(refresh)


def refresh() -> None:
    """Look it up now."""
    from meshkin.base import storage
    from meshkin.scene.display import viewport as display  # noqa: F401  (scene_module finds them from now on)
    from meshkin.worker import environment

    global known, worker, worker_missing, worker_folder, model, models_folder, cache_folder, cache_bytes, _requested
    known, _requested = True, False
    preferences.apply(bpy.context)
    python = environment.find()
    worker = str(python) if python and python.exists() else ""
    worker_missing = "" if worker else f"There is no Python at {python}" if python else "The worker is not set up"
    worker_folder = str(environment.worker_folder())
    models, cache = storage.models_folder(), storage.cache_folder()
    models_folder, cache_folder = str(models), str(cache)
    chosen = preferences.get(bpy.context)
    model = bool(chosen and chosen.model) or any(models.glob("*/model.safetensors"))
    cache_bytes = 0
    for file in cache.rglob("*"):
        with contextlib.suppress(OSError):  # the worker may delete files meanwhile
            cache_bytes += file.stat().st_size
    redraw()


def scene_module(name: str) -> Any:
    """A module of ``meshkin.scene``; None until the library is loaded, which drawing must not wait for."""
    return sys.modules.get(f"meshkin.scene.{name}")


def colors_shown(name: str = "color") -> bool:
    """Whether colors are shown: the features', or those of this name (without prefix)."""
    display = scene_module("display.viewport")
    if display is None or not display.is_shown():
        return False
    # Undo takes back which colors a mesh shows, but not a view's shading: the features' button hides that.
    return (display.shown_attribute() or "meshkin_color") == f"meshkin_{name}"


def lines_shown() -> bool:
    """Whether lines are drawn between source and target."""
    lines = scene_module("display.lines")
    return bool(lines and lines.is_shown())


def redraw() -> None:
    """Have the sidebars and the preferences drawn again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "PREFERENCES"}:
                for region in area.regions:
                    if region.type in {"UI", "WINDOW"}:
                        region.tag_redraw()
