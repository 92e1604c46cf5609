"""State of the worker, the models and the cache. It is looked up by a timer, so that drawing only reads variables."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import Any

import bpy

from . import preferences

known = False
"""Whether the other variables have been looked up."""
worker = ""
"""Path of the worker's Python; "" if there is none."""
worker_missing = ""
"""Why there is no worker; "" if there is one."""
worker_chosen = False
"""Whether the preferences, or a variable that Blender was started with, name the worker's Python."""
offline_folder = ""
"""Folder of downloads that is used instead of the internet; "" for none."""
worker_folder = ""
"""Where the worker is set up."""
model = False
"""Whether a model for semantic features is available."""
families: list[Any] = []
"""The families that were learned, :class:`meshkin.families.record.FamilyRecord`."""
models_folder = ""
cache_folder = ""
cache_bytes = 0
"""Size of all files in the cache."""

service = ""
"""Whether the local service runs, in a sentence; "" if that is not to be used."""
MEASURING_SECONDS = 0.1
"""Seconds that Blender waits for the size of the cache, which is shown later where it takes longer. Chosen."""

_requested = False


def ensure() -> None:
    """Request the first look-up if there was none yet; may be called while drawing."""
    if not known:
        request()


def request() -> None:
    """Look up the state soon, by a timer."""
    global _requested
    if not _requested:
        _requested = True
        bpy.app.timers.register(refresh, first_interval=0.01)


def forget() -> None:
    """Forget the state and cancel a pending look-up."""
    global known, _requested
    known = _requested = False
    if bpy.app.timers.is_registered(refresh):
        bpy.app.timers.unregister(refresh)


def refresh() -> None:
    """Look up the state now and redraw the panels."""
    from meshkin.base import storage
    from meshkin.families import record
    from meshkin.models import checking, storing
    from meshkin.scene import characters, last_transfer  # noqa: F401  (as below)
    from meshkin.scene.display import comparison  # noqa: F401  (from now on scene_module finds it, and the viewport)
    from meshkin.worker import environment

    global known, worker, worker_missing, worker_chosen, worker_folder, offline_folder
    global model, families, models_folder, cache_folder, service, _requested
    known, _requested = True, False
    preferences.apply(bpy.context)
    python = environment.find()
    worker = str(python) if python and python.exists() else ""
    worker_missing = "" if worker else f"There is no Python at {python}" if python else "The worker is not set up"
    worker_chosen = bool(os.environ.get(preferences.VARIABLES["worker_python"]))
    worker_folder = str(environment.worker_folder())
    offline_folder = os.environ.get(preferences.VARIABLES["offline_folder"], "")
    models, cache = storage.models_folder(), storage.cache_folder()
    models_folder, cache_folder = str(models), str(cache)
    user_preferences = preferences.get(bpy.context)
    families = record.listing()
    seeing = (storing.kind_noted(path.parent) != checking.FAMILY for path in models.glob("*/model.safetensors"))
    model = bool(user_preferences and user_preferences.model) or any(seeing)
    service = _service()
    measuring = threading.Thread(target=_measure, args=(cache,), name="meshkin-cache", daemon=True)
    measuring.start()
    measuring.join(MEASURING_SECONDS)
    redraw()


def _service() -> str:
    """Whether the local service runs, in a sentence; "" if that is not to be used."""
    from meshkin.base.errors import WorkerError
    from meshkin.worker import client
    from meshkin.worker.service import address

    if not client.wants_service():
        return ""
    try:
        return f"The local service runs: process {address.find().pid}."
    except WorkerError as error:
        return f"{error.message} {error.fix}"


def _measure(cache: Path) -> None:
    """Add up the sizes of the cache's files; a large one on a network disk takes its time."""
    global cache_bytes
    total = 0
    for file in cache.rglob("*"):
        with contextlib.suppress(OSError):  # the worker may delete files at the same time
            total += file.stat().st_size
    cache_bytes = total


def scene_module(name: str) -> Any:
    """Return a module of ``meshkin.scene``, or None while it is not loaded: drawing must not wait for imports."""
    return sys.modules.get(f"meshkin.scene.{name}")


def colors_shown(name: str = "color") -> bool:
    """Return whether the viewport shows the color attribute of this name (without prefix); default: the features'."""
    display = scene_module("display.viewport")
    if display is None or not display.is_shown() or display.shows_materials():
        return False
    # Undo restores which attribute a mesh shows, but not the viewport's shading. If no attribute is shown any more, the
    # features' button counts as pressed, so that it can restore the shading.
    return (display.shown_attribute() or "meshkin_color") == f"meshkin_{name}"


def lines_shown() -> bool:
    """Return whether lines are drawn between source and target."""
    lines = scene_module("display.lines")
    return bool(lines and lines.is_shown())


def outlines_shown() -> bool:
    """Return whether the outlines of a video are drawn."""
    outlines = scene_module("display.outlines")
    return bool(outlines and outlines.is_shown())


def compared() -> bool:
    """Return whether the source is shown beside the target."""
    comparison = scene_module("display.comparison")
    return bool(comparison and comparison.is_shown())


def redraw() -> None:
    """Redraw all sidebars and the preferences."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "PREFERENCES"}:
                for region in area.regions:
                    if region.type in {"UI", "WINDOW"}:
                        region.tag_redraw()
