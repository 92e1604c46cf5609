"""The part of the main panel with the one button for everything that is ticked."""

from __future__ import annotations

from typing import Any

import bpy

from ..base.text import fits, translated

TICK_MARGIN = 4
"""Pixels at scale 1 around the name of a tick. Measured."""
LARGE = 1.4
"""Height of the button beside usual ones. Chosen: the one that most need."""


def button(layout: bpy.types.UILayout, context: bpy.types.Context, settings: Any) -> None:
    """Draw the button and the ticks, in two columns where they fit."""
    column = layout.column(align=True)
    row = column.row()
    row.scale_y = LARGE
    row.operator("meshkin.transfer", icon="PLAY").kinds = settings.kinds
    names = [translated(item.name) for item in settings.bl_rna.properties["kinds"].enum_items]
    columns = 2 if all(fits(context, name, 1 / 2, TICK_MARGIN) for name in names) else 1
    column.grid_flow(row_major=True, columns=columns, even_columns=True, align=True).prop(settings, "kinds")
