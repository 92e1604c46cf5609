"""The part of the main panel for textures."""

from __future__ import annotations

from typing import Any

import bpy

from meshkin.transfer.texture.options import TextureOptions

from ..base.properties import copy_values


def buttons(column: bpy.types.UILayout, settings: Any) -> None:
    """Draw the button that transfers textures with the panel's settings."""
    copy_values(settings, column.operator("meshkin.transfer_texture", icon="TEXTURE"), TextureOptions)
