"""Key points of objects: empties that are their children, and vertex groups whose names begin with ``key:``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import bpy
import numpy as np
from mathutils import Matrix, Vector
from mathutils.bvhtree import BVHTree
from numpy.typing import NDArray

from ...geometry.arrays import Floats
from .. import characters
from ..arrays import read_floats
from ..frames import transform_points
from ..mesh.pieces import joined_of
from ..mesh.snapshot import evaluated
from ..mesh.vertex_groups import group_weights
from ..objects import Handle
from ..rig.binding import armature_of

GROUP_PREFIX = "key:"
"""Begins the names of vertex groups that are key points: each the mean of its vertices, by their weights."""
NAME_PROPERTY = "meshkin_key_point"
"""Custom property of an empty: the name of the key point, where the empty's own name is another object's already."""
DISPLAY_SHARE = 0.02
"""Size of a carried key point's empty, in largest sides of its object. Chosen: seen, and hides little."""
_APPENDED = re.compile(r"\.\d{3,}$")


def without_number(name: str) -> str:
    """A name without the number that Blender appends to names that are taken: ``Chair.001`` is a chair."""
    return _APPENDED.sub("", name) or name


def name_of(empty: bpy.types.Object) -> str:
    """The name of the key point that an empty is."""
    return str(empty.get(NAME_PROPERTY) or without_number(empty.name))


def empties_of(depsgraph: bpy.types.Depsgraph) -> dict[str, dict[str, Floats]]:
    """For each object, by name, the places (3,) in the world of the empties that are its children, by their names."""
    found: dict[str, dict[str, Floats]] = {}
    for obj in depsgraph.objects:
        if obj.type == "EMPTY" and obj.parent is not None and obj.instance_type == "NONE":
            place = np.array(obj.matrix_world.translation, np.float64)
            found.setdefault(obj.parent.original.name, {})[name_of(obj.original)] = place
    return found


def shown_empties_of(depsgraph: bpy.types.Depsgraph) -> dict[tuple[str, str], dict[str, Floats]]:
    """The same for objects that empties show as parts of a collection, by the names of empty and object."""
    found: dict[tuple[str, str], dict[str, Floats]] = {}
    for instance in depsgraph.object_instances:
        obj = instance.object
        if is_of_collection(instance) and obj.type == "EMPTY" and obj.parent and obj.instance_type == "NONE":
            key = instance.parent.original.name, obj.parent.original.name
            place = np.array(instance.matrix_world.translation, np.float64)
            found.setdefault(key, {})[name_of(obj.original)] = place
    return found


def is_of_collection(instance: bpy.types.DepsgraphObjectInstance) -> bool:
    """Whether it is there because an empty shows a collection."""
    return bool(instance.is_instance and instance.parent and instance.parent.instance_type == "COLLECTION")


def names_of(obj: bpy.types.Object) -> list[str]:
    """The names of an object's key points, in alphabetical order."""
    empties = [name_of(child) for child in _empties(obj)]
    groups = [group.name.removeprefix(GROUP_PREFIX) for group in obj.vertex_groups if _is_key(group)]
    return sorted({*empties, *groups})


def groups_of(obj: bpy.types.Object, mesh: bpy.types.Mesh, vertices: NDArray[np.float32]) -> dict[str, Floats]:
    """The places (3,) of the key points that are vertex groups, in the object's frame, by their names.

    Args:
        obj: the object, evaluated.
        mesh: its mesh.
        vertices: (V, 3), of the mesh.
    """
    groups = [group for group in obj.vertex_groups if _is_key(group)] if obj.type == "MESH" else []
    if not groups:
        return {}
    weights = group_weights(mesh, len(obj.vertex_groups)).astype(np.float64)
    found: dict[str, Floats] = {}
    for group in groups:
        column = weights[:, group.index]
        if column.sum() > 0:
            found[group.name.removeprefix(GROUP_PREFIX)] = column @ vertices / column.sum()
    return found


def _is_key(group: bpy.types.VertexGroup) -> bool:
    return bool(group.name.startswith(GROUP_PREFIX) and len(group.name) > len(GROUP_PREFIX))


def places(obj: bpy.types.Object) -> dict[str, Floats]:
    """The places (3,) in the world of an object's key points, by their names; of one that was joined, those of all its
    pieces. Raises InputError ``not-a-surface``."""
    bpy.context.view_layer.update()
    found: dict[str, Floats] = {}
    for piece in joined_of(obj):
        for child in _empties(piece):
            found[name_of(child)] = np.array(child.matrix_world.translation, np.float64)
        if any(_is_key(group) for group in piece.vertex_groups):
            with evaluated(piece) as (evaluated_object, mesh):
                known = groups_of(evaluated_object, mesh, read_floats(mesh.vertices, "co", 3))
                matrix = evaluated_object.matrix_world.copy()
            found |= {name: transform_points(matrix, place[None])[0] for name, place in known.items()}
    return found


def has_key_points(obj: bpy.types.Object) -> bool:
    """Whether an object, or one of the pieces that it was joined of, has key points."""
    return any(names_of(piece) for piece in joined_of(obj))


def without_points(objects: Sequence[bpy.types.Object], template: bpy.types.Object) -> list[Handle]:
    """Of objects the first mesh or armature of each character that lacks key points of a template, which is none
    itself."""
    wanted = {name for piece in joined_of(template) for name in names_of(piece)}
    done = set(characters.members(template))
    found = []
    for obj in (obj for obj in objects if obj.type in ("MESH", "ARMATURE") and obj not in done):
        own = characters.shown(characters.candidates(obj, template), obj)
        if done.issuperset(own):
            continue
        done |= {obj, *own}
        if not wanted <= {name for mesh in own for name in names_of(mesh)}:
            found.append(Handle.of(obj))
    return found


def write(obj: bpy.types.Object, found: Mapping[str, Floats]) -> str:
    """Give an object key points at places (3,) in the world, as empties that are its children; returns a sentence.

    Those of the same names that it has are moved. They follow what moves the surface: each hangs on three vertices.
    """
    known = {name_of(child): child for child in _empties(obj)}
    nearest = _three_nearest(obj, np.array(list(found.values())))
    hung = []
    for (name, place), vertices in zip(found.items(), nearest, strict=True):
        empty = known.get(name) or _new_empty(obj, name)
        empty.empty_display_size = DISPLAY_SHARE * max(obj.dimensions) or empty.empty_display_size
        empty.parent, empty.parent_type = obj, "VERTEX_3" if vertices is not None else "OBJECT"
        if vertices is not None:
            empty.parent_vertices = vertices
        empty.matrix_parent_inverse = empty.matrix_basis = Matrix.Identity(4)
        hung.append((empty, place))
    bpy.context.view_layer.update()  # each is where its parent's frame is now
    for empty, place in hung:
        empty.location = empty.matrix_world.inverted_safe() @ Vector(place.tolist())
    bpy.context.view_layer.update()
    return f"Key points: {len(found)}, as empties."


def _new_empty(obj: bpy.types.Object, name: str) -> bpy.types.Object:
    """A new empty beside an object that is the key point of this name."""
    empty = bpy.data.objects.new(name, None)
    empty[NAME_PROPERTY] = name
    empty.empty_display_type = "SPHERE"
    for collection in obj.users_collection:
        collection.objects.link(empty)
    return empty


def _three_nearest(obj: bpy.types.Object, points: Floats) -> list[tuple[int, int, int] | None]:
    """For each of the points (N, 3) in the world the vertices of the face nearest to it of the own mesh, three of them;
    None for a mesh that nothing poses: its points hang on the object."""
    if armature_of(obj) is None and not getattr(obj.data, "shape_keys", None):
        return [None] * len(points)
    with evaluated(obj) as (evaluated_object, mesh):
        matrix = evaluated_object.matrix_world.copy()
        shown = transform_points(matrix, read_floats(mesh.vertices, "co", 3))
        polygons = [tuple(polygon.vertices) for polygon in mesh.polygons]
    if len(shown) != len(obj.data.vertices):
        return [None] * len(points)
    tree = BVHTree.FromPolygons(shown.tolist(), polygons)
    chosen = [polygons[tree.find_nearest(point)[2]] for point in points.tolist()]
    return [(corners[0], corners[1], corners[2]) for corners in chosen]


def _empties(obj: bpy.types.Object) -> list[bpy.types.Object]:
    return [child for child in obj.children if child.type == "EMPTY" and child.instance_type == "NONE"]
