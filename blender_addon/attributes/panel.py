"""The part of the main panel for attributes."""

from __future__ import annotations

from typing import Any

import bpy

from meshkin.transfer.attributes.options import AttributeOptions

from ..base.properties import copy_values


def buttons(column: bpy.types.UILayout, settings: Any) -> None:
    """Draw the button that transfers attributes with the panel's settings."""
    copy_values(settings, column.operator("meshkin.transfer_attributes", icon="SPREADSHEET"), AttributeOptions)
