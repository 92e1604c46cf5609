"""The panel for videos."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

import bpy

from meshkin.video.options import VideoOptions

from ..base.properties import panel_options
from ..base.widgets import Section, form


class MESHKIN_PT_video(Section, bpy.types.Panel):
    """Picks a video and has the button that follows it."""

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
        for name in panel_options(VideoOptions):
            column.prop(settings, name)
        layout.operator("meshkin.fit_video", icon="ARMATURE_DATA")


CLASSES: list[type] = [MESHKIN_PT_video]
