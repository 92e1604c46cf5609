"""The panel for families."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

import bpy

from meshkin.families.options import FamilyOptions

from ..base import status
from ..base.properties import panel_options
from ..base.text import translated
from ..base.widgets import Section, form
from .operators import in_use


class MESHKIN_PT_family(Section, bpy.types.Panel):
    """Learns features from the meshes of a collection, and lists what was learned."""

    bl_idname = "MESHKIN_PT_family"
    bl_label = "Family"
    bl_order = 6

    def draw(self, context: bpy.types.Context) -> None:
        layout = form(self.layout)
        settings = context.scene.meshkin
        column = layout.column()
        column.prop(settings, "family_collection")
        column.prop(settings, "family_name")
        for name in panel_options(FamilyOptions):
            column.prop(settings, name)
        layout.operator("meshkin.learn_family", icon="COMMUNITY")
        status.ensure()
        for family in status.families:
            box = layout.box().column(align=True)
            row = box.row()
            row.label(text=family.name, icon="COMMUNITY", translate=False)
            used = in_use(settings, family.name)
            row.operator(
                "meshkin.use_family", text="Used" if used else "Use", icon="CHECKMARK" if used else "NONE", depress=used
            ).name = family.name
            box.label(text=family.described(), translate=False)
            if family.curve.steps:
                box.label(text=f"{translated('Error')} {family.curve.drawn()}", translate=False)


CLASSES: list[type] = [MESHKIN_PT_family]
