"""The part of the main panel for features."""

from __future__ import annotations

import bpy

from ..base import status


def buttons(column: bpy.types.UILayout) -> None:
    """Draw the button that computes features."""
    column.operator("meshkin.features", icon="COLOR")


def display_buttons(layout: bpy.types.UILayout) -> None:
    """Draw the buttons that show features and the pictures that the models see."""
    shown = status.colors_shown()
    layout.operator(
        "meshkin.show_colors",
        text="Hide Colors" if shown else "Show Colors",
        icon="HIDE_OFF" if shown else "HIDE_ON",
        depress=shown,
    )
    layout.operator("meshkin.show_pictures", icon="IMAGE_DATA")
