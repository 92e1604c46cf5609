"""A character with its armature as one posable shape, and poses of it written back as keyframes."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Matrix, Quaternion
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ...geometry.arrays import Floats, Singles
from ...video.clip import PosableShape
from ..characters import Picked, members
from . import weights
from .binding import armatures_of
from .motion import insert_keyframes

FILM_WIDTH = 36.0
"""Width of the sensor that focal lengths are about, millimeters: full frame, and Blender's default."""
FIT_PROPERTY = "Video Fit"
"""Custom property of an armature, keyed: how well each frame of its action fits the video that it was made from."""


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
    values = np.concatenate([_bone_weights(obj, snapshot, number) for obj, snapshot in pieces])
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


def _bone_weights(obj: bpy.types.Object, snapshot: Snapshot, number: dict[str, int]) -> Singles:
    """The weights (V, B) of a mesh; a mesh that hangs on one bone follows that alone."""
    values = np.zeros((len(snapshot.vertices), len(number)), np.float32)
    if obj.parent_type == "BONE" and obj.parent_bone in number:
        values[:, number[obj.parent_bone]] = 1
        return values
    names = [group.name for group in obj.vertex_groups if group.name in number]
    names = [name for name in weights.deforming_groups(obj) if name in names] if names else []
    if names:
        _, read_values = weights.read(obj, snapshot, names)
        values[:, [number[name] for name in names]] = read_values
    return values


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


def posed_meshes(picked: Picked, armature: bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes of a character that an armature poses.

    Raises InputError ``no-weights``, and as :func:`meshkin.scene.characters.members`.
    """
    found = [obj for obj in members(picked) if armature in armatures_of(obj)]
    if not found:
        raise InputError("no-weights", f"“{armature.name}” poses no mesh.", "Bind the mesh to it first.")
    return found


def new_action(armature: bpy.types.Object, name: str) -> str:
    """Give an armature a new action, whose name is returned, and mute its constraints: keys hold what they would do."""
    for bone in armature.pose.bones:
        for constraint in bone.constraints:
            constraint.mute = True
    armature.animation_data_create()
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
    last: dict[str, Quaternion] = {}
    for frame, moved in zip(frames, matrices, strict=True):
        poses: dict[str, Matrix] = {}
        for name, matrix in zip(names, moved.tolist(), strict=True):
            bone = armature.data.bones[name]
            poses[name] = before @ Matrix(matrix) @ after @ bone.matrix_local
            more = {}
            if bone.parent:
                more = {"parent_matrix": poses[bone.parent.name], "parent_matrix_local": bone.parent.matrix_local}
            local = bone.convert_local_to_pose(poses[name], bone.matrix_local, invert=True, **more)
            pose_bone = armature.pose.bones[name]
            place, rotation, _ = local.decompose()
            pose_bone.rotation_mode, pose_bone.rotation_quaternion = "QUATERNION", rotation
            pose_bone.location, pose_bone.scale = place, (1, 1, 1)
            insert_keyframes(pose_bone, frame, last)


def new_camera(name: str, cameras: Floats, frames: Sequence[int], location: Floats, lens: float) -> bpy.types.Object:
    """A camera in the scene; one that moves has keyframes.

    Args:
        name: of the camera.
        cameras: (T, 4, 4), from a frame with the world's axes around ``location`` to camera axes.
        frames: of the scene, T.
        location: (3,), in the world.
        lens: focal length, millimeters on a sensor 36 mm wide.
    """
    data = bpy.data.cameras.new(name)
    data.sensor_width, data.sensor_fit, data.lens = FILM_WIDTH, "HORIZONTAL", lens
    camera = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(camera)
    camera.rotation_mode = "QUATERNION"
    around, is_still = Matrix.Translation(location.tolist()), bool((cameras == cameras[0]).all())
    for frame, matrix in zip(frames, cameras.tolist(), strict=True):
        place, rotation, _ = (around @ Matrix(matrix).inverted()).decompose()
        camera.location, camera.rotation_quaternion = place, rotation
        if is_still:
            break
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_quaternion", frame=frame)
    return camera


def write_scores(armature: bpy.types.Object, scores: Floats, frames: Sequence[int]) -> None:
    """Key how well each frame fits, 0 to 1, as the armature's custom property :data:`FIT_PROPERTY`."""
    for frame, score in zip(frames, scores.tolist(), strict=True):
        armature[FIT_PROPERTY] = score
        armature.keyframe_insert(f'["{FIT_PROPERTY}"]', frame=frame)
