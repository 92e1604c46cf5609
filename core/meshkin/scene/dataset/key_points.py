"""Key points of objects: empties that are their children, and vertex groups whose names begin with ``key:``."""

from __future__ import annotations

import re

import bpy
import numpy as np
from numpy.typing import NDArray

from ...geometry.arrays import Floats
from ..mesh.vertex_groups import group_weights

GROUP_PREFIX = "key:"
"""Begins the names of vertex groups that are key points: each the mean of its vertices, by their weights."""
NAME_PROPERTY = "meshkin_key_point"
"""Custom property of an empty: the name of the key point, where the empty's own name is another object's already."""
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


def names_of(obj: bpy.types.Object) -> list[str]:
    """The names of an object's key points, in alphabetical order."""
    empties = [name_of(child) for child in obj.children if child.type == "EMPTY" and child.instance_type == "NONE"]
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
