"""The panel for videos."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

import bpy

from ..base import status
from ..base.widgets import Section, field, form


class MESHKIN_PT_video(Section, bpy.types.Panel):
    """Picks a video and has the buttons that follow it and show what it shows."""

    bl_idname = "MESHKIN_PT_video"
    bl_label = "Video"
    bl_order = 6

    def draw(self, context: bpy.types.Context) -> None:
        layout = form(self.layout)
        settings = context.scene.meshkin
        column = layout.column(align=True)
        column.prop(settings, "video")
        column.prop(settings, "video_mask")
        column = layout.column(align=True)
        for name in ("video_first", "video_last", "video_step"):
            column.prop(settings, name)
        below = column.column(align=True)
        below.active = bool(settings.video_mask)
        field(below, context, settings, "video_painted")
        column = layout.column(align=True)
        field(column, context, settings, "video_camera")
        below = column.column(align=True)
        below.active = settings.video_camera != "scene"
        field(below, context, settings, "video_lens")
        field(column, context, settings, "video_keep")
        field(column, context, settings, "video_shape")
        column = layout.column(align=True)
        column.operator("meshkin.fit_video", icon="ARMATURE_DATA")
        column.operator("meshkin.show_outline", icon="MOD_EDGESPLIT", depress=status.outlines_shown())


CLASSES: list[type] = [MESHKIN_PT_video]
