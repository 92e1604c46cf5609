"""Meshes made of arrays."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ..arrays import write_vectors
from ..objects import forget_states


def new_mesh(
    name: str, vertices: NDArray[np.float32], corner_vertices: NDArray[np.integer], face_sizes: NDArray[np.integer]
) -> bpy.types.Mesh:
    """A mesh of polygons, of which nothing is selected or hidden.

    Args:
        name: of the new data-block.
        vertices: (V, 3).
        corner_vertices: (C,), the vertex at each corner, polygon after polygon.
        face_sizes: (P,), how many corners each polygon has.
    """
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(vertices))
    write_vectors(mesh.vertices, "co", vertices)
    mesh.loops.add(len(corner_vertices))
    mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(corner_vertices, np.int32))
    mesh.polygons.add(len(face_sizes))
    mesh.polygons.foreach_set("loop_start", np.cumsum(face_sizes, dtype=np.int32) - np.asarray(face_sizes, np.int32))
    mesh.update(calc_edges=True)
    forget_states(mesh, "select", "hide")
    return mesh
