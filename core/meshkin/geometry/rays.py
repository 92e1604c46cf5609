"""Rays that meet a surface. Needs only NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats


def first_hit(origin: Floats, direction: Floats, corners: NDArray[np.floating]) -> float | None:
    """How far along a ray the first triangle lies, in lengths of ``direction``, or None if the ray meets none.

    Both sides of a triangle count. Source: Möller and Trumbore, "Fast, Minimum Storage Ray/Triangle Intersection"
    (1997), all triangles at once.

    Args:
        origin, direction: (3,).
        corners: (F, 3, 3), the triangles.
    """
    a, b, c = np.asarray(corners, np.float64).transpose(1, 0, 2)
    u_edge, v_edge = b - a, c - a
    cross = np.cross(direction, v_edge)
    determinant = np.einsum("fd,fd->f", u_edge, cross)
    is_facing = determinant != 0
    scale = np.divide(1.0, determinant, out=np.zeros_like(determinant), where=is_facing)
    offset = origin - a
    u = np.einsum("fd,fd->f", offset, cross) * scale
    offset_cross = np.cross(offset, u_edge)
    v = (offset_cross @ direction) * scale
    distance = np.einsum("fd,fd->f", v_edge, offset_cross) * scale
    hit = is_facing & (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0)
    return float(distance[hit].min()) if hit.any() else None


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
