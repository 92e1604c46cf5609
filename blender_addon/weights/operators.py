"""The buttons that transfer skinning weights and select the vertices whose weights were inpainted."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from meshkin.transfer.weights.options import WeightOptions

from ..base.operators import QuickAction, TransferJob, busy, locked, missing
from ..base.options import options
from ..base.properties import panel_options, values_of, with_options

if TYPE_CHECKING:
    from meshkin.workflow import Options


@with_options(WeightOptions)
class MESHKIN_OT_transfer_weights(TransferJob):
    """Transfer the source's vertex groups to the target"""

    bl_idname = "meshkin.transfer_weights"
    bl_label = "Weights"
    bl_options = {"REGISTER", "UNDO", "PRESET"}
    what = "weights"

    @classmethod
    def unsuitable(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        return "" if source.vertex_groups else f"“{source.name}” has no vertex groups"

    def job_options(self, context: bpy.types.Context) -> Options:
        return options(context, **values_of(self, WeightOptions))

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        for name in panel_options(WeightOptions):
            target = context.scene.meshkin.target
            if name == "mask" and target:
                layout.prop_search(self, name, target, "vertex_groups")
            else:
                layout.prop(self, name)


class MESHKIN_OT_select_inpainted(QuickAction):
    """Select the target's vertices whose weights were inpainted instead of taken from the source"""

    bl_idname = "meshkin.select_inpainted"
    bl_label = "Select Inpainted Vertices"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if reason := busy() or missing(context, "target") or locked(context.scene.meshkin.target):
            return reason
        has_weights = "meshkin_inpainted" in context.scene.meshkin.target.data.attributes
        return "" if has_weights else "No weights were transferred to the target yet"

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.rig import weights

        target = context.scene.meshkin.target
        inpainted = weights.inpainted(target)
        weights.select(target, inpainted)
        return f"{int(inpainted.sum())} of {len(inpainted)} vertices of “{target.name}” were inpainted"


CLASSES: list[type] = [
    MESHKIN_OT_transfer_weights,
    MESHKIN_OT_select_inpainted,
]
