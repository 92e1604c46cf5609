"""The panel for painting, and the one for subjects in it."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

import bpy

from meshkin.paint.options import PaintOptions, SubjectOptions

from ..base.properties import copy_values, panel_options
from ..base.widgets import Section, form


class MESHKIN_PT_paint(Section, bpy.types.Panel):
    """Says what to paint on the target, and has the button that does."""

    bl_idname = "MESHKIN_PT_paint"
    bl_label = "Paint"
    bl_order = 7

    def draw(self, context: bpy.types.Context) -> None:
        layout = form(self.layout)
        settings = context.scene.meshkin
        column = layout.column()
        for name in panel_options(PaintOptions):
            column.prop(settings, name)
        column.prop(settings, "photo")
        button = layout.operator("meshkin.paint", icon="BRUSH_DATA")
        copy_values(settings, button, PaintOptions)
        button.with_photo = bool(settings.photo)


class MESHKIN_PT_subject(Section, bpy.types.Panel):
    """Says what the photo shows, and has the button that learns it."""

    bl_idname = "MESHKIN_PT_subject"
    bl_label = "Subject of the Photo"
    bl_parent_id = "MESHKIN_PT_paint"

    def draw(self, context: bpy.types.Context) -> None:
        layout = form(self.layout)
        settings = context.scene.meshkin
        column = layout.column()
        column.prop(settings, "photo")
        column.prop(settings, "photo_mask")
        for name in panel_options(SubjectOptions):
            column.prop(settings, name)
        layout.operator("meshkin.learn_subject", icon="IMAGE_REFERENCE")


CLASSES: list[type] = [MESHKIN_PT_paint, MESHKIN_PT_subject]
