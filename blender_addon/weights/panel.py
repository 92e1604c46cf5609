"""What the main panel shows of skin weights."""

from __future__ import annotations

from typing import Any

import bpy

from meshkin.transfer.weights.options import WeightOptions

from ..base.properties import copy_values


def buttons(column: bpy.types.UILayout, settings: Any) -> None:
    """The buttons that carry weights, with the panel's settings, and select what was inpainted."""
    row = column.row(align=True)
    copy_values(settings, row.operator("meshkin.transfer_weights", icon="MOD_VERTEX_WEIGHT"), WeightOptions)
    row.operator("meshkin.select_inpainted", text="", icon="RESTRICT_SELECT_OFF")
