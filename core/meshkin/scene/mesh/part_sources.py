"""Labels that are on a mesh already and tell its parts: face sets, materials, vertex groups, an attribute, bones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ..arrays import read_integers
from . import part_labels, snapshot
from .vertex_groups import group_weights

NO_LABEL = "Rest"
"""The part of faces that belong to none of the labels."""


@dataclass(frozen=True)
class Labels:
    """Labels of faces.

    Attributes:
        values: int (N,), from 0.
        names: of the labels, also of those that no face has.
    """

    values: NDArray[np.integer]
    names: list[str]


def read(obj: bpy.types.Object, method: str, attribute: str = "") -> tuple[Labels, Labels]:
    """The labels of the faces of a mesh object: of its own mesh, and as its modifiers leave it.

    Args:
        obj: a mesh object.
        method: "parts", "face_sets", "materials", "vertex_groups" or "attribute".
        attribute: the name, for "attribute".

    Raises:
        InputError: ``no-parts``, ``no-face-sets``, ``no-materials``, ``no-vertex-groups``, ``no-attributes``: the mesh
            has none.
    """
    own = _READERS[method](obj, obj.data, attribute)
    with snapshot.evaluated(obj) as (evaluated_object, mesh):
        shown = _READERS[method](evaluated_object, mesh, attribute)
    names = list(dict.fromkeys((*own.names, *shown.names)))
    return renamed(own, names), renamed(shown, names)


def joined(labels: Sequence[Labels]) -> Labels:
    """The labels of several meshes, end to end; those of one name are one."""
    names = list(dict.fromkeys(name for each in labels for name in each.names))
    return Labels(np.concatenate([renamed(each, names).values for each in labels]), names)


def renamed(labels: Labels, names: list[str]) -> Labels:
    """The same labels, numbered as in ``names``, which has all of theirs."""
    numbers = np.array([names.index(name) for name in labels.names], np.int64)
    return Labels(numbers[labels.values], names)


_Reader = Callable[[bpy.types.Object, bpy.types.Mesh, str], Labels]


def _parts(obj: bpy.types.Object, mesh: bpy.types.Mesh, attribute: str) -> Labels:
    values = _face_integers(mesh, part_labels.PART)
    if values is None or values.min(initial=0) < 0:
        raise InputError("no-parts", f"“{obj.name}” has no parts.", "Find its parts first.")
    known = obj.get(part_labels.NAMES_PROPERTY, ())
    return Labels(values, part_labels.names_of(obj, max(int(values.max(initial=0)) + 1, len(known))))


def _face_sets(obj: bpy.types.Object, mesh: bpy.types.Mesh, attribute: str) -> Labels:
    values = _face_integers(mesh, part_labels.FACE_SET)
    if values is None:
        raise InputError("no-face-sets", f"“{obj.name}” has no face sets.", "Paint some in Sculpt Mode.")
    return _numbered(values, "Face Set")


def _materials(obj: bpy.types.Object, mesh: bpy.types.Mesh, attribute: str) -> Labels:
    materials = [slot.material for slot in obj.material_slots]
    if not any(materials):
        raise InputError("no-materials", f"“{obj.name}” has no materials.", "Give its faces materials first.")
    slots = [material.name if material else f"Slot {number + 1}" for number, material in enumerate(materials)]
    names = list(dict.fromkeys(slots))
    numbers = np.array([names.index(name) for name in slots])
    return Labels(numbers[np.minimum(read_integers(mesh.polygons, "material_index"), len(slots) - 1)], names)


def _vertex_groups(obj: bpy.types.Object, mesh: bpy.types.Mesh, attribute: str) -> Labels:
    """Of each face, the group with the most weight at its corners; the bones' groups do not count beside others."""
    groups = part_labels.painted_groups(obj)
    if not groups:
        raise InputError("no-vertex-groups", f"“{obj.name}” has no vertex groups.", "Paint some first.")
    weights = group_weights(mesh, len(obj.vertex_groups))[:, [group.index for group in groups]]
    rows = _sums_of_corners(mesh, weights)
    names = [group.name for group in groups]
    return _with_rest(np.where(rows.any(axis=1), rows.argmax(axis=1), -1), names)


def _attribute(obj: bpy.types.Object, mesh: bpy.types.Mesh, attribute: str) -> Labels:
    """Whole numbers or truth values of faces, or of vertices: of each face, that of most of its corners."""
    layer = mesh.attributes.get(attribute)
    if layer is None or layer.data_type not in ("INT", "INT8", "BOOLEAN") or layer.domain not in ("FACE", "POINT"):
        raise InputError(
            "no-attributes",
            f"“{obj.name}” has no attribute “{attribute}” of whole numbers or truth values on faces or vertices.",
            "Name one that it has.",
        )
    values = np.zeros(len(layer.data), bool if layer.data_type == "BOOLEAN" else np.int32)
    layer.data.foreach_get("value", values)
    if layer.domain == "FACE":
        return _numbered(values.astype(np.int64), attribute)
    numbers, ranks = np.unique(values.astype(np.int64), return_inverse=True)
    votes = np.zeros((len(values), len(numbers)), np.float32)
    votes[np.arange(len(values)), ranks] = 1
    return _numbered(numbers[_sums_of_corners(mesh, votes).argmax(axis=1)], attribute)


_READERS: dict[str, _Reader] = {
    "parts": _parts,
    "face_sets": _face_sets,
    "materials": _materials,
    "vertex_groups": _vertex_groups,
    "attribute": _attribute,
}


def _face_integers(mesh: bpy.types.Mesh, name: str) -> NDArray[np.int32] | None:
    layer = part_labels.label_attribute(mesh, name)
    if layer is None:
        return None
    values = np.zeros(len(mesh.polygons), np.int32)
    layer.data.foreach_get("value", values)
    return values


def _numbered(values: NDArray[np.integer], word: str) -> Labels:
    """Labels whose names are a word and the number."""
    numbers, ranks = np.unique(values, return_inverse=True)
    return Labels(ranks, [f"{word} {number}" for number in numbers])


def _with_rest(values: NDArray[np.integer], names: list[str]) -> Labels:
    """Labels, -1 standing for :data:`NO_LABEL`."""
    if (values >= 0).all():
        return Labels(values, names)
    return Labels(np.where(values >= 0, values, len(names)), [*names, NO_LABEL])


def _sums_of_corners(mesh: bpy.types.Mesh, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sums of the values (V, C) of each face's corners, (N, C)."""
    first = read_integers(mesh.polygons, "loop_start")
    rows: NDArray[np.float32] = np.add.reduceat(values[read_integers(mesh.loops, "vertex_index")], first, axis=0)
    return rows
