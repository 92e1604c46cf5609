"""The weights of all vertex groups of a mesh as one matrix."""

from __future__ import annotations

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
