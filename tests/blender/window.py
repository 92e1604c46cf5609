"""The add-on in a Blender with its window: jobs driven by the timer, cancelled, undone, interrupted.

    blender --factory-startup --enable-event-simulate --python tests/blender/window.py

Enables the add-on from this checkout, sends mouse and key events, and ends with status 0 when all held, 1 otherwise.
Most jobs here are generators that write to the scene as a transfer does. With the worker (``MESHKIN_WORKER_PYTHON``)
the real ones are run, too: canceled in the middle, undone, saved and opened again. ``MESHKIN_WINDOW_CHECKS`` names the
checks to run, by default all; ``MESHKIN_WINDOW_PICTURES`` a folder for pictures of the screen (ImageMagick's
``import``).
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import traceback
from pathlib import Path

import bpy

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "core"), str(ROOT / "tests")]
os.environ.setdefault("MESHKIN_CACHE", tempfile.mkdtemp(prefix="meshkin-window-"))

addon_utils = importlib.import_module("addon_utils")
addon_utils.enable("blender_addon", default_set=True)
bpy.context.preferences.view.show_splash = False  # it would take the first event

from blender.window_checks import (  # noqa: E402
    driver_checks,
    family_checks,
    job_checks,
    looking_checks,
    painting_checks,
    part_checks,
    video_checks,
)
from blender.window_checks.hands import Wait  # noqa: E402

bpy.utils.register_class(driver_checks.MESHKIN_OT_window_job)


def everything() -> Wait:
    """All checks, one after the other."""
    worker = os.environ.get("MESHKIN_WORKER_PYTHON")
    if worker:
        bpy.context.preferences.addons["blender_addon"].preferences.worker_python = worker
    chosen = os.environ.get("MESHKIN_WINDOW_CHECKS", "").split()
    with_worker = (*job_checks.CHECKS, *family_checks.CHECKS, *painting_checks.CHECKS, *video_checks.CHECKS)
    for check in (*(with_worker if worker else ()), *looking_checks.CHECKS, *part_checks.CHECKS, *driver_checks.CHECKS):
        if chosen and check.__name__ not in chosen:
            continue
        yield from check()
        print(f"ok      {check.__name__}", flush=True)


def step() -> float | None:
    """Advance the checks; leave Blender at their end."""
    try:
        return next(running)
    except StopIteration:
        print("ALL OK", flush=True)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


running = everything()
bpy.app.timers.register(step, first_interval=2, persistent=True)
