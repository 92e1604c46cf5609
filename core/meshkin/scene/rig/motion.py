"""Motion played by one armature, given to another with bones of the same names."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector

from ...base.errors import InputError
from ...base.progress import Progress
from ...base.sides import other_side

MIN_HEADING = np.radians(20)
"""Two rigs face different ways if their headings differ by this angle (radians) at least; a smaller difference belongs
to the rest poses. Chosen."""
MAX_TILT = np.radians(60)
"""Two rigs are equally upright if their up directions differ by less than this angle (radians); chosen."""
GROUND = 0.15
"""Bones of either side that begin within this share of the rig's height from its lowest joint are of feet; chosen."""
MIN_SPREAD = 1e-3
"""If the second singular value of the joints' covariance is below this share of the first, all joints lie on a line;
chosen."""


@dataclass(frozen=True)
class Played:
    """What an armature plays.

    Attributes:
        name: of its action, or of the first strip.
        frames: that are covered.
    """

    name: str
    frames: range


def played(armature: bpy.types.Object) -> Played:
    """What the armature plays: its action, the strips of its NLA tracks that are not muted, and what moves its parents.

    Raises InputError ``no-action``.
    """
    found = []
    obj = armature
    while obj:
        found += _played_by(obj)
        obj = obj.parent
    if not found:
        raise InputError(
            "no-action",
            f"“{armature.name}” plays no action.",
            "Assign an action to it first, or unmute a track in the Nonlinear Animation editor.",
        )
    first, last = min(start for _, start, _ in found), max(end for _, _, end in found)
    return Played(found[0][0], range(int(np.floor(first)), int(np.ceil(last)) + 1))


def _played_by(obj: bpy.types.Object) -> list[tuple[str, float, float]]:
    """Name, first and last frame of each action and strip that moves an object."""
    animation = obj.animation_data
    if animation is None:
        return []
    found = [(animation.action.name, *animation.action.frame_range)] if animation.action else []
    tracks = [track for track in animation.nla_tracks if not track.mute] if animation.use_nla else []
    tracks = [track for track in tracks if track.is_solo] or tracks
    strips = [strip for track in tracks for strip in track.strips if not strip.mute]
    return found + [(strip.name, strip.frame_start, strip.frame_end) for strip in strips]


def bone_pairs(
    source: bpy.types.Object, target: bpy.types.Object, table: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """The source's bone for each bone of the target: by the table of new names, else of the same name.

    Names may differ by what all of an armature's bones begin with (``mixamorig:``), by case and by separators.

    Args:
        source, target: armatures.
        table: names of bones of the source, and those of the target.

    Raises:
        InputError: ``bones-differ`` when no bone of the target has one.
    """
    bones = source.data.bones
    pairs = {new: old for old, new in table.items() if old in bones and new in target.data.bones}
    pairs |= {bone.name: bone.name for bone in target.data.bones if bone.name in bones and bone.name not in pairs}
    left = [bone.name for bone in bones if bone.name not in pairs.values()]
    plain = _plain_names([bone.name for bone in bones])
    by_plain = {plain[name]: name for name in left}
    for name, key in _plain_names([bone.name for bone in target.data.bones]).items():
        if name not in pairs and key in by_plain:
            pairs[name] = by_plain.pop(key)
    if not pairs:
        raise InputError(
            "bones-differ",
            f"“{source.name}” and “{target.name}” have no bone name in common.",
            "Give a table of new names (Rename), or fit the source's armature to the target first.",
        )
    return pairs


def _plain_names(names: Sequence[str]) -> dict[str, str]:
    """Each name without its namespace, what all names begin with, case and separators."""
    short = {name: re.sub(r"^(.*[:|]|mixamorig\d*_)", "", name) for name in names}
    first, last = min(short.values()), max(short.values())
    common = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    start = len(re.sub(r"[^_.\s-]*$", "", first[:common]))
    return {name: re.sub(r"[_.\s-]", "", text[start:]).lower() for name, text in short.items()}


def retarget(
    source: bpy.types.Object, target: bpy.types.Object, pairs: Mapping[str, str], frames: range, name: str
) -> Generator[Progress, None, float]:
    """Insert keyframes that let the target move as the source does; returns how far its motion is turned, in degrees.

    Each bone gets the orientation in space of the source's bone, whatever the two rest poses are; if the target as a
    whole rests turned, its motion is turned too. Feet turn from rest as the source's do: a hoof stands otherwise than a
    paw, and each stands flat at rest. Bones without a parent, and bones that move apart from theirs, move as
    far from rest as the target is larger. The source's pose includes its constraints and drivers, and how its object
    has moved since the first frame; the target's own constraints are muted, because the keyframes have their result.
    The scene's frame is restored.

    Args:
        source, target: armatures.
        pairs: the source's bone for each bone of the target that is to move.
        frames: of the scene.
        name: of the new action.
    """
    shared = [bone.name for bone in target.data.bones if bone.name in pairs]
    scale = _extent(target, shared) / max(_extent(source, [pairs[bone] for bone in shared]), 1e-12)
    scene = bpy.context.scene
    frame_before, subframe_before = scene.frame_current, scene.frame_subframe
    target.animation_data_create()
    target.animation_data.action = bpy.data.actions.new(name)
    for bone in target.pose.bones:
        for constraint in bone.constraints:
            constraint.mute = True
        if bone.name in shared:
            bone.rotation_mode = "QUATERNION"
    feet = _feet(target, shared)
    last_rotations: dict[str, Quaternion] = {}
    try:
        scene.frame_set(frames[0])
        whole_turn = _rest_turn(source, target, pairs)
        source_axes, target_axes = (armature.matrix_world.to_quaternion() for armature in (source, target))
        turn = target_axes.inverted() @ whole_turn @ source_axes
        stood = source.matrix_world.inverted_safe()
        for index, frame in enumerate(frames):
            scene.frame_set(frame)
            evaluated = source.evaluated_get(bpy.context.evaluated_depsgraph_get())
            gone = stood @ evaluated.matrix_world
            posed = {bone.name: gone @ bone.matrix for bone in evaluated.pose.bones}
            _pose(source, target, posed, pairs, feet, turn, scale)
            for bone in map(target.pose.bones.get, shared):
                insert_keyframes(bone, frame, last_rotations)
            yield Progress("Keying the motion", (index + 1) / len(frames))
    finally:
        scene.frame_set(frame_before, subframe=subframe_before)
    return float(np.degrees(2 * np.arccos(min(abs(whole_turn.w), 1))))


def undo_retarget(
    armature: bpy.types.Object, before: bpy.types.Action | None, unmuted: Sequence[bpy.types.Constraint]
) -> None:
    """Undo :func:`retarget`: the armature gets the action that it had before, and these constraints act again."""
    action = armature.animation_data.action if armature.animation_data else None
    if action is not None and action != before:
        armature.animation_data.action = before
        bpy.data.actions.remove(action)
    for constraint in unmuted:
        constraint.mute = False


def insert_keyframes(bone: bpy.types.PoseBone, frame: int, last_rotations: dict[str, Quaternion]) -> None:
    """Insert keyframes of a bone's pose; rotations of the previous frame are kept in ``last_rotations``."""
    last = last_rotations.get(bone.name)
    if last is not None and last.dot(bone.rotation_quaternion) < 0:
        bone.rotation_quaternion.negate()  # the same rotation, but the interpolation takes the short way
    last_rotations[bone.name] = bone.rotation_quaternion.copy()
    bone.keyframe_insert("rotation_quaternion", frame=frame)
    if not bone.bone.use_connect:
        bone.keyframe_insert("location", frame=frame)


def _pose(
    source: bpy.types.Object,
    target: bpy.types.Object,
    posed: Mapping[str, Matrix],
    pairs: Mapping[str, str],
    feet: Collection[str],
    turn: Quaternion,
    scale: float,
) -> None:
    """Set the target's pose bones, parents first, to the source's orientations.

    Args:
        source, target: armatures.
        posed: the source's bones as they are posed, by their names, in the axes of its object at the first frame.
        pairs: the source's bone for each bone that is posed.
        feet: bones that turn from rest as the source's do.
        turn: from the source's axes to the target's.
        scale: how much larger the target is.
    """
    matrices: dict[str, Matrix] = {}
    for bone in target.data.bones:
        pose = target.pose.bones[bone.name]
        unposed = bone.matrix_local.copy()
        if bone.parent:
            unposed = matrices[bone.parent.name] @ (bone.parent.matrix_local.inverted() @ bone.matrix_local)
        if bone.name in pairs:
            source_bone = source.data.bones[pairs[bone.name]]
            source_pose = posed[source_bone.name]
            to_local = unposed.to_quaternion().inverted()
            rotation = turn @ source_pose.to_quaternion()
            source_rest = turn @ source_bone.matrix_local.to_quaternion()
            if bone.name in feet:
                rotation = rotation @ source_rest.inverted() @ bone.matrix_local.to_quaternion()
            else:  # the skin is rolled about the bone as it is at rest on the target
                rotation = rotation @ _roll(bone, source_rest)
            pose.rotation_quaternion = to_local @ rotation
            pose.scale = (1, 1, 1)
            if not bone.use_connect:
                carried = _carried_head(source_bone, posed) if bone.parent else source_bone.head_local
                moved = source_pose.translation - carried
                pose.location = to_local @ (turn @ moved * scale)
        local = Matrix.LocRotScale(pose.location, pose.rotation_quaternion, Vector((1, 1, 1)))
        matrices[bone.name] = unposed @ local


def _feet(armature: bpy.types.Object, names: Sequence[str]) -> set[str]:
    """Those of some bones that are of feet: they have a side, and begin near the ground on which the rig stands."""
    height = {bone.name: (armature.matrix_world @ bone.head_local).z for bone in armature.data.bones}
    heights = [height[name] for name in names]
    limit = min(heights) + GROUND * (max(heights) - min(heights))
    return {name for name in names if other_side(name) in height and height[name] <= limit}


def _carried_head(bone: bpy.types.Bone, posed: Mapping[str, Matrix]) -> Vector:
    """Where a bone's head would be if only its parent had moved, in the armature's axes."""
    if not bone.parent:
        return Vector(bone.head_local)
    parent = posed[bone.parent.name] @ bone.parent.matrix_local.inverted()
    return Vector(parent @ bone.head_local)


def _roll(bone: bpy.types.Bone, source_rest: Quaternion) -> Quaternion:
    """The rotation about its own length by which a bone rests differently from the source's, both pointing one way."""
    rest = bone.matrix_local.to_quaternion()
    swing = (source_rest @ Vector((0, 1, 0))).rotation_difference(rest @ Vector((0, 1, 0)))
    twist = (swing @ source_rest).inverted() @ rest
    return Quaternion((twist.w, 0, twist.y, 0)).normalized()


def _rest_turn(source: bpy.types.Object, target: bpy.types.Object, pairs: Mapping[str, str]) -> Quaternion:
    """How far the target rests turned from the source, in the world.

    It is the rotation that lays the source's joints best over the target's (Kabsch 1976). If the target stands as
    upright as the source, only the rotation about the world's Z axis counts, and only from :data:`MIN_HEADING` on.
    """
    source_heads, target_heads = (
        np.array([(armature.matrix_world @ armature.data.bones[name].head_local)[:] for name in names])
        for armature, names in ((source, pairs.values()), (target, pairs.keys()))
    )
    covariance = (target_heads - target_heads.mean(axis=0)).T @ (source_heads - source_heads.mean(axis=0))
    left, spread, right = np.linalg.svd(covariance)
    turn = Quaternion()
    if spread[1] > MIN_SPREAD * spread[0]:
        left[:, 2] *= np.sign(np.linalg.det(left @ right))
        turn = Matrix((left @ right).tolist()).to_quaternion()
    up = Vector((0, 0, 1))
    if (turn @ up).dot(up) <= np.cos(MAX_TILT):
        return turn
    heading = float(np.arctan2(covariance[1, 0] - covariance[0, 1], covariance[0, 0] + covariance[1, 1]))
    return Quaternion(up, heading if abs(heading) > MIN_HEADING else 0)


def _extent(armature: bpy.types.Object, names: list[str]) -> float:
    """How far bones lie apart at rest: the norm of their heads' offsets from the mean, in the armature's units."""
    heads = np.array([armature.data.bones[name].head_local[:] for name in names], np.float64)
    return float(np.linalg.norm(heads - heads.mean(axis=0))) if len(heads) > 1 else 1.0
