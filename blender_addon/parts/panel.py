"""The panel for parts."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"
# ruff: noqa: RUF012

from __future__ import annotations

import bpy

from meshkin.parts.options import PartOptions

from ..base.properties import copy_values, panel_options
from ..base.widgets import Sidebar, form


class MESHKIN_PT_parts(Sidebar, bpy.types.Panel):
    """Cuts the selected meshes into parts."""

    bl_idname = "MESHKIN_PT_parts"
    bl_parent_id = "MESHKIN_PT_main"
    bl_label = "Parts"
    bl_order = 5
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = form(self.layout)
        settings = context.scene.meshkin
        column = layout.column()
        for name in panel_options(PartOptions):
            column.prop(settings, name)
        copy_values(settings, layout.operator("meshkin.find_parts", icon="MOD_EXPLODE"), PartOptions)


CLASSES: list[type] = [MESHKIN_PT_parts]
