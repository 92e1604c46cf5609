"""Motion played by one armature, given to another with bones of the same names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector
from numpy.typing import NDArray

from ...base.errors import InputError

Floats = NDArray[np.float64]

TURNED = np.radians(20)
"""From this angle about the Z axis on a whole rig rests turned."""
UPRIGHT = np.radians(60)
"""Up to this angle apart two rigs rest equally upright."""


def action_frames(armature: bpy.types.Object) -> range:
    """The frames that the armature's action covers. Raises InputError ``no-action``."""
    action = armature.animation_data.action if armature.animation_data else None
    if action is None:
        raise InputError("no-action", f"“{armature.name}” plays no action.", "Assign an action to it first.")
    first, last = action.frame_range
    return range(int(np.floor(first)), int(np.ceil(last)) + 1)


def retarget(source: bpy.types.Object, target: bpy.types.Object, frames: range, name: str) -> Iterator[float]:
    """Key the target's bones so that it moves as the source does; yields the share done, a frame at a time.

    Each bone gets the orientation in space that its namesake has, whatever the two rest poses are; where the target as
    a whole rests turned, it is turned as far. Places of bones without a parent, and of those that are moved apart from
    it, go as far as the target is larger, from rest. The pose comes from what the source's constraints and drivers
    make of it; the target's own constraints are muted, for the keys hold their result. The scene's frame stays.

    Args:
        frames: of the scene.
        name: of the new action.

    Raises:
        InputError: ``bones-differ`` when no name is shared.
    """
    shared = [bone.name for bone in target.data.bones if bone.name in source.data.bones]
    if not shared:
        raise InputError(
            "bones-differ",
            f"“{source.name}” and “{target.name}” have no bone name in common.",
            "Fit the source's armature to the target first.",
        )
    scale = _size(target, shared) / max(_size(source, shared), 1e-12)
    turn = _turned(source, target, shared)
    scene = bpy.context.scene
    kept, part = scene.frame_current, scene.frame_subframe
    target.animation_data_create()
    target.animation_data.action = bpy.data.actions.new(name)
    for bone in target.pose.bones:
        for constraint in bone.constraints:
            constraint.mute = True
        if bone.name in shared:
            bone.rotation_mode = "QUATERNION"
    last: dict[str, Quaternion] = {}
    try:
        for index, frame in enumerate(frames):
            scene.frame_set(frame)
            posed = source.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
            _pose(source, target, posed, shared, turn, scale)
            for bone in map(target.pose.bones.get, shared):
                if bone.name in last and last[bone.name].dot(bone.rotation_quaternion) < 0:
                    bone.rotation_quaternion.negate()  # the same turn, but the way between the keys is short
                last[bone.name] = bone.rotation_quaternion.copy()
                bone.keyframe_insert("rotation_quaternion", frame=frame)
                if not bone.bone.use_connect:
                    bone.keyframe_insert("location", frame=frame)
            yield (index + 1) / len(frames)
    finally:
        scene.frame_set(kept, subframe=part)


def remove_action(action: bpy.types.Action) -> None:
    """Delete an action."""
    bpy.data.actions.remove(action)


def take_back(
    armature: bpy.types.Object, before: bpy.types.Action | None, unmuted: Sequence[bpy.types.Constraint]
) -> None:
    """Undo :func:`retarget`: the armature gets the action that it had before, and these constraints act again."""
    action = armature.animation_data.action if armature.animation_data else None
    if action is not None and action != before:
        armature.animation_data.action = before
        remove_action(action)
    for constraint in unmuted:
        constraint.mute = False


def _pose(
    source: bpy.types.Object,
    target: bpy.types.Object,
    posed: bpy.types.bpy_prop_collection,
    shared: list[str],
    turn: Quaternion,
    scale: float,
) -> None:
    """Set the target's bones, parents first, to the source's orientations, turned from armature to armature."""
    here: dict[str, Matrix] = {}
    for bone in target.data.bones:
        pose = target.pose.bones[bone.name]
        if bone.parent:
            rest = bone.parent.matrix_local.inverted() @ bone.matrix_local
            start = here[bone.parent.name] @ rest
        else:
            start = bone.matrix_local.copy()
        if bone.name in shared:
            model, moved = source.data.bones[bone.name], posed[bone.name]
            wanted = turn @ moved.matrix.to_quaternion()
            # Its skin is rolled as the target's bone is at rest.
            wanted = wanted @ _roll(bone, turn @ model.matrix_local.to_quaternion())
            pose.rotation_quaternion = start.to_quaternion().inverted() @ wanted
            pose.scale = (1, 1, 1)
            if not bone.use_connect:
                parent = (
                    posed[model.parent.name].matrix @ model.parent.matrix_local.inverted() if model.parent else None
                )
                still = parent @ model.head_local if parent else model.head_local
                gone = turn @ (moved.head - Vector(still)) * scale
                pose.location = start.to_quaternion().inverted() @ gone
        local = Matrix.LocRotScale(pose.location, pose.rotation_quaternion, Vector((1, 1, 1)))
        here[bone.name] = start @ local


def _roll(bone: bpy.types.Bone, model: Quaternion) -> Quaternion:
    """The turn about its own length by which a bone at rest differs from the model's, once they point the same way."""
    rest = bone.matrix_local.to_quaternion()
    swing = (model @ Vector((0, 1, 0))).rotation_difference(rest @ Vector((0, 1, 0)))
    twist = (swing @ model).inverted() @ rest
    return Quaternion((twist.w, 0, twist.y, 0)).normalized()


def _turned(source: bpy.types.Object, target: bpy.types.Object, names: list[str]) -> Quaternion:
    """The turn from the source's own axes to the target's: in the world both face the same way, or as they rest.

    How far the whole target rests turned is what lays the source's joints best over its own. If it stands as upright
    as the source, that is a turn about the world's Z axis, and one of less than :data:`TURNED` another rest pose.
    """
    own, other = (armature.matrix_world.to_quaternion() for armature in (source, target))
    one, two = (
        np.array([(armature.matrix_world @ armature.data.bones[name].head_local)[:] for name in names])
        for armature in (source, target)
    )
    both = (two - two.mean(axis=0)).T @ (one - one.mean(axis=0))
    left, spread, right = np.linalg.svd(both)
    turn = Quaternion()
    if spread[1] > 1e-3 * spread[0]:  # else all lie on a line
        left[:, 2] *= np.sign(np.linalg.det(left @ right))
        turn = Matrix((left @ right).tolist()).to_quaternion()
    if turn @ Vector((0, 0, 1)) @ Vector((0, 0, 1)) > np.cos(UPRIGHT):
        heading = float(np.arctan2(both[1, 0] - both[0, 1], both[0, 0] + both[1, 1]))
        turn = Quaternion((0, 0, 1), heading if abs(heading) > TURNED else 0)
    return other.inverted() @ turn @ own


def _size(armature: bpy.types.Object, names: list[str]) -> float:
    """The extent of bones at rest, in the armature's own units."""
    heads = np.array([armature.data.bones[name].head_local[:] for name in names], np.float64)
    return float(np.linalg.norm(heads - heads.mean(axis=0))) if len(heads) > 1 else 1.0
