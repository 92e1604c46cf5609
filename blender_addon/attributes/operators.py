"""The button that transfers attributes, face materials, UV maps, shape keys, sculpted detail and hair."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty

from meshkin.transfer.attributes.options import PAYLOADS, AttributeOptions

from ..base.operators import TransferJob
from ..base.options import options
from ..base.properties import values_of, with_options

if TYPE_CHECKING:
    from meshkin.workflow import Options


@with_options(AttributeOptions)
class MESHKIN_OT_transfer_attributes(TransferJob):
    """Transfer the source's attributes and, if chosen, face materials, UV maps, shape keys, sculpted detail and hair"""

    bl_idname = "meshkin.transfer_attributes"
    bl_label = "Attributes"
    bl_options = {"REGISTER", "UNDO", "PRESET"}
    what = "attributes"

    kinds: EnumProperty(
        name="Data Types",
        description="Which data to transfer",
        items=tuple((payload.value, payload.name, payload.description) for payload in PAYLOADS),
        options={"ENUM_FLAG"},
        default={"attributes"},
    )

    @classmethod
    def unsuitable(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        return "" if source.type == "MESH" else f"“{source.name}” is not a mesh"

    def payloads(self) -> tuple[str, ...]:
        return tuple(payload.value for payload in PAYLOADS if payload.value in self.kinds)

    def job_options(self, context: bpy.types.Context) -> Options:
        return options(context, **values_of(self, AttributeOptions))


CLASSES: list[type] = [
    MESHKIN_OT_transfer_attributes,
]
