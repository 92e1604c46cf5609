"""The nearest points on triangles, and barycentric coordinates there."""

from __future__ import annotations

from dataclasses import dataclass

import igl
import numpy as np
from numpy.typing import NDArray

from .arrays import AnyIntegers, Floats, Integers


@dataclass(frozen=True)
class ClosestPoints:
    """The point of a surface closest to each of some points.

    Attributes:
        square: float64 (N,), squared distances.
        face: int64 (N,), the triangle that each closest point lies on.
        barycentric: float64 (N, 3), its coordinates there, in [0, 1], rows sum to 1.
        point: float64 (N, 3), its position.
    """

    square: Floats
    face: Integers
    barycentric: Floats
    point: Floats


def closest_points(points: Floats, vertices: NDArray[np.floating], faces: AnyIntegers) -> ClosestPoints:
    """The point of a surface, vertices (V, 3) and faces (F, 3), closest to each of some points (N, 3)."""
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    square, face, point = igl.point_mesh_squared_distance(points, vertices, faces)[:3]
    return ClosestPoints(square, face, barycentric_coordinates(point, vertices[faces[face]]), point)


def barycentric_coordinates(points: Floats, corners: Floats) -> Floats:
    """Barycentric coordinates (N, 3) of points (N, 3) that lie on triangles (N, 3, 3), cut off to [0, 1], summing to 1.

    Triangles without area give 1/3 for each corner.
    """
    first, second, third = (np.ascontiguousarray(corners[:, corner]) for corner in range(3))
    shares = np.clip(np.nan_to_num(igl.barycentric_coordinates(points, first, second, third)), 0, 1)
    total = shares.sum(axis=1, keepdims=True)
    return np.where(total > 0, shares / np.where(total > 0, total, 1), 1 / 3)


def nearest_weights(gram: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """The point of a triangle nearest to the origin, in any dimension.

    Args:
        gram: (N, 3, 3), inner products of the three corners of each triangle, the query point being the origin.

    Returns:
        barycentric float64 (N, 3), non-negative, rows sum to 1; squared distance float64 (N,). Triangles with
        coinciding or collinear corners are treated as the segment or point that they are.
    """
    tolerance = 10 * np.finfo(gram.dtype).eps
    gram = np.asarray(gram, np.float64)
    (aa, ab, ac), (_, bb, bc), (_, _, cc) = gram.transpose(1, 2, 0)
    weights = np.zeros((len(gram), 3))
    least = np.full(len(gram), np.inf)
    for i, j, ii, ij, jj in ((0, 1, aa, ab, bb), (1, 2, bb, bc, cc), (2, 0, cc, ac, aa)):
        length = ii - 2 * ij + jj
        along = np.clip(np.divide(ii - ij, length, out=np.zeros_like(length), where=length > 0), 0, 1)
        square = (1 - along) ** 2 * ii + 2 * along * (1 - along) * ij + along**2 * jj
        better = square < least
        least = np.where(better, square, least)
        weights[better] = 0
        weights[better, i] = 1 - along[better]
        weights[better, j] = along[better]
    # Edges u = b - a, v = c - a: the normal equations of the unconstrained minimum.
    uu, uv, vv = aa - 2 * ab + bb, aa - ab - ac + bc, aa - 2 * ac + cc
    u_side, v_side = aa - ab, aa - ac
    determinant = uu * vv - uv * uv
    sound = determinant > tolerance * uu * vv
    scale = np.divide(1.0, determinant, out=np.zeros_like(determinant), where=sound)
    second, third = (vv * u_side - uv * v_side) * scale, (uu * v_side - uv * u_side) * scale
    inside = sound & (second >= 0) & (third >= 0) & (second + third <= 1)
    weights[inside] = np.stack([1 - second - third, second, third], axis=1)[inside]
    least = np.where(inside, aa - second * u_side - third * v_side, least)
    return weights, np.maximum(least, 0)


def nearest_on_triangles(points: NDArray[np.floating], corners: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """The point of each triangle nearest to the query point of the same row.

    Args:
        points: (N, D).
        corners: (N, 3, D).

    Returns:
        barycentric float64 (N, 3) and squared distance float64 (N,), as :func:`nearest_weights`.
    """
    relative = corners - points[:, None]
    return nearest_weights(relative @ relative.transpose(0, 2, 1))
