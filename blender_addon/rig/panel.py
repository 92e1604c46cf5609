"""What the main panel shows of armatures and poses."""

from __future__ import annotations

from typing import Any

import bpy


def buttons(column: bpy.types.UILayout, settings: Any) -> None:
    """The buttons that carry armatures, motions and poses."""
    row = column.row(align=True)
    row.operator("meshkin.transfer_armature", icon="ARMATURE_DATA")
    row.operator("meshkin.motion", text="", icon="ACTION")
    row.operator("meshkin.build_armature", text="", icon="OUTLINER_OB_ARMATURE")
    column.operator("meshkin.pose", icon="POSE_HLT").threshold = settings.threshold
