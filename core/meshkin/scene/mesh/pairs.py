"""Point pairs in the scene: small empties on both objects, called alike, which go wherever their points go.

An empty belongs to a pair when it is a child of the object and its name is ``Kin LABEL``; what follows `` · `` or a
number that Blender put behind (``.001``) does not count. So pairs are seen in the outliner, can be renamed, moved,
duplicated and deleted like anything else, are saved with the file, and can be made by hand or by scripts.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.point_pairs import End, Pairs, Point, checked
from ...data.snapshot import Snapshot
from . import snapshot as snapshots

PREFIX = "Kin "
"""What the names of the empties begin with."""
SEPARATOR = " · "
SIZE = 0.02
"""Radius of an empty, in the object's largest extent."""
REACH = 0.1
"""How far from the surface a point may lie, in the object's diagonal."""


@dataclass(frozen=True)
class PointPair:
    """Two empties: the source's and the target's."""

    label: str
    source: bpy.types.Object
    target: bpy.types.Object


def between(source: bpy.types.Object, target: bpy.types.Object) -> list[PointPair]:
    """The point pairs of two objects, by label."""
    one, two = _ends(source), _ends(target)
    labels = sorted(one.keys() & two.keys(), key=_in_order)
    return [PointPair(label, one[label][0], two[label][0]) for label in labels]


def without_partner(source: bpy.types.Object, target: bpy.types.Object) -> list[bpy.types.Object]:
    """Empties on the two objects that have no partner on any object of the file."""
    everywhere = Counter(_label(obj) for obj in bpy.data.objects)
    ends = [(label, empty) for obj in (source, target) for label, found in _ends(obj).items() for empty in found]
    return [empty for label, empty in ends if everywhere[label] == 1]


def add(source: bpy.types.Object, target: bpy.types.Object, one: End, two: End, label: str = "") -> PointPair:
    """Mark two points as the same; each is a vertex of the object's own mesh, or a point in the world.

    An object that has vertices of its own has its empty at the vertex nearest to the point.

    Raises:
        InputError: ``pair-no-vertex``, ``pair-off-surface``, and as :func:`meshkin.scene.mesh.snapshot.take`.
    """
    [(one, two)] = checked([(one, two)])
    label = label or next(str(number) for number in range(1, 10**6) if str(number) not in _labels())
    places = [(obj, _anchor(obj, end)) for obj, end in ((source, one), (target, two))]
    first, second = (_empty(obj, label, anchor) for obj, anchor in places)
    return PointPair(label, first, second)


def remove(source: bpy.types.Object, target: bpy.types.Object, label: str) -> None:
    """Remove the empties of this label on both objects. Raises InputError ``pair-unknown`` when there are none."""
    ends = [empty for obj in (source, target) for empty in _ends(obj).get(label, [])]
    if not ends:
        raise InputError("pair-unknown", f"There is no point pair “{label}”.", "Choose one of the list.")
    for empty in ends:
        bpy.data.objects.remove(empty)


def selected_vertex(obj: bpy.types.Object) -> int:
    """The one selected vertex of a mesh. Raises InputError ``not-a-mesh``, ``pair-selection``."""
    if obj.type != "MESH":
        raise InputError("not-a-mesh", f"“{obj.name}” is not a mesh.", "Pick its points by clicking.")
    if obj.data.is_editmode:
        obj.update_from_editmode()
    flags = np.empty(len(obj.data.vertices), bool)
    obj.data.vertices.foreach_get("select", flags)
    if flags.sum() != 1:
        raise InputError(
            "pair-selection",
            f"{flags.sum()} vertices of “{obj.name}” are selected.",
            "Select one vertex of the source and one of the target, both in Edit Mode.",
        )
    return int(flags.argmax())


def hit(shape: Snapshot, origin: Point, direction: Point, reach: float = 0.0) -> Point | None:
    """Where a ray in the world first meets the surface (Möller and Trumbore 1997, all triangles at once).

    Where it misses: the vertex nearest to the ray, if it passes within ``reach``; else None.
    """
    start = np.asarray(origin, np.float64) - shape.location
    ray = np.asarray(direction, np.float64) / np.linalg.norm(direction)
    places = shape.vertices.astype(np.float64)
    a, b, c = places[shape.faces].transpose(1, 0, 2)
    u_edge, v_edge = b - a, c - a
    across = np.cross(ray, v_edge)
    determinant = np.einsum("fd,fd->f", u_edge, across)
    facing = determinant != 0
    scale = np.divide(1.0, determinant, out=np.zeros_like(determinant), where=facing)
    offset = start - a
    u = np.einsum("fd,fd->f", offset, across) * scale
    around = np.cross(offset, u_edge)
    v = (around @ ray) * scale
    far = np.einsum("fd,fd->f", v_edge, around) * scale
    met = facing & (u >= 0) & (v >= 0) & (u + v <= 1) & (far > 0)
    if met.any():
        place = start + ray * far[met].min()
    else:
        along = (places - start) @ ray
        beside = np.linalg.norm(places - start - along[:, None] * ray, axis=1)
        beside[along <= 0] = np.inf
        if not beside.min() <= reach:
            return None
        place = places[beside.argmin()]
    x, y, z = (place + shape.location).tolist()
    return x, y, z


def vertex_pairs(
    source: bpy.types.Object, target: bpy.types.Object, shapes: tuple[Snapshot, Snapshot], given: Pairs | None = None
) -> NDArray[np.int64]:
    """The vertices of the two snapshots that point pairs stand for, int64 (P, 2).

    Args:
        given: point pairs; None for those in the scene.

    Raises:
        InputError: ``pair-no-vertex`` (a vertex number that the mesh does not have), ``pair-off-surface`` (a point
            far from the object), ``pair-twice`` (two empties of one label on an object), ``pairs-contradict`` (two
            pairs that give one vertex two partners), and as :func:`meshkin.data.point_pairs.checked`.
    """
    if given is None:
        pairs = between(source, target)
        _check_single(source, target, [pair.label for pair in pairs])
        names = [f"“{pair.label}”" for pair in pairs]
        rows = [(_of_empty(pair.source, shapes[0]), _of_empty(pair.target, shapes[1])) for pair in pairs]
    else:
        ends = checked(given)
        names = [str(number) for number in range(1, len(ends) + 1)]
        rows = [(_of_end(source, shapes[0], one), _of_end(target, shapes[1], two)) for one, two in ends]
    found = np.array(rows, np.int64).reshape(-1, 2)
    _check_consistent(found, names, (source, target))
    return np.unique(found, axis=0)


def _ends(obj: bpy.types.Object) -> dict[str, list[bpy.types.Object]]:
    """The empties on an object by label."""
    found: dict[str, list[bpy.types.Object]] = {}
    for child in obj.children:
        label = _label(child)
        if label is not None:
            found.setdefault(label, []).append(child)
    return found


def _label(obj: bpy.types.Object) -> str | None:
    if obj.type != "EMPTY" or obj.parent is None or not obj.name.startswith(PREFIX):
        return None
    return re.sub(r"\.\d{3,}$", "", obj.name[len(PREFIX) :].partition(SEPARATOR)[0]).strip()


def _labels() -> set[str | None]:
    return {_label(obj) for obj in bpy.data.objects}


def _in_order(label: str) -> tuple[int, str]:
    return (int(label) if label.isdecimal() else 10**9), label


def _empty(obj: bpy.types.Object, label: str, anchor: int | Vector) -> bpy.types.Object:
    """An empty that follows a vertex of the object, or the object itself from a point in the world on."""
    name = f"{PREFIX}{label}{SEPARATOR}{obj.name}".encode()[:63].decode(errors="ignore")
    empty = bpy.data.objects.new(name, None)
    empty.empty_display_type = "SPHERE"
    empty.empty_display_size = SIZE * max(obj.dimensions) or 1.0
    empty.show_in_front = True
    empty.parent = obj
    if isinstance(anchor, int):
        empty.parent_type = "VERTEX"
        empty.parent_vertices = (anchor, 0, 0)
    there = [one for one in obj.users_collection if one.library is None and one.override_library is None]
    (there[0] if there else bpy.context.scene.collection).objects.link(empty)
    if not isinstance(anchor, int):
        bpy.context.view_layer.update()
        empty.location = empty.matrix_world.inverted_safe() @ anchor  # children of a curve may follow its path
        empty.empty_display_size /= max(abs(one) for one in obj.matrix_world.to_scale()) or 1.0
    return empty


def _anchor(obj: bpy.types.Object, end: End) -> int | Vector:
    """Where an empty is fixed: the vertex that ``end`` is or lies at, or a point in the world."""
    own = len(obj.data.vertices) if obj.type == "MESH" else 0
    if isinstance(end, int):
        if end >= own:
            raise _no_vertex(obj, end, own)
        return end
    shape = snapshots.take(obj)
    vertex = _nearest(obj, shape.vertices, end - shape.location)
    if not own:
        return Vector(end)
    near = np.flatnonzero(shape.original == vertex)
    if len(near):
        return int(near[0])
    places = shape.vertices[shape.original].astype(np.float64)
    return int(np.linalg.norm(places + shape.location - np.asarray(end), axis=1).argmin())


def _of_empty(empty: bpy.types.Object, shape: Snapshot) -> int:
    obj = empty.parent
    if empty.parent_type == "VERTEX" and empty.location.length == 0:
        return _of_end(obj, shape, int(empty.parent_vertices[0]))
    return _nearest(obj, shape.vertices, np.array(empty.matrix_world.translation) - shape.location)


def _of_end(obj: bpy.types.Object, shape: Snapshot, end: End) -> int:
    """The snapshot's vertex that a vertex or a point of the object's own mesh became."""
    if isinstance(end, int):
        if end >= len(shape.original):
            raise _no_vertex(obj, end, len(shape.original))
        return int(shape.original[end])
    if obj.type == "MESH":
        own = np.empty(len(obj.data.vertices) * 3, np.float32)
        obj.data.vertices.foreach_get("co", own)
        return int(shape.original[_nearest(obj, own.reshape(-1, 3), np.asarray(end))])
    place = obj.matrix_world @ Vector(end)
    return _nearest(obj, shape.vertices, np.array(place) - shape.location)


def _nearest(obj: bpy.types.Object, places: NDArray[np.floating], point: NDArray[np.float64]) -> int:
    distance = np.linalg.norm(places - point, axis=1)
    index = int(distance.argmin())
    if not distance[index] <= REACH * np.linalg.norm(np.ptp(places, axis=0)):
        raise InputError(
            "pair-off-surface",
            f"A point of a point pair is not on “{obj.name}”: it lies {distance[index]:.3g} away.",
            "Check which points belong to the source and which to the target, and their coordinates.",
        )
    return index


def _no_vertex(obj: bpy.types.Object, vertex: int, count: int) -> InputError:
    has = f"it has {count}, counted from 0" if count else "it has none of its own"
    return InputError(
        "pair-no-vertex", f"“{obj.name}” has no vertex {vertex}: {has}.", "Check the point pairs, or give points."
    )


def _check_single(source: bpy.types.Object, target: bpy.types.Object, labels: list[str]) -> None:
    for obj in (source, target):
        ends = _ends(obj)
        for label in labels:
            if len(ends[label]) > 1:
                raise InputError(
                    "pair-twice",
                    f"There are two empties “{PREFIX}{label}” on “{obj.name}”.",
                    "Rename or delete one of them.",
                )


def _check_consistent(found: NDArray[np.int64], names: list[str], objects: tuple[bpy.types.Object, ...]) -> None:
    for side, obj in enumerate(objects):
        order = np.lexsort((found[:, 1 - side], found[:, side]))
        rows = found[order]
        clash = (rows[1:, side] == rows[:-1, side]) & (rows[1:, 1 - side] != rows[:-1, 1 - side])
        if clash.any():
            first, second = (names[order[int(clash.argmax()) + step]] for step in (0, 1))
            raise InputError(
                "pairs-contradict",
                f"The point pairs {first} and {second} share a vertex of “{obj.name}” but not on the other object.",
                "Remove one of them.",
            )
