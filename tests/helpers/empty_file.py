"""An empty file between tests, and within them."""

from __future__ import annotations

import bpy

_KEPT = "kept"
"""Custom property by which a screen is known again."""


def open_empty_file() -> None:
    """Open an empty file. Preferences and add-ons stay.

    Factory settings register all add-ons anew, and Blender 4.2 crashed once in ten thousand times as it unregistered
    glTF's. They are read only where a file was opened without its screens: Blender keeps those that are there from then
    on.
    """
    for screen in bpy.data.screens:
        screen[_KEPT] = True
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    if any(_KEPT in screen.keys() for screen in bpy.data.screens):  # noqa: SIM118 - a data-block is no mapping
        bpy.ops.wm.read_factory_settings(use_empty=True)
