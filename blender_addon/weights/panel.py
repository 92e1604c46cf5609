"""The part of the main panel for skinning weights."""

from __future__ import annotations

from typing import Any

import bpy

from meshkin.transfer.weights.options import WeightOptions

from ..base.properties import copy_values


def buttons(column: bpy.types.UILayout, settings: Any) -> None:
    """Draw the buttons that transfer weights with the panel's settings, and select inpainted vertices."""
    row = column.row(align=True)
    copy_values(settings, row.operator("meshkin.transfer_weights", icon="MOD_VERTEX_WEIGHT"), WeightOptions)
    row.operator("meshkin.select_inpainted", text="", icon="RESTRICT_SELECT_OFF")
