"""Armatures: read as plain arrays, copied with everything that depends on them, their bones moved."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.sides import mirror_indices
from ...geometry.arrays import Floats
from ..frames import transform_points
from . import copies
from .binding import armature_of, armatures_of

BONE_REST_TOLERANCE = 1e-3
"""A bone rests if its axes deviate by less than this, and its place by less than this share of the rig's extent;
chosen."""
CONNECTED_DISTANCE = 1e-5
"""A bone whose head lies nearer to the parent's tail than this counts as connected: in units of how far that tail lies
from the armature's origin, or for new bones of the bone's length, but at least in Blender units; chosen."""
MIN_BONE_LENGTH = 1e-6
"""Blender units. Blender deletes shorter bones when edit mode ends."""
REPLACEMENT_LENGTH = 1e-4
"""Blender units: the length of a bone that would be shorter than :data:`MIN_BONE_LENGTH`; chosen."""


@dataclass(frozen=True)
class Skeleton:
    """An armature's bones, along world axes from a given origin; every parent comes before its children.

    Attributes:
        names: B of them.
        heads, tails, axes: float64 (B, 3); ``axes`` are the bones' Z axes.
        parents, mirror: int64 (B,), the numbers of the parent and of the bone of the other side, -1 for none.
    """

    names: list[str]
    heads: Floats
    tails: Floats
    axes: Floats
    parents: NDArray[np.int64]
    mirror: NDArray[np.int64]


def check(obj: bpy.types.Object) -> bpy.types.Object:
    """The armature that poses the object.

    Raises InputError ``no-armature``, ``no-bones``, and ``armature-edited`` (its bones are being edited).
    """
    armature = armature_of(obj)
    if armature is None:
        raise InputError(
            "no-armature",
            f"No armature poses “{obj.name}”.",
            "Give it an Armature modifier, or choose another source.",
        )
    if not armature.data.bones:
        raise InputError("no-bones", f"“{armature.name}” has no bones.", "Choose another source.")
    if armature.mode == "EDIT":
        raise InputError(
            "armature-edited", f"The bones of “{armature.name}” are being edited.", "Go back to Object Mode first."
        )
    return armature


def usable(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The armatures that pose the object, without those after the first that have no bones or are being edited.

    Raises InputError as :func:`check`.
    """
    first = check(obj)
    return [first, *(each for each in armatures_of(obj)[1:] if each.data.bones and each.mode != "EDIT")]


def read(armature: bpy.types.Object, origin: Sequence[float]) -> Skeleton:
    """The bones in the present pose of the armature.

    Args:
        armature: the armature object.
        origin: the point of the world that becomes the origin.
    """
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    # An armature that is in no view layer is not evaluated; then its last known pose counts.
    pose_bones = evaluated.pose.bones if evaluated.pose else armature.pose.bones
    bones = armature.data.bones  # parents come first
    names = [bone.name for bone in bones]
    number = {name: index for index, name in enumerate(names)}
    matrices = np.array([pose_bones[name].matrix for name in names], np.float64)
    tails = np.array([pose_bones[name].tail for name in names], np.float64)
    place = np.asarray(origin, np.float64)
    linear = np.array(armature.matrix_world, np.float64)[:3, :3]
    return Skeleton(
        names,
        heads=transform_points(armature.matrix_world, matrices[:, :3, 3]) - place,
        tails=transform_points(armature.matrix_world, tails) - place,
        axes=matrices[:, :3, 2] @ linear.T,
        parents=np.array([number[bone.parent.name] if bone.parent else -1 for bone in bones], np.int64),
        mirror=np.array(mirror_indices(names), np.int64),
    )


def bones_moved_by_constraints(armature: bpy.types.Object) -> list[str]:
    """The bones that constraints and drivers move although the pose of every bone is cleared."""
    probe = armature.copy()
    probe.data = armature.data.copy()
    bpy.context.scene.collection.objects.link(probe)
    try:
        copies.use({armature: probe, armature.data: probe.data}, probe)
        copies.clear_pose(probe)
        bpy.context.view_layer.update()
        pose_bones = probe.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        rest = np.array([bone.matrix_local for bone in armature.data.bones], np.float64)
        posed = np.array([pose_bones[bone.name].matrix for bone in armature.data.bones], np.float64)
    finally:
        bpy.data.armatures.remove(probe.data)  # removes the probe with it
    extent = float(np.linalg.norm(np.ptp(rest[:, :3, 3], axis=0))) or 1.0
    turned = np.abs(posed[:, :3, :3] - rest[:, :3, :3]).max(axis=(1, 2))
    moved = np.abs(posed - rest)[:, :3, 3].max(axis=1) / extent
    deviation = (turned + moved).tolist()
    return [bone.name for bone, off in zip(armature.data.bones, deviation, strict=True) if off > BONE_REST_TOLERANCE]


@contextlib.contextmanager
def at_rest(armature: bpy.types.Object) -> Iterator[None]:
    """Show the armature, and what it poses, in its rest position."""
    before = armature.data.pose_position
    armature.data.pose_position = "REST"
    bpy.context.view_layer.update()
    try:
        yield
    finally:
        armature.data.pose_position = before
        bpy.context.view_layer.update()


# Edit bones -------------------------------------------------------------------------------------------------------


def move_bones(
    armature: bpy.types.Object,
    names: Sequence[str],
    heads: Floats,
    tails: Floats,
    axes: Floats,
    scale: float,
) -> None:
    """Give the bones of a copied armature new rest positions; :func:`constraints.refit` has to follow.

    Args:
        armature: the copy.
        names: of the bones, B, as :func:`read`.
        heads, tails, axes: (B, 3) in the world; ``axes`` are the bones' Z axes.
        scale: factor for the bones' envelopes and B-bone widths.
    """
    to_local = np.linalg.inv(np.array(armature.matrix_world, np.float64))
    local_heads, local_tails = (transform_points(to_local, points) for points in (heads, tails))
    local_axes = axes @ to_local[:3, :3].T
    with _edit_bones(armature) as edit_bones:
        connected = [name for name in names if edit_bones[name].use_connect]
        for name in names:
            edit_bones[name].use_connect = False
        for name, head, tail, axis in zip(names, local_heads, local_tails, local_axes, strict=True):
            _move_bone(edit_bones[name], head, tail, axis, scale)
        for name in connected:
            bone = edit_bones[name]
            bone.use_connect = _touches_parent(bone, bone.parent.tail.length if bone.parent else 0)
    for bone in armature.pose.bones:
        if not bone.use_custom_shape_bone_size:
            bone.custom_shape_scale_xyz *= scale
            bone.custom_shape_translation *= scale


def _move_bone(bone: bpy.types.EditBone, head: Floats, tail: Floats, axis: Floats, scale: float) -> None:
    if np.linalg.norm(tail - head) < MIN_BONE_LENGTH:
        tail = head + np.array([0, 0, REPLACEMENT_LENGTH])
    bone.head, bone.tail = head.tolist(), tail.tolist()
    bone.align_roll(Vector(axis.tolist()))
    for name in ("head_radius", "tail_radius", "envelope_distance", "bbone_x", "bbone_z"):
        setattr(bone, name, getattr(bone, name) * scale)


def _touches_parent(bone: bpy.types.EditBone, size: float) -> bool:
    """Whether a bone begins where its parent ends, to :data:`CONNECTED_DISTANCE` of ``size``."""
    if not bone.parent:
        return False
    return bool((bone.head - bone.parent.tail).length < CONNECTED_DISTANCE * max(1.0, size))


def rename_bones(armature: bpy.types.Object, table: Iterable[tuple[str, str]]) -> None:
    """Rename bones, (old, new); two names can be exchanged. Blender adds a number to a name that is taken."""
    bones = armature.data.bones
    renamed = [(bones[old], new) for old, new in table if old in bones]
    for number, (bone, _) in enumerate(renamed):
        bone.name = f"meshkin {number}"  # so that no new name is still in use
    for bone, new in renamed:
        bone.name = new


def build(
    obj: bpy.types.Object, name: str, names: Sequence[str], heads: Floats, tails: Floats, parents: Sequence[int]
) -> bpy.types.Object:
    """A new armature in the object's collections, at the object's origin.

    Args:
        obj: the object.
        name: of the armature.
        names: of the bones, B, every parent before its children.
        heads, tails: (B, 3) in the world.
        parents: B numbers, -1 for none.
    """
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    armature.location = obj.matrix_world.translation
    armature.show_in_front = True
    for collection in obj.users_collection or [bpy.context.scene.collection]:
        collection.objects.link(armature)
    origin = np.array(armature.location)
    with _edit_bones(armature) as edit_bones:
        for bone_name, head, tail, parent in zip(names, heads - origin, tails - origin, parents, strict=True):
            bone = edit_bones.new(bone_name)
            bone.head, bone.tail = head.tolist(), tail.tolist()
            if parent >= 0:
                bone.parent = edit_bones[names[parent]]
                bone.use_connect = _touches_parent(bone, bone.length)
    return armature


@contextlib.contextmanager
def _edit_bones(armature: bpy.types.Object) -> Iterator[Any]:
    """The armature's edit bones; afterward mode, active object and selection are as before."""
    view_layer, scene = bpy.context.view_layer, bpy.context.scene
    active, selected = view_layer.objects.active, list(view_layer.objects.selected)
    mode = active.mode if active else "OBJECT"
    if active and mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    is_linked = armature.name in scene.collection.objects
    if not is_linked:
        scene.collection.objects.link(armature)  # the armature's own collections may be hidden
    armature.hide_set(False)
    for obj in selected:
        obj.select_set(False)
    view_layer.objects.active = armature
    armature.select_set(True)
    try:
        bpy.ops.object.mode_set(mode="EDIT")
        symmetric = armature.data.use_mirror_x
        armature.data.use_mirror_x = False
        yield armature.data.edit_bones
        armature.data.use_mirror_x = symmetric
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
        armature.select_set(False)
        if not is_linked:
            scene.collection.objects.unlink(armature)
        for obj in selected:
            obj.select_set(True)
        view_layer.objects.active = active
        if active and mode != "OBJECT":
            bpy.ops.object.mode_set(mode=mode)
