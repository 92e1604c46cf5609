"""Points on triangle meshes: three vertices and their shares."""

from __future__ import annotations

import igl
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def nearest(points: Array, vertices: Array, triangles: Indices) -> tuple[Indices, Array, Indices]:
    """The surface point nearest to each of ``points`` (P, 3): three vertices (P, 3), their shares, the triangle."""
    _, face, on_surface = igl.point_mesh_squared_distance(points, vertices, triangles)
    corners = triangles[face]
    shares = igl.barycentric_coordinates(on_surface, *(np.ascontiguousarray(vertices[corners[:, k]]) for k in range(3)))
    shares = np.clip(shares, 0, 1)
    return corners, shares / shares.sum(axis=1, keepdims=True), face


def blend(values: Array, corners: Indices, shares: Array) -> Array:
    """Per-vertex values (V, C) at surface points given by three vertices and their shares."""
    return np.einsum("pk,pkc->pc", shares, values[corners])
