"""The add-on's preferences as the library takes them: environment variables that it and the worker read."""

from __future__ import annotations

import os
from typing import Any

import bpy

ADDON = (__package__ or "").rpartition(".")[0]
"""The name under which Blender knows the add-on."""
VARIABLES = {
    "worker_python": "MESHKIN_WORKER_PYTHON",
    "models_folder": "MESHKIN_MODELS",
    "cache_folder": "MESHKIN_CACHE",
    "cache_limit": "MESHKIN_CACHE_LIMIT",
    "idle_seconds": "MESHKIN_IDLE_SECONDS",
}
"""Environment variable of each preference that is handed on as one."""
_UNITS = {"cache_limit": 1e9}
"""Bytes in the preference's unit."""
_inherited = {variable: os.environ.get(variable) for variable in VARIABLES.values()}


def get(context: bpy.types.Context) -> Any | None:
    """The add-on's preferences; None when it was registered without being enabled."""
    addon = context.preferences.addons.get(ADDON)
    return addon.preferences if addon else None


def apply(context: bpy.types.Context) -> None:
    """Put the preferences into the environment variables; an empty one leaves what Blender was started with."""
    preferences = get(context)
    for name, variable in VARIABLES.items():
        value = getattr(preferences, name, None) or ""
        text = bpy.path.abspath(value) if isinstance(value, str) else str(int(value * _UNITS.get(name, 1)))
        if text := text or _inherited[variable] or "":
            os.environ[variable] = text
        else:
            os.environ.pop(variable, None)
