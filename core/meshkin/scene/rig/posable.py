"""A character with its armature as one posable shape, and poses of it written back as keyframes."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ...geometry.arrays import Floats, Singles
from ...video.clip import PosableShape
from ..characters import Picked, members
from ..compat import fcurves
from . import weights
from .binding import armatures_of
from .motion import insert_keyframes

FIT_PROPERTY = "Video Fit"
"""Custom property of an armature, keyed: how well each frame of its action fits the video that it was made from."""


LEAST_SCALING = 1e-4
"""Scaling of a bone, of 1, that is keyed. Chosen: less comes from rounding."""


def read(
    armature: bpy.types.Object, pieces: Sequence[tuple[bpy.types.Object, Snapshot]], shape: Snapshot
) -> tuple[list[str], PosableShape]:
    """The names of an armature's bones, every parent before its children, and the shape that they pose.

    Args:
        armature: that poses the pieces.
        pieces: the character's meshes, with their snapshots as shown.
        shape: all of them at rest, joined; its frame is that of the result.

    Raises:
        InputError: ``no-weights`` if no vertex follows a bone, ``bones-scaled`` if the armature is scaled unevenly.
    """
    bones = _ordered(armature)
    number = {bone.name: index for index, bone in enumerate(bones)}
    values = np.concatenate([weights.of_bones(obj, snapshot, number) for obj, snapshot in pieces])
    if not values.any():
        raise InputError(
            "no-weights",
            f"No vertex follows a bone of “{armature.name}”.",
            "Transfer weights to the mesh first, or bind it with automatic weights.",
        )
    total = values.sum(axis=1, keepdims=True)
    values = np.divide(values, total, out=values, where=total > 0)
    rest = np.array([_rigid(armature.matrix_world @ bone.matrix_local) for bone in bones])
    rest[:, :3, 3] -= shape.location
    parents = [number[bone.parent.name] if bone.parent else -1 for bone in bones]
    return [bone.name for bone in bones], PosableShape(
        shape.vertices.astype(np.float64),
        shape.faces,
        values,
        rest,
        np.array(parents, np.int32),
        np.array([_limits(armature.pose.bones[bone.name]) for bone in bones]).reshape(-1, 3, 2),
    )


def _ordered(armature: bpy.types.Object) -> list[bpy.types.Bone]:
    """The bones, every parent before its children."""
    found: list[bpy.types.Bone] = [bone for bone in armature.data.bones if not bone.parent]
    for bone in found:
        found += bone.children
    return found


def _rigid(matrix: Matrix) -> NDArray[np.float64]:
    """Place and axes of a matrix, without its scale."""
    place, rotation, _ = matrix.decompose()
    return np.array(Matrix.LocRotScale(place, rotation, None), np.float64)


def _limits(bone: bpy.types.PoseBone) -> list[tuple[float, float]]:
    """Least and most turn of a bone about its own axes, radians: of locks, of Limit Rotation and of IK limits."""
    limits = [(-np.inf, np.inf)] * 3
    for axis, letter in enumerate("xyz"):
        if bone.lock_rotation[axis] or getattr(bone, f"lock_ik_{letter}"):
            limits[axis] = (0.0, 0.0)
        elif getattr(bone, f"use_ik_limit_{letter}"):
            limits[axis] = (getattr(bone, f"ik_min_{letter}"), getattr(bone, f"ik_max_{letter}"))
        for constraint in bone.constraints:
            acts = constraint.type == "LIMIT_ROTATION" and not constraint.mute and constraint.owner_space == "LOCAL"
            if acts and getattr(constraint, f"use_limit_{letter}"):
                least, most = (getattr(constraint, f"{end}_{letter}") for end in ("min", "max"))
                limits[axis] = (max(limits[axis][0], least), min(limits[axis][1], most))
    return limits


def boned(
    shape: Snapshot, weights: Singles, heads: Floats, tails: Floats, parents: NDArray[np.integer]
) -> PosableShape:
    """A shape with bones that are in no armature yet, whose Y axes point along them.

    Args:
        shape: at rest.
        weights: float32 (V, B).
        heads, tails: (B, 3), in its frame.
        parents: int (B,), every parent before its children.
    """
    rest = np.tile(np.eye(4), (len(heads), 1, 1))
    for matrix, along in zip(rest, tails - heads, strict=True):
        matrix[:3, :3] = np.array(Vector(along.tolist()).to_track_quat("Y", "Z").to_matrix())
    rest[:, :3, 3] = heads
    free = np.tile((-np.inf, np.inf), (len(heads), 3, 1))
    return PosableShape(shape.vertices.astype(np.float64), shape.faces, weights, rest, parents.astype(np.int32), free)


def bones_in_world(armature: bpy.types.Object, names: Sequence[str]) -> Floats:
    """The matrices (B, 4, 4) of an armature's bones in the world as they are posed, constraints included."""
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ evaluated.pose.bones[name].matrix for name in names], np.float64)


def moved_from_rest(armature: bpy.types.Object, names: Sequence[str], posed: Floats, location: Floats) -> Floats:
    """The matrices (K, B, 4, 4) by which poses move points, in a frame with the world's axes around ``location``.

    Args:
        armature: where it stands now, its bones rest.
        names: of the bones.
        posed: (K, B, 4, 4), as :func:`bones_in_world`.
        location: (3,), in the world.
    """
    rest = np.array([armature.matrix_world @ armature.data.bones[name].matrix_local for name in names], np.float64)
    around = np.eye(4)
    around[:3, 3] = location
    return np.asarray(np.linalg.inv(around) @ posed @ np.linalg.inv(rest) @ around)


def keyed_frames(armature: bpy.types.Object) -> list[int]:
    """The frames in which the action of an armature has keys, ascending."""
    frames = {round(point.co.x) for curve in fcurves(armature) for point in curve.keyframe_points}
    return sorted(frames)


def posed_meshes(picked: Picked, armature: bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes of a character that an armature poses, and those that hang on its bones.

    Raises InputError ``no-weights``, and as :func:`meshkin.scene.characters.members`.
    """
    hang = [obj for obj in members(picked) if obj.parent == armature and obj.parent_type == "BONE"]
    found = [obj for obj in members(picked) if armature in armatures_of(obj)]
    found += [obj for obj in hang if obj not in found]
    if not found:
        raise InputError("no-weights", f"“{armature.name}” poses no mesh.", "Bind the mesh to it first.")
    return found


def new_action(armature: bpy.types.Object, name: str) -> str:
    """Give an armature a new action, whose name is returned, and mute its constraints: keys hold what they would do."""
    for bone in armature.pose.bones:
        for constraint in bone.constraints:
            constraint.mute = True
    armature.animation_data_create()
    if before := armature.animation_data.action:
        before.use_fake_user = True  # else a file that is saved now would lose it
    armature.animation_data.action = bpy.data.actions.new(name)
    return str(armature.animation_data.action.name)


def write(
    armature: bpy.types.Object, names: Sequence[str], matrices: Floats, frames: Sequence[int], location: Floats
) -> None:
    """Insert keyframes that let bones move points as these matrices do; rotations are keyed as quaternions.

    Args:
        armature: the armature.
        names: of the bones, every parent before its children.
        matrices: (T, B, 4, 4), in a frame with the world's axes around ``location``.
        frames: of the scene, T.
        location: (3,), in the world.
    """
    around = Matrix.Translation(location.tolist())
    before, after = armature.matrix_world.inverted_safe() @ around, around.inverted() @ armature.matrix_world
    local: list[dict[str, Matrix]] = []
    for moved in matrices:
        poses: dict[str, Matrix] = {}
        local.append({})
        for name, matrix in zip(names, moved.tolist(), strict=True):
            bone = armature.data.bones[name]
            poses[name] = before @ Matrix(matrix) @ after @ bone.matrix_local
            more = {}
            if bone.parent:
                more = {"parent_matrix": poses[bone.parent.name], "parent_matrix_local": bone.parent.matrix_local}
            local[-1][name] = bone.convert_local_to_pose(poses[name], bone.matrix_local, invert=True, **more)
    last: dict[str, Quaternion] = {}
    for name in names:
        bone, poses_of_bone = armature.pose.bones[name], [each[name].decompose() for each in local]
        bone.rotation_mode = "QUATERNION"
        is_scaled = any((scale - Vector((1, 1, 1))).length > LEAST_SCALING for _, _, scale in poses_of_bone)
        for frame, (place, rotation, scale) in zip(frames, poses_of_bone, strict=True):
            bone.location, bone.rotation_quaternion = place, rotation
            bone.scale = scale if is_scaled else (1, 1, 1)
            insert_keyframes(bone, frame, last)
            if is_scaled:
                bone.keyframe_insert("scale", frame=frame)


def write_scores(armature: bpy.types.Object, scores: Floats, frames: Sequence[int]) -> None:
    """Key how well each frame fits, 0 to 1, as the armature's custom property :data:`FIT_PROPERTY`."""
    for frame, score in zip(frames, scores.tolist(), strict=True):
        armature[FIT_PROPERTY] = score
        armature.keyframe_insert(f'["{FIT_PROPERTY}"]', frame=frame)
