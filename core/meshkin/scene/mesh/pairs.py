"""Point pairs in the scene: small empties on both objects, with the same label, which move with their points.

An empty is one end of a pair when it is a child of the object and its name is ``Kin LABEL``; whatever follows `` · ``,
and a number that Blender added (``.001``), do not count. So pairs can be seen in the outliner, renamed, moved,
duplicated and deleted like anything else, are saved with the file, and can be made by hand or by scripts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.names import cut
from ...data.point_pairs import End, Pairs, checked
from ...data.snapshot import Snapshot
from ..arrays import read_booleans, read_floats
from . import snapshot as snapshots

PAIR_PREFIX = "Kin "
"""What the names of the empties begin with."""
SEPARATOR = " · "
"""In an empty's name, between the label and the object's name."""
SIZE = 0.02
"""Radius of an empty, in largest dimensions of the object; chosen."""
MAX_DISTANCE = 0.1
"""How far from the surface a point may lie, in bounding-box diagonals of the object; chosen."""


@dataclass(frozen=True)
class PointPair:
    """Two empties: the source's and the target's."""

    label: str
    source: bpy.types.Object
    target: bpy.types.Object


def between(source: bpy.types.Object, target: bpy.types.Object) -> list[PointPair]:
    """The point pairs of two objects, sorted by label."""
    source_empties, target_empties = _empties(source), _empties(target)
    labels = sorted(source_empties.keys() & target_empties.keys(), key=_sort_key)
    return [PointPair(label, source_empties[label][0], target_empties[label][0]) for label in labels]


def between_all(sources: Sequence[bpy.types.Object], targets: Sequence[bpy.types.Object]) -> list[PointPair]:
    """The point pairs of the meshes of two characters, sorted by label."""
    found = [pair for source in sources for target in targets for pair in between(source, target)]
    return sorted(found, key=lambda pair: _sort_key(pair.label))


def without_partner(objects: Sequence[bpy.types.Object]) -> list[bpy.types.Object]:
    """Empties on these objects whose label no other object of the file has."""
    counts = Counter(_label(obj) for obj in bpy.data.objects)
    return [
        empty for obj in objects for label, empties in _empties(obj).items() for empty in empties if counts[label] == 1
    ]


def add(
    source: bpy.types.Object, target: bpy.types.Object, source_end: End, target_end: End, label: str = ""
) -> PointPair:
    """Mark two points as corresponding.

    Args:
        source, target: the objects. If one is a mesh with vertices, its empty is fixed to the nearest of them.
        source_end, target_end: a vertex of the object's own mesh by its number, or a point in the world.
        label: of the pair; "" for the first free number.

    Raises:
        InputError: ``pair-no-vertex``, ``pair-off-surface``, and as :func:`meshkin.scene.mesh.snapshot.take`.
    """
    [(source_end, target_end)] = checked([(source_end, target_end)])
    used = {_label(obj) for obj in bpy.data.objects}
    label = label or next(str(number) for number in range(1, 10**6) if str(number) not in used)
    source_anchor, target_anchor = _anchor(source, source_end), _anchor(target, target_end)
    return PointPair(label, _new_empty(source, label, source_anchor), _new_empty(target, label, target_anchor))


def remove(sources: Sequence[bpy.types.Object], targets: Sequence[bpy.types.Object], label: str) -> None:
    """Remove the empties of this label on these meshes. Raises InputError ``pair-unknown`` when there are none."""
    empties = [empty for obj in (*sources, *targets) for empty in _empties(obj).get(label, [])]
    if not empties:
        raise InputError("pair-unknown", f"There is no point pair “{label}”.", "Choose one of the list.")
    for empty in empties:
        bpy.data.objects.remove(empty)


def selected_vertex(obj: bpy.types.Object) -> int:
    """The only selected vertex of a mesh. Raises InputError ``not-a-mesh``, ``pair-selection``."""
    if obj.type != "MESH":
        raise InputError("not-a-mesh", f"“{obj.name}” is not a mesh.", "Pick its points by clicking.")
    if obj.data.is_editmode:
        obj.update_from_editmode()
    selected = read_booleans(obj.data.vertices, "select")
    if selected.sum() != 1:
        raise InputError(
            "pair-selection",
            f"{selected.sum()} vertices of “{obj.name}” are selected.",
            "Select one vertex of the source and one of the target, both in Edit Mode.",
        )
    return int(selected.argmax())


def vertex_pairs(
    source: bpy.types.Object,
    target: bpy.types.Object,
    shapes: tuple[Snapshot, Snapshot],
    pairs: Pairs | None = None,
) -> NDArray[np.int64]:
    """The vertices of the two snapshots at the ends of point pairs, int64 (P, 2).

    Args:
        source, target: the objects.
        shapes: their snapshots.
        pairs: point pairs; None for those in the scene.

    Raises:
        InputError: ``pair-no-vertex`` (a vertex number that the mesh does not have), ``pair-off-surface`` (a point
            far from the object), ``pair-twice`` (two empties of one label on an object), ``pairs-contradict`` (two
            pairs that give one vertex two partners), and as :func:`meshkin.data.point_pairs.checked`.
    """
    source_shape, target_shape = shapes
    if pairs is None:
        in_scene = between(source, target)
        _check_no_duplicates((source, target), [pair.label for pair in in_scene])
        names = [f"“{pair.label}”" for pair in in_scene]
        rows = [
            (_vertex_of_empty(pair.source, source_shape), _vertex_of_empty(pair.target, target_shape))
            for pair in in_scene
        ]
    else:
        ends = checked(pairs)
        names = [str(number) for number in range(1, len(ends) + 1)]
        rows = [
            (_vertex_of_end(source, source_shape, source_end), _vertex_of_end(target, target_shape, target_end))
            for source_end, target_end in ends
        ]
    vertices = np.array(rows, np.int64).reshape(-1, 2)
    _check_consistent(vertices, names, (source, target))
    return np.unique(vertices, axis=0)


# Empties ----------------------------------------------------------------------------------------------------------


def _empties(obj: bpy.types.Object) -> dict[str, list[bpy.types.Object]]:
    """The empties on an object that are ends of pairs, by label."""
    empties: dict[str, list[bpy.types.Object]] = {}
    for child in obj.children:
        label = _label(child)
        if label is not None:
            empties.setdefault(label, []).append(child)
    return empties


def _label(obj: bpy.types.Object) -> str | None:
    """The label in an empty's name, or None if the object is not an end of a pair."""
    if obj.type != "EMPTY" or obj.parent is None or not obj.name.startswith(PAIR_PREFIX):
        return None
    return re.sub(r"\.\d{3,}$", "", obj.name[len(PAIR_PREFIX) :].partition(SEPARATOR)[0]).strip()


def _sort_key(label: str) -> tuple[int, str]:
    """Sorts numbers by value, and other labels behind them by name."""
    return (int(label) if label.isdecimal() else 10**9), label


def _new_empty(obj: bpy.types.Object, label: str, anchor: int | Vector) -> bpy.types.Object:
    """A new empty that follows a vertex of the object, or the object itself from a point in the world."""
    empty = bpy.data.objects.new(cut(f"{PAIR_PREFIX}{label}{SEPARATOR}{obj.name}"), None)
    empty.empty_display_type = "SPHERE"
    empty.empty_display_size = SIZE * max(obj.dimensions) or 1.0
    empty.show_in_front = True
    empty.parent = obj
    if isinstance(anchor, int):
        empty.parent_type = "VERTEX"
        empty.parent_vertices = (anchor, 0, 0)
    linked_to = obj.users_collection
    local = [collection for collection in linked_to if not (collection.library or collection.override_library)]
    (local[0] if local else bpy.context.scene.collection).objects.link(empty)
    if not isinstance(anchor, int):
        bpy.context.view_layer.update()
        empty.location = empty.matrix_world.inverted_safe() @ anchor  # children of a curve may follow its path
        empty.empty_display_size /= max(abs(scale) for scale in obj.matrix_world.to_scale()) or 1.0
    return empty


def _anchor(obj: bpy.types.Object, end: End) -> int | Vector:
    """What the empty of an end is fixed to: a vertex of the own mesh, or a point in the world if there are none."""
    count = len(obj.data.vertices) if obj.type == "MESH" else 0
    if isinstance(end, int):
        if end >= count:
            raise _no_such_vertex(obj, end, count)
        return end
    shape = snapshots.take(obj)
    vertex = _nearest(obj, shape.vertices, end - shape.location)
    if not count:
        return Vector(end)
    own_vertices = np.flatnonzero(shape.original == vertex)
    if len(own_vertices):
        return int(own_vertices[0])
    # The nearest vertex was made by a modifier.
    points = shape.vertices[shape.original].astype(np.float64)
    return int(np.linalg.norm(points + shape.location - np.asarray(end), axis=1).argmin())


# Vertices of snapshots ---------------------------------------------------------------------------------------------


def _vertex_of_empty(empty: bpy.types.Object, shape: Snapshot) -> int:
    """The snapshot's vertex at an empty of the object."""
    obj = empty.parent
    if empty.parent_type == "VERTEX" and empty.location.length == 0:
        return _vertex_of_end(obj, shape, int(empty.parent_vertices[0]))
    return _nearest(obj, shape.vertices, np.array(empty.matrix_world.translation) - shape.location)


def _vertex_of_end(obj: bpy.types.Object, shape: Snapshot, end: End) -> int:
    """The snapshot's vertex that stands for a vertex, or for the vertex at a local point, of the own mesh."""
    if isinstance(end, int):
        if end >= len(shape.original):
            raise _no_such_vertex(obj, end, len(shape.original))
        return int(shape.original[end])
    if obj.type == "MESH":
        return int(shape.original[_nearest(obj, read_floats(obj.data.vertices, "co", 3), np.asarray(end))])
    point = obj.matrix_world @ Vector(end)
    return _nearest(obj, shape.vertices, np.array(point) - shape.location)


def _nearest(obj: bpy.types.Object, vertices: NDArray[np.floating], point: NDArray[np.float64]) -> int:
    """The number of the vertex nearest to a point; raises InputError ``pair-off-surface``."""
    distance = np.linalg.norm(vertices - point, axis=1)
    nearest = int(distance.argmin())
    if not distance[nearest] <= MAX_DISTANCE * np.linalg.norm(np.ptp(vertices, axis=0)):
        raise InputError(
            "pair-off-surface",
            f"A point of a point pair is not on “{obj.name}”: it lies {distance[nearest]:.3g} away.",
            "Check which points belong to the source and which to the target, and their coordinates.",
        )
    return nearest


# Checks -----------------------------------------------------------------------------------------------------------


def _no_such_vertex(obj: bpy.types.Object, vertex: int, count: int) -> InputError:
    has = f"it has {count}, counted from 0" if count else "it has none of its own"
    return InputError(
        "pair-no-vertex", f"“{obj.name}” has no vertex {vertex}: {has}.", "Check the point pairs, or give points."
    )


def _check_no_duplicates(objects: tuple[bpy.types.Object, ...], labels: list[str]) -> None:
    for obj in objects:
        empties = _empties(obj)
        for label in labels:
            if len(empties[label]) > 1:
                raise InputError(
                    "pair-twice",
                    f"There are two empties “{PAIR_PREFIX}{label}” on “{obj.name}”.",
                    "Rename or delete one of them.",
                )


def _check_consistent(vertices: NDArray[np.int64], names: list[str], objects: tuple[bpy.types.Object, ...]) -> None:
    """Raise InputError ``pairs-contradict`` if two rows (P, 2) have one vertex in common but not the other."""
    for side, obj in enumerate(objects):
        order = np.lexsort((vertices[:, 1 - side], vertices[:, side]))
        rows = vertices[order]
        clash = (rows[1:, side] == rows[:-1, side]) & (rows[1:, 1 - side] != rows[:-1, 1 - side])
        if clash.any():
            row = int(clash.argmax())
            raise InputError(
                "pairs-contradict",
                f"The point pairs {names[order[row]]} and {names[order[row + 1]]} share a vertex of “{obj.name}” but "
                "not on the other object.",
                "Remove one of them.",
            )
