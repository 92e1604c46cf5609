"""The part of the main panel for armatures, motions and poses."""

from __future__ import annotations

from typing import Any

import bpy


def buttons(column: bpy.types.UILayout, settings: Any) -> None:
    """Draw the buttons that transfer armatures, motions and poses."""
    row = column.row(align=True)
    row.operator("meshkin.transfer_armature", icon="ARMATURE_DATA")
    row.operator("meshkin.motion", text="", icon="ACTION")
    row.operator("meshkin.build_armature", text="", icon="OUTLINER_OB_ARMATURE")
    column.operator("meshkin.pose", icon="POSE_HLT").threshold = settings.threshold
