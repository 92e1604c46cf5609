"""Parts of an object by the bones that move them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...parts.bones import bones_in_parts
from ..arrays import read_floats, read_integers
from ..mesh.vertex_groups import group_weights
from .binding import armatures_of


@dataclass(frozen=True)
class BonesOfFaces:
    """Which bone moves each face of a mesh.

    Attributes:
        strongest: int64 (N,), index of the bone with the largest weight, -1 without one.
        share: float32 (N,), by how much its weight is above that of the next.
        areas: float32 (N,).
        names: of the bones, parents before children.
        parents: int64 (B,), -1 for none.
    """

    strongest: NDArray[np.int64]
    share: NDArray[np.float32]
    areas: NDArray[np.float32]
    names: list[str]
    parents: NDArray[np.int64]


@dataclass(frozen=True)
class BoneParts:
    """Bones in parts.

    Attributes:
        number: of the part of each bone, by its name.
        names: of the parts.
    """

    number: dict[str, int]
    names: list[str]

    def labels(self, bones: BonesOfFaces) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The part of each face, int64 (N,), and the confidence, float32 (N,).

        Faces without weights are in the first part, with confidence 0; so are those of bones that are in no part.
        """
        of_bone = np.array([self.number.get(name, -1) for name in bones.names])
        labels = np.where(bones.strongest >= 0, of_bone[bones.strongest], -1)
        return np.maximum(labels, 0), np.where(labels >= 0, bones.share, 0).astype(np.float32)


def read(obj: bpy.types.Object, mesh: bpy.types.Mesh | None = None) -> BonesOfFaces:
    """The bones that move the faces of a mesh object: of its own mesh, or of what its modifiers make of it.

    Raises InputError ``no-armature``, ``no-weights``.
    """
    mesh = mesh or obj.data
    bones = list({bone.name: bone for armature in armatures_of(obj) for bone in armature.data.bones}.values())
    if not bones:
        raise InputError("no-armature", f"No armature poses “{obj.name}”.", "Find its parts by features instead.")
    names = [bone.name for bone in bones]  # Blender lists parents before children
    parents = np.array([names.index(bone.parent.name) if bone.parent else -1 for bone in bones])
    weights = group_weights(mesh, len(obj.vertex_groups))
    of_bone = np.zeros((len(mesh.vertices), len(names)), np.float32)
    for number, name in enumerate(names):
        if group := obj.vertex_groups.get(name):
            of_bone[:, number] = weights[:, group.index]
    first = read_integers(mesh.polygons, "loop_start")
    rows = np.add.reduceat(of_bone[read_integers(mesh.loops, "vertex_index")], first, axis=0)
    total = rows.sum(axis=1)
    if not total.any():
        raise InputError("no-weights", f"“{obj.name}” has no weights of bones.", "Find its parts by features instead.")
    ordered = np.sort(rows, axis=1)
    next_best = ordered[:, -2] if rows.shape[1] > 1 else 0.0
    share = (ordered[:, -1] - next_best) / np.maximum(total, np.finfo(np.float32).tiny)
    strongest = np.where(total > 0, rows.argmax(axis=1), -1)
    areas = read_floats(mesh.polygons, "area", 1).ravel()
    return BonesOfFaces(strongest, share.astype(np.float32), areas, names, parents)


def parts_of_bones(meshes: Sequence[BonesOfFaces], count: int) -> BoneParts:
    """The parts that the bones of the first mesh are grouped to, as many as asked for at most.

    Meshes of the same rig count with it: the hands of a character may be one that lies beside its body.
    """
    first = meshes[0]
    areas = np.zeros(len(first.names))
    for bones in meshes:
        if bones.names == first.names:
            known = bones.strongest >= 0
            areas += np.bincount(bones.strongest[known], bones.areas[known], len(first.names))
    part = bones_in_parts(areas, first.parents, count)
    standing = np.unique(part[areas > 0])
    numbers = {int(bone): number for number, bone in enumerate(standing)}
    of_bone = {name: numbers[bone] for name, bone in zip(first.names, part.tolist(), strict=True) if bone in numbers}
    return BoneParts(of_bone, [first.names[bone] for bone in standing])
