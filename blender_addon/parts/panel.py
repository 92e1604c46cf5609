"""The panel for parts."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

import bpy

from meshkin.parts.options import PartOptions

from ..base.properties import copy_values, panel_options
from ..base.widgets import Section, form
from .operators import NAMES_PROPERTY


class MESHKIN_PT_parts(Section, bpy.types.Panel):
    """Cuts the selected meshes into parts, and shows the parts of the active one."""

    bl_idname = "MESHKIN_PT_parts"
    bl_label = "Parts"
    bl_order = 5

    def draw(self, context: bpy.types.Context) -> None:
        layout = form(self.layout)
        settings = context.scene.meshkin
        column = layout.column()
        for name in panel_options(PartOptions):
            if name != "part_attribute" or settings.part_way == "attribute":
                column.prop(settings, name)
        buttons = layout.column(align=True)
        for name, icon in (("find_parts", "MOD_EXPLODE"), ("carry_parts", "DUPLICATE")):
            copy_values(settings, buttons.operator(f"meshkin.{name}", icon=icon), PartOptions)
        layout.operator("meshkin.select_part", icon="RESTRICT_SELECT_OFF").part = -1
        obj = context.view_layer.objects.active
        if obj and NAMES_PROPERTY in obj:
            self._draw_names(obj)

    def _draw_names(self, obj: bpy.types.Object) -> None:
        """Draw the names of the active object's parts: a click renames one; in Edit Mode, one beside it selects it."""
        column = self.layout.box().column(align=True)
        column.use_property_split = False
        for number, name in enumerate(obj[NAMES_PROPERTY]):
            row = column.row(align=True)
            if obj.mode == "EDIT":
                row.operator("meshkin.select_part", text="", icon="RESTRICT_SELECT_OFF", emboss=False).part = number
            row.operator("meshkin.rename_part", text=name, icon="GREASEPENCIL", translate=False).part = number


CLASSES: list[type] = [MESHKIN_PT_parts]
