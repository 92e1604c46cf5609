"""The button that transfers everything that is ticked, in one job."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import EnumProperty

from meshkin.base.options import Choice
from meshkin.transfer.attributes.options import PAYLOADS, AttributeOptions
from meshkin.transfer.texture.options import TextureOptions
from meshkin.transfer.weights.options import WeightOptions

from ..base import members, status
from ..base.operators import TransferJob, busy, locked
from ..base.options import options
from ..base.properties import values_of

if TYPE_CHECKING:
    from meshkin.workflow import Options

    from ..base.operators import Steps

KINDS = (
    Choice("texture", "Texture", "The source's materials, baked into new textures"),
    Choice("weights", "Weights", "The source's vertex groups"),
    Choice("armature", "Armature", "A copy of the source's armature, fitted to the target"),
    Choice("motion", "Motion", "What the source's armature plays, keyed on the target's armature"),
    *(payload for payload in PAYLOADS if payload.value != "attributes"),
    *(payload for payload in PAYLOADS if payload.value == "attributes"),
)
"""What the button can transfer, in the order of the ticks."""
USUAL = {"texture", "weights", "armature"}
"""What is ticked at first: a character with a look and a rig."""


def kinds_property() -> EnumProperty:
    """Return the property of what is ticked."""
    return EnumProperty(
        name="Transfer",
        description="What to transfer from the source to the target",
        items=tuple((kind.value, kind.name, kind.description) for kind in KINDS),
        options={"ENUM_FLAG"},
        default=USUAL,
    )


class MESHKIN_OT_transfer(TransferJob):
    """Transfer everything that is ticked from the source to the target, in one job and one undo step. The match is made
    first if there is none. What the source does not have is left out and told"""

    bl_idname = "meshkin.transfer"
    bl_label = "Transfer"

    kinds: kinds_property()

    @classmethod
    def unsuitable(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        return ""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        pair = members.selected_pair(context)
        if pair is None:
            settings = context.scene.meshkin
            nothing = not (settings.source or settings.target)
            return (busy() or "Select two characters, the target last") if nothing else super().why_not(context)
        return busy() or locked(members.largest(pair)[1]) or status.worker_missing

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.label(text="Tick something else in the sidebar, undo, and press Transfer again")

    def payloads(self) -> tuple[str, ...]:
        return tuple(kind.value for kind in KINDS if kind.value in self.kinds)

    def job_options(self, context: bpy.types.Context) -> Options:
        values: dict[str, Any] = {}
        for group in (TextureOptions, WeightOptions, AttributeOptions):
            values |= values_of(context.scene.meshkin, group)
        return options(context, **values)

    def steps(self, context: bpy.types.Context) -> Steps:
        if pair := members.selected_pair(context):
            members.pick(context.scene.meshkin, pair)
        return super().steps(context)


CLASSES: list[type] = [MESHKIN_OT_transfer]
