"""Points on triangle meshes: three vertices and their shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meshkin.geometry.closest_points import closest_points

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def nearest(points: Array, vertices: Array, triangles: Indices) -> tuple[Indices, Array, Indices]:
    """The surface point nearest to each of ``points`` (P, 3): three vertices (P, 3), their shares, the triangle."""
    closest = closest_points(points, vertices, triangles)
    return triangles[closest.face], closest.barycentric, closest.face


def blend(values: Array, corners: NDArray[np.integer], shares: Array) -> Array:
    """Per-vertex values (V, C) at surface points given by three vertices and their shares."""
    return np.einsum("pk,pkc->pc", shares, values[corners])
