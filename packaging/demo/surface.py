"""Points on triangle meshes, each given by three vertices and their barycentric coordinates (shares)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meshkin.geometry.closest_points import closest_points

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def nearest(points: Array, vertices: Array, triangles: Indices) -> tuple[Indices, Array, Indices]:
    """Return the surface point nearest to each of ``points`` (P, 3): vertices and shares (P, 3), triangle (P,)."""
    closest = closest_points(points, vertices, triangles)
    return triangles[closest.face], closest.barycentric, closest.face


def blend(values: Array, corners: NDArray[np.integer], shares: Array) -> Array:
    """Return per-vertex values (V, C) at surface points, (P, C); ``corners`` and ``shares`` are (P, 3)."""
    return np.einsum("pk,pkc->pc", shares, values[corners])
