"""The buttons that transfer armatures, motions and poses."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty

from meshkin.base.options import options_of
from meshkin.transfer.rig.options import RigOptions
from meshkin.transfer.weights.options import WeightOptions

from ..base import members, status
from ..base.operators import SceneJob, TransferJob, busy, locked, missing
from ..base.options import options
from ..base.properties import property_of, values_of

if TYPE_CHECKING:
    from ..base.operators import Steps


class MESHKIN_OT_transfer_armature(TransferJob):
    """Fit a copy of the source's armature to the target and bind the target to it, with the source's weights"""

    bl_idname = "meshkin.transfer_armature"
    bl_label = "Armature"
    what = "armature"

    selected_too: BoolProperty(
        name="Include Selected",
        description="Also bind the other selected meshes that lie on the target, such as eyes, teeth, hair or clothes",
        default=False,
    )
    with_weights: BoolProperty(
        name="Weights", description="Also transfer the source's weights, with the panel's settings", default=True
    )

    @classmethod
    def unsuitable(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        bound = any(modifier.type == "ARMATURE" and modifier.object for modifier in source.modifiers)
        bound = bound or (source.parent and source.parent.type == "ARMATURE" and source.parent_type == "ARMATURE")
        return "" if bound else f"No armature poses “{source.name}”"

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        source, target = (members.picked(settings, role) for role in members.ROLES)
        has_groups = any(obj.vertex_groups for obj in (settings.source, *members.ticked(settings, "source")))
        weights = self.with_weights and has_groups
        what = ("weights", "armature") if weights else ("armature",)
        values = values_of(settings, WeightOptions) if weights else {}
        if self.selected_too:
            values["also"] = _other_selected(context)
        return workflow.transfer(source, target, what, options(context, **values))


def _rigged(settings: Any, role: str) -> Any:
    """Return the mesh of a role that has an armature: the picked one, if it has."""
    meshes = (getattr(settings, role), *members.ticked(settings, role))
    return next((obj for obj in meshes if any(each.type == "ARMATURE" for each in obj.modifiers)), meshes[0])


def _other_selected(context: bpy.types.Context) -> tuple[bpy.types.Object, ...]:
    """Return the selected meshes that are neither of the source nor of the target."""
    settings = context.scene.meshkin
    known = [obj for role in members.ROLES for obj in (getattr(settings, role), *members.ticked(settings, role))]
    return tuple(obj for obj in context.selected_objects if obj.type == "MESH" and obj not in known)


class MESHKIN_OT_build_armature(SceneJob):
    """Build an armature from the target's vertex groups alone and bind the target to it"""

    bl_idname = "meshkin.build_armature"
    bl_label = "Armature from Groups"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if reason := busy() or missing(context, "target"):
            return reason
        target = context.scene.meshkin.target
        no_groups = "" if target.vertex_groups else f"“{target.name}” has no vertex groups"
        return locked(target) or no_groups or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        return workflow.build_armature(
            settings.target, options(context, groups=settings.groups, pattern=settings.pattern)
        )


class MESHKIN_OT_motion(SceneJob):
    """Transfer the action of the source's armature to the target's armature, with a keyframe on every frame"""

    bl_idname = "meshkin.motion"
    bl_label = "Motion"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if reason := busy() or missing(context, "source", "target"):
            return reason
        for name in ("source", "target"):
            obj = getattr(context.scene.meshkin, name)
            meshes = (obj, *members.ticked(context.scene.meshkin, name))
            if not any(each.type == "ARMATURE" and each.object for mesh in meshes for each in mesh.modifiers):
                return f"No armature poses “{obj.name}”"
        return ""

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        source, target = (_rigged(settings, role) for role in members.ROLES)
        return workflow.motion(source, target, options(context, **values_of(settings, WeightOptions)))


class MESHKIN_OT_pose(TransferJob):
    """Bring the target into the source's current pose without a rig, as a new shape key"""

    bl_idname = "meshkin.pose"
    bl_label = "Pose"

    threshold: property_of(options_of(RigOptions)["threshold"], float)

    @classmethod
    def unsuitable(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        return ""

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        source, target = (members.picked(context.scene.meshkin, role) for role in members.ROLES)
        return workflow.pose(source, target, options(context, pose_threshold=self.threshold))


CLASSES: list[type] = [
    MESHKIN_OT_transfer_armature,
    MESHKIN_OT_build_armature,
    MESHKIN_OT_motion,
    MESHKIN_OT_pose,
]
