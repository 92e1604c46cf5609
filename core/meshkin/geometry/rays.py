"""Rays past a surface. Needs only NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats


def nearest_vertex_to_ray(origin: Floats, direction: Floats, vertices: NDArray[np.floating]) -> tuple[int, float]:
    """The vertex nearest to a ray, and its distance; infinite if all vertices lie behind the origin.

    Args:
        origin: (3,).
        direction: (3,), a unit vector.
        vertices: (V, 3), one at least.
    """
    offsets = np.asarray(vertices, np.float64) - origin
    along = offsets @ direction
    distance = np.linalg.norm(offsets - along[:, None] * direction, axis=1)
    distance[along <= 0] = np.inf
    nearest = int(distance.argmin())
    return nearest, float(distance[nearest])
