"""The parts of the panels for textures."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

from typing import Any

import bpy

from meshkin.base.options import NAMES
from meshkin.transfer.texture.options import TextureOptions

from ..base.properties import copy_values
from ..base.widgets import Section


def buttons(column: bpy.types.UILayout, settings: Any) -> None:
    """Draw the button that transfers textures with the panel's settings."""
    button = column.operator("meshkin.transfer_texture", icon="TEXTURE")
    copy_values(settings, button, TextureOptions)
    button.leave_out = NAMES.write(left_out(settings))


def materials(source: bpy.types.Object | None) -> list[str]:
    """Return the names of the source's materials, each once."""
    slots = source.material_slots if source else ()
    return list(dict.fromkeys(slot.material.name for slot in slots if slot.material))


def left_out(settings: Any) -> tuple[str, ...]:
    """Return the names of the source's materials that are left out; the list may have names of another source."""
    listed = NAMES.parse(settings.leave_out)
    return tuple(name for name in materials(settings.source) if name in listed)


class MESHKIN_PT_source_materials(Section, bpy.types.Panel):
    """Which of the source's materials are transferred."""

    bl_idname = "MESHKIN_PT_source_materials"
    bl_label = "Source Materials"
    bl_order = 4

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return len(materials(context.scene.meshkin.source)) > 1

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.meshkin
        column = self.layout.column(align=True)
        for name in materials(settings.source):
            is_in = name not in left_out(settings)
            icon = "CHECKBOX_HLT" if is_in else "CHECKBOX_DEHLT"
            button = column.operator("meshkin.leave_out", text=name, icon=icon, depress=is_in, translate=False)
            button.material = name


CLASSES: list[type] = [MESHKIN_PT_source_materials]
