"""The panel for photos."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

import bpy

from ..base.widgets import Section, form


class MESHKIN_PT_photo(Section, bpy.types.Panel):
    """Picks a photo and has the buttons that use it."""

    bl_idname = "MESHKIN_PT_photo"
    bl_label = "Photo"
    bl_order = 6

    def draw(self, context: bpy.types.Context) -> None:
        layout = form(self.layout)
        settings = context.scene.meshkin
        column = layout.column(align=True)
        column.prop(settings, "photo")
        column.prop(settings, "photo_mask")
        column.prop(settings, "photo_flip")
        column = layout.column(align=True)
        column.operator("meshkin.match_photo", icon="IMAGE_REFERENCE")
        column.operator("meshkin.texture_photo", icon="TEXTURE")
        column = layout.column(heading="Texture")
        column.prop(settings, "remove_light")
        column.prop(settings, "photo_surface")
        layout.prop(settings, "maps_model")
        column = layout.column(align=True)
        column.operator("meshkin.remove_light", icon="LIGHT")
        column.operator("meshkin.depth_and_normals", icon="NORMALS_FACE")


CLASSES: list[type] = [MESHKIN_PT_photo]
