"""The part of the main panel with the one button for everything that is ticked."""

from __future__ import annotations

from typing import Any

import bpy

LARGE = 1.4
"""Height of the button beside usual ones. Chosen: the one that most need."""


def button(layout: bpy.types.UILayout, settings: Any) -> None:
    """Draw the button and the ticks."""
    column = layout.column(align=True)
    row = column.row()
    row.scale_y = LARGE
    row.operator("meshkin.transfer", icon="PLAY").kinds = settings.kinds
    column.grid_flow(row_major=True, columns=2, even_columns=True, align=True).prop(settings, "kinds")
