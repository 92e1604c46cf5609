"""Armatures: read as plain arrays, copied with all that hangs on them, their bones moved."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.sides import mirror_indices
from .. import objects
from ..mesh.snapshot import check_writable
from . import constraints
from .weights import armature_of, copy_modifier_flags

Floats = NDArray[np.float64]

STILL = 1e-3
"""Bones that are turned (sine) or moved (share of the rig's extent) by less rest."""


@dataclass(frozen=True)
class Skeleton:
    """An armature's bones in world axes, origin at a given place; every parent before its children.

    Attributes:
        names: B of them.
        heads, tails, axes: float64 (B, 3); ``axes`` are the bones' Z axes.
        parents, mirror: int64 (B,), -1 for none.
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


def meshes_posed_with(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The other meshes of the scene that the object's armature poses and that have vertex groups."""
    armature = armature_of(obj)
    others = [one for one in bpy.context.scene.objects if one.type == "MESH" and one != obj and one.vertex_groups]
    return [one for one in others if armature and armature_of(one) == armature]


def read(armature: bpy.types.Object, origin: Sequence[float]) -> Skeleton:
    """The bones in the pose that the armature has now.

    Args:
        origin: the point of the world that becomes the origin.
    """
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    # One that is in no view layer is not evaluated; its pose is the last known then.
    posed = evaluated.pose.bones if evaluated.pose else armature.pose.bones
    world = np.array(armature.matrix_world, np.float64)
    linear, place = world[:3, :3], world[:3, 3] - np.asarray(origin, np.float64)
    names = [bone.name for bone in armature.data.bones]  # parents come first
    number = {name: index for index, name in enumerate(names)}
    matrices = np.array([posed[name].matrix for name in names], np.float64)
    heads = matrices[:, :3, 3]
    tails = np.array([posed[name].tail for name in names], np.float64)
    return Skeleton(
        names,
        heads @ linear.T + place,
        tails @ linear.T + place,
        matrices[:, :3, 2] @ linear.T,
        np.array([number[bone.parent.name] if bone.parent else -1 for bone in armature.data.bones], np.int64),
        np.array(mirror_indices(names), np.int64),
    )


def bones_moved_by_constraints(armature: bpy.types.Object) -> list[str]:
    """The bones that constraints and drivers move although every bone's own pose is cleared."""
    probe = armature.copy()
    probe.data = armature.data.copy()
    bpy.context.scene.collection.objects.link(probe)
    try:
        _point_to({armature: probe, armature.data: probe.data}, probe)
        _clear(probe)
        bpy.context.view_layer.update()
        posed = probe.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        rest = np.array([bone.matrix_local for bone in armature.data.bones], np.float64)
        now = np.array([posed[bone.name].matrix for bone in armature.data.bones], np.float64)
    finally:
        bpy.data.armatures.remove(probe.data)  # and the probe with it
    size = float(np.linalg.norm(np.ptp(rest[:, :3, 3], axis=0))) or 1.0
    off = np.abs(now[:, :3, :3] - rest[:, :3, :3]).max(axis=(1, 2)) + np.abs(now - rest)[:, :3, 3].max(axis=1) / size
    return [bone.name for bone, far in zip(armature.data.bones, off.tolist(), strict=True) if far > STILL]


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


def copy_to(
    armature: bpy.types.Object, target: bpy.types.Object, shift: Sequence[float], name: str
) -> bpy.types.Object:
    """A copy of an armature with its data, in the target's collections, moved by ``shift`` in the world.

    Constraints, drivers, custom shapes, bone collections and custom properties come along; what pointed to the
    original or its data points to the copy. The copy is in its rest pose, without the original's action.
    """
    copy = armature.copy()
    copy.data = armature.data.copy()
    for one in (copy, copy.data):
        if one.override_library:  # of overrides only what the library's author foresaw could be changed
            one.make_local(clear_liboverride=True)
    copy.name = copy.data.name = name
    for collection in target.users_collection or [bpy.context.scene.collection]:
        collection.objects.link(copy)
    copy.parent = None
    copy.matrix_world = Matrix.Translation(Vector(shift)) @ armature.matrix_world
    copy.hide_viewport = False
    _point_to({armature: copy, armature.data: copy.data}, copy)
    _clear(copy)
    return copy


def _clear(armature: bpy.types.Object) -> None:
    """Bring an armature into its rest pose, without any action."""
    for owner in (armature, armature.data):
        if owner.animation_data:
            owner.animation_data.action = None
            for track in list(owner.animation_data.nla_tracks):
                owner.animation_data.nla_tracks.remove(track)
    for bone in armature.pose.bones:
        bone.matrix_basis = Matrix()


def move_bones(
    armature: bpy.types.Object,
    names: Sequence[str],
    heads: Floats,
    tails: Floats,
    axes: Floats,
    scale: float,
    before: constraints.RestState,
) -> None:
    """Give an armature's bones new places.

    Args:
        names: B, as :func:`read`.
        heads, tails, axes: (B, 3) in the world.
        scale: how many times larger the bones' envelopes, B-bone widths and constraints' distances become.
        before: of the armature that this one is a copy of.
    """
    inverse = np.linalg.inv(np.array(armature.matrix_world, np.float64))
    local = [points @ inverse[:3, :3].T + inverse[:3, 3] for points in (heads, tails)]
    turned = axes @ inverse[:3, :3].T
    with _edited(armature) as edit_bones:
        joined = [name for name in names if edit_bones[name].use_connect]
        for name in names:
            edit_bones[name].use_connect = False
        for name, head, tail, axis in zip(names, *local, turned, strict=True):
            bone = edit_bones[name]
            if np.linalg.norm(tail - head) < 1e-6:
                tail = head + np.array([0, 0, 1e-4])  # Blender deletes a bone without a length
            bone.head, bone.tail = head.tolist(), tail.tolist()
            bone.align_roll(Vector(axis.tolist()))
            for field in ("head_radius", "tail_radius", "envelope_distance", "bbone_x", "bbone_z"):
                setattr(bone, field, getattr(bone, field) * scale)
        for name in joined:
            bone = edit_bones[name]
            if bone.parent and (bone.head - bone.parent.tail).length < 1e-5 * max(1.0, bone.parent.tail.length):
                bone.use_connect = True
    constraints.refit(armature, before, scale)
    for bone in armature.pose.bones:
        if not bone.use_custom_shape_bone_size:
            bone.custom_shape_scale_xyz *= scale
            bone.custom_shape_translation *= scale


def rename_bones(armature: bpy.types.Object, table: Iterable[tuple[str, str]]) -> None:
    """Rename bones, (old, new); where two names are exchanged too. A name that is taken gets a number."""
    bones = armature.data.bones
    found = [(bones[old], new) for old, new in table if old in bones]
    for number, (bone, _) in enumerate(found):
        bone.name = f"meshkin {number}"
    for bone, new in found:
        bone.name = new


def build(
    obj: bpy.types.Object, name: str, names: Sequence[str], heads: Floats, tails: Floats, parents: Sequence[int]
) -> bpy.types.Object:
    """A new armature in the object's collections, at its origin.

    Args:
        names: of the bones, B, every parent before its children.
        heads, tails: (B, 3) in the world.
        parents: B, -1 for none.
    """
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    armature.location = obj.matrix_world.translation
    armature.show_in_front = True
    for collection in obj.users_collection or [bpy.context.scene.collection]:
        collection.objects.link(armature)
    place = np.array(armature.location)
    with _edited(armature) as edit_bones:
        for bone, head, tail, parent in zip(names, heads - place, tails - place, parents, strict=True):
            made = edit_bones.new(bone)
            made.head, made.tail = head.tolist(), tail.tolist()
            if parent >= 0:
                made.parent = edit_bones[names[parent]]
                made.use_connect = (made.head - made.parent.tail).length < 1e-5 * max(1.0, made.length)
    return armature


def attach(target: bpy.types.Object, armature: bpy.types.Object, like: bpy.types.Object) -> list[str]:
    """Let the armature pose the target as another pose ``like``: as its parent, by an Armature modifier.

    The modifier comes after those that make the mesh whole (Mirror, Weld at its front) and before all others; one
    that is there is used. Envelopes and Preserve Volume are as on ``like``.

    Returns:
        sentences about what was done.

    Raises:
        InputError: as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(target)
    before = armature_of(target)
    objects.set_parent(target, armature)
    modifier = next((one for one in target.modifiers if one.type == "ARMATURE"), None)
    if modifier is None:
        modifier = target.modifiers.new("Armature", "ARMATURE")
        first = 0
        while target.modifiers[first].type in ("MIRROR", "WELD"):
            first += 1
        target.modifiers.move(len(target.modifiers) - 1, first)
    modifier.object, modifier.use_vertex_groups = armature, True
    copy_modifier_flags(target, like)
    said = [f"“{armature.name}” poses “{target.name}”."]
    if before and before != armature:
        said.append(f"“{before.name}”, which posed it before, is left as it is.")
    more = [one.name for one in target.modifiers if one.type == "ARMATURE" and one.object and one != modifier]
    if more:
        said.append(f"It has more Armature modifiers, which pose it too: {', '.join(more)}.")
    return said


def _point_to(exchange: dict[Any, Any], copy: bpy.types.Object) -> None:
    """Let constraints and drivers of the copy use the copy where they used the original."""
    for bone in copy.pose.bones:
        for constraint in bone.constraints:
            for field in ("target", "pole_target"):
                if getattr(constraint, field, None) in exchange:
                    setattr(constraint, field, exchange[getattr(constraint, field)])
            for one in getattr(constraint, "targets", ()):
                if one.target in exchange:
                    one.target = exchange[one.target]
    for constraint in copy.constraints:
        if getattr(constraint, "target", None) in exchange:
            constraint.target = exchange[constraint.target]
    for owner in (copy, copy.data):
        for curve in owner.animation_data.drivers if owner.animation_data else ():
            for variable in curve.driver.variables:
                for one in variable.targets:
                    if one.id in exchange:
                        one.id = exchange[one.id]


@contextlib.contextmanager
def _edited(armature: bpy.types.Object) -> Iterator[Any]:
    """The armature's edit bones; afterward everybody is in the mode, and everything selected, as before."""
    layer, scene = bpy.context.view_layer, bpy.context.scene
    active, selected = layer.objects.active, list(layer.objects.selected)
    mode = active.mode if active else "OBJECT"
    if active and mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    here = armature.name in scene.collection.objects
    if not here:
        scene.collection.objects.link(armature)  # its own collection may be hidden
    armature.hide_set(False)
    for obj in selected:
        obj.select_set(False)
    layer.objects.active = armature
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
        if not here:
            scene.collection.objects.unlink(armature)
        for obj in selected:
            obj.select_set(True)
        layer.objects.active = active
        if active and mode != "OBJECT":
            bpy.ops.object.mode_set(mode=mode)
