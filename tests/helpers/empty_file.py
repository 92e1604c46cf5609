"""An empty file between tests, and within them."""

from __future__ import annotations

import bpy


def open_empty_file() -> None:
    """Open an empty file. Preferences and add-ons stay.

    Factory settings register all add-ons anew, and Blender 4.2 crashed once in ten thousand times as it unregistered
    glTF's.
    """
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
