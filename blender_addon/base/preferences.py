"""The add-on's preferences as environment variables, which the library and the worker read."""

from __future__ import annotations

import os
from typing import Any

import bpy

ADDON = (__package__ or "").rpartition(".")[0]
"""Name of the add-on in Blender's preferences."""
VARIABLES = {
    "worker_python": "MESHKIN_WORKER_PYTHON",
    "models_folder": "MESHKIN_MODELS",
    "cache_folder": "MESHKIN_CACHE",
    "cache_limit": "MESHKIN_CACHE_LIMIT",
    "shared_cache": "MESHKIN_SHARED_CACHE",
    "compute": "MESHKIN_COMPUTE",
    "ray_address": "MESHKIN_RAY",
    "idle_seconds": "MESHKIN_IDLE_SECONDS",
    "offline_folder": "MESHKIN_OFFLINE",
    "proxy": "MESHKIN_PROXY",
    "certificates": "MESHKIN_CERTIFICATES",
}
"""Environment variable of each preference that the library reads this way."""
_UNITS = {"cache_limit": 1e9}
"""Factor from a preference's unit to the variable's: gigabytes to bytes."""
_inherited = {variable: os.environ.get(variable) for variable in VARIABLES.values()}
"""The variables that Blender was started with; they hold while a preference is empty."""


def get(context: bpy.types.Context) -> Any | None:
    """Return the add-on's preferences; None if the add-on was registered without being enabled."""
    addon = context.preferences.addons.get(ADDON)
    return addon.preferences if addon else None


def apply(context: bpy.types.Context) -> None:
    """Copy the preferences to the environment variables; what is empty or untouched is as Blender was started."""
    preferences = get(context)
    for name, variable in VARIABLES.items():
        value, text = getattr(preferences, name, ""), ""
        if preferences is not None and preferences.is_property_set(name):
            text = value if isinstance(value, str) else str(int(value * _UNITS.get(name, 1)))
            text = bpy.path.abspath(text) if text.startswith("//") else text
        if text := text or _inherited[variable] or "":
            os.environ[variable] = text
        else:
            os.environ.pop(variable, None)
