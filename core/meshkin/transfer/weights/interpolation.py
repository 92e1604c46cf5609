"""Skinning weights interpolated over a map, normalized, and limited to a number of influences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ...base.errors import InputError
from ...data.surface_map import SurfaceMap

WEIGHT_BLOCK = 1 << 22
"""Most weights computed at a time, to bound the memory (32 MB in float64; chosen)."""


def interpolate_weights(
    weights: NDArray[np.floating], source_faces: NDArray[np.int32], to_source: SurfaceMap
) -> NDArray[np.float32]:
    """The source's weights at the points of a map, normalized: float32 (V, B), rows sum to 1 or are all zero.

    Source rows are normalized first, so that every weighted vertex counts the same; weights below zero, and what is
    not a number, count as none. A target vertex whose three source corners have no weight at all gets a row of zeros.

    Args:
        weights: (U, B), one row for each source vertex, one column for each vertex group.
        source_faces: int32 (F, 3), the source's triangles.
        to_source: every target vertex's point on the source.

    Raises:
        InputError: ``weights-size`` (not one row for each source vertex).
    """
    weights = np.asarray(weights)
    if weights.ndim != 2 or len(weights) <= int(source_faces.max(initial=-1)):
        raise InputError(
            "weights-size", "The weights do not have a row for each vertex of the source.", "Read them again."
        )
    normalized = normalize_weights(weights)
    count, groups = len(to_source.face), weights.shape[1]
    interpolated = np.zeros((count, groups), np.float32)
    step = max(1, WEIGHT_BLOCK // max(1, groups))
    for start in range(0, count, step):
        block = slice(start, start + step)
        corners = normalized[source_faces[to_source.face[block]]]
        rows = np.einsum("vk,vkb->vb", to_source.barycentric[block].astype(np.float64), corners)
        interpolated[block] = _normalize_rows(rows)
    return interpolated


def normalize_weights(weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows that sum to 1, or are all zero; what is below zero or not a number counts as none."""
    return _normalize_rows(np.where(np.isfinite(weights) & (weights > 0), weights, 0).astype(np.float64))


def limit_influences(weights: NDArray[np.floating], limit: int) -> NDArray[np.float32]:
    """The ``limit`` largest weights of each row, scaled to a sum of 1; the others 0. float32 (V, B)."""
    limited = np.empty(weights.shape, np.float32)
    step = max(1, WEIGHT_BLOCK // max(1, weights.shape[1]))
    for start in range(0, len(weights), step):
        block = slice(start, start + step)
        limited[block] = _normalize_rows(_keep_largest(weights[block].astype(np.float64), limit))
    return limited


def mean_weights(rows: NDArray[np.floating], part: NDArray[np.integer], count: int) -> NDArray[np.float64]:
    """The normalized mean of the rows (N, B) of each part, (P, B).

    Args:
        rows: (N, B).
        part: (N,), the part that each row belongs to.
        count: P, how many parts there are.
    """
    sums = sparse.csr_array((np.ones(len(part)), (part, np.arange(len(part)))), shape=(count, len(part))) @ rows
    return _normalize_rows(np.asarray(sums, np.float64))


def _normalize_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows that sum to 1; rows without a weight stay zero. Divided by the largest first, against underflow."""
    scaled = _divide_rows(rows, rows.max(axis=1, initial=0))
    return _divide_rows(scaled, scaled.sum(axis=1))


def _divide_rows(rows: NDArray[np.float64], divisors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(rows, divisors[:, None], out=np.zeros_like(rows), where=divisors[:, None] > 0)


def _keep_largest(rows: NDArray[np.float64], limit: int) -> NDArray[np.float64]:
    """The rows, changed in place: all but the ``limit`` largest values of each set to zero."""
    if rows.shape[1] <= limit:
        return rows
    smaller = np.argpartition(rows, -limit, axis=1)[:, :-limit]
    np.put_along_axis(rows, smaller, 0, axis=1)
    return rows
