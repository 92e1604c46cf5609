"""The weights of all vertex groups of a mesh as one matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import bpy
import numpy as np
from numpy.typing import NDArray


def group_weights(mesh: bpy.types.Mesh, groups: int) -> NDArray[np.float32]:
    """The weights of a mesh, float32 (V, G), 0 where a vertex is not assigned; G is ``groups`` at least.

    Blender gives out assignments one by one only. (Copying the weights to attributes with geometry nodes, which can be
    read at once, takes as long.)
    """
    vertices: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for index, vertex in enumerate(mesh.vertices):
        for assignment in vertex.groups:
            vertices.append(index)
            columns.append(assignment.group)
            values.append(assignment.weight)
    weights = np.zeros((len(mesh.vertices), max([groups, *(column + 1 for column in set(columns))])), np.float32)
    weights[vertices, columns] = values
    return weights


MOST_ASKED = 300
"""Vertices that are asked for the group that rules a region; chosen."""


def strongest(obj: bpy.types.Object, vertices: NDArray[np.integer], names: Collection[str]) -> str:
    """The group with the most weight at these vertices of the object's own mesh, of those with these names.

    "" where none of them has any. Of many vertices, evenly chosen ones are asked.
    """
    number = {group.index: group.name for group in obj.vertex_groups if group.name in names}
    total: Counter[str] = Counter()
    for vertex in vertices[:: max(1, len(vertices) // MOST_ASKED)].tolist() if number else ():
        for assignment in obj.data.vertices[vertex].groups:
            if assignment.group in number:
                total[number[assignment.group]] += assignment.weight
    name, weight = max(total.items(), key=lambda item: item[1], default=("", 0.0))
    return name if weight > 0 else ""
