"""The buttons that carry weights and attributes; the base of all that carry something from source to target."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from . import properties, status
from .common import Quick, SceneJob, busy, locked, missing, options, weight_options

if TYPE_CHECKING:
    from meshkin.workflow import Options

    from .common import Steps


class Transfer(SceneJob):
    """Base of the jobs that carry something from the source to the target."""

    what: str

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = busy() or missing(context, "source", "target")
        if reason:
            return reason
        source, target = context.scene.meshkin.source, context.scene.meshkin.target
        return locked(target) or cls.unsuited(source, target) or status.worker_missing

    @classmethod
    def unsuited(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        """Why this cannot go from source to target, or ""."""
        raise NotImplementedError

    def chosen(self, context: bpy.types.Context) -> Options:
        """The options with the operator's own properties."""
        return options(context)

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        return workflow.transfer(settings.source, settings.target, self.wishes(), self.chosen(context))

    def wishes(self) -> tuple[str, ...]:
        """What is to be transferred."""
        return (self.what,)


class MESHKIN_OT_transfer_weights(Transfer):
    """Carry the source's vertex groups to the target"""

    bl_idname = "meshkin.transfer_weights"
    bl_label = "Weights"
    what = "weights"

    limit: properties.limit()
    smoothing: properties.smoothing()
    threshold: properties.threshold()
    nearness: properties.nearness()
    way: properties.way()
    groups: properties.groups()
    pattern: properties.pattern()
    rename: properties.rename()
    mix: properties.mix()
    mask: properties.mask()
    mirrored: properties.mirrored()

    @classmethod
    def unsuited(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        return "" if source.vertex_groups else f"“{source.name}” has no vertex groups"

    def chosen(self, context: bpy.types.Context) -> Options:
        return options(context, **weight_options(self))

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        for name in properties.WEIGHTS:
            target = context.scene.meshkin.target
            if name == "mask" and target:
                layout.prop_search(self, name, target, "vertex_groups")
            else:
                layout.prop(self, name)


class MESHKIN_OT_select_inpainted(Quick):
    """Select the target's vertices whose weights were inpainted, not taken from the source"""

    bl_idname = "meshkin.select_inpainted"
    bl_label = "Select Inpainted Vertices"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if reason := busy() or missing(context, "target") or locked(context.scene.meshkin.target):
            return reason
        there = "meshkin_inpainted" in context.scene.meshkin.target.data.attributes
        return "" if there else "No weights were transferred to the target yet"

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.rig import weights

        target = context.scene.meshkin.target
        found = weights.inpainted(target)
        weights.select(target, found)
        return f"{int(found.sum())} of {len(found)} vertices of “{target.name}” were inpainted"


class MESHKIN_OT_transfer_attributes(Transfer):
    """Carry the source's attributes, and if wanted face materials, UV maps, shape keys, sculpted detail and hair"""

    bl_idname = "meshkin.transfer_attributes"
    bl_label = "Attributes"
    what = "attributes"

    kinds: properties.kinds()

    @classmethod
    def unsuited(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        return "" if source.type == "MESH" else f"“{source.name}” is not a mesh"

    def wishes(self) -> tuple[str, ...]:
        return tuple(name for name, _, _ in properties.KINDS if name in self.kinds)


CLASSES: list[type] = [
    MESHKIN_OT_transfer_weights,
    MESHKIN_OT_select_inpainted,
    MESHKIN_OT_transfer_attributes,
]
