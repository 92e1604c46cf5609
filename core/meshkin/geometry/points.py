"""Small facts about triangle meshes that matching and transfer share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .surface import face_areas

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def surface_area(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> float:
    """Area of the whole surface, in the vertices' unit squared."""
    return float(face_areas(vertices, faces).sum())


def unit_rows(rows: NDArray[Any]) -> NDArray[Any]:
    """Each row divided by its length; zero rows stay zero."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0))


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


def expand(counts: NDArray[np.integer]) -> tuple[Integers, Integers]:
    """Row ``i`` written ``counts[i]`` times: the row of each entry, and the entry's number within its row."""
    rows = np.repeat(np.arange(len(counts)), counts)
    return rows, np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)


def blocks(counts: NDArray[np.integer], limit: int) -> Iterator[slice]:
    """Cut rows into consecutive slices whose counts sum to at most ``limit`` (a single row may exceed it)."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        done = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, done + limit, side="right")), start + 1)
        yield slice(start, stop)
        start = stop
