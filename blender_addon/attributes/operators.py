"""The button that carries attributes, face materials, UV maps, shape keys, sculpted detail and hair."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty

from meshkin.transfer.attributes.options import KINDS, AttributeOptions

from ..base.operators import TransferJob
from ..base.options import options
from ..base.properties import values_of, with_options

if TYPE_CHECKING:
    from meshkin.workflow import Options


@with_options(AttributeOptions)
class MESHKIN_OT_transfer_attributes(TransferJob):
    """Carry the source's attributes, and if wanted face materials, UV maps, shape keys, sculpted detail and hair"""

    bl_idname = "meshkin.transfer_attributes"
    bl_label = "Attributes"
    what = "attributes"

    kinds: EnumProperty(
        name="Kinds",
        description="What is carried over",
        items=tuple((choice.value, choice.name, choice.description) for choice in KINDS),
        options={"ENUM_FLAG"},
        default={"attributes"},
    )

    @classmethod
    def unsuited(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        return "" if source.type == "MESH" else f"“{source.name}” is not a mesh"

    def wishes(self) -> tuple[str, ...]:
        return tuple(choice.value for choice in KINDS if choice.value in self.kinds)

    def chosen(self, context: bpy.types.Context) -> Options:
        return options(context, **values_of(self, AttributeOptions))


CLASSES: list[type] = [
    MESHKIN_OT_transfer_attributes,
]
