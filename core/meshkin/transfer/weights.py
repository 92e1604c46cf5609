"""Skin weights, carried through a map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..surface_map import SurfaceMap

BLOCK = 1 << 22
"""Most interpolated weights held at a time."""


def transfer_weights(
    weights: NDArray[np.floating], source_faces: NDArray[np.int32], to_source: SurfaceMap, limit: int = 4
) -> NDArray[np.float32]:
    """Carry vertex weights of the source to the target's vertices.

    Source rows are normalised first, so that every weighted vertex counts the same; weights below zero, and what is
    not a number, count as none. A target vertex whose three source corners have no weight at all gets a row of zeros.

    Args:
        weights: (U, B), one row for each source vertex, one column for each bone or group.
        source_faces: int32 (F, 3), the source's triangles.
        to_source: every target vertex's point on the source.
        limit: most groups that a vertex may be weighted to, 1 or more.

    Returns:
        float32 (V, B), non-negative, at most ``limit`` values above zero in a row; rows sum to 1 (within 1e-6) or are
        all zero.

    Raises:
        InputError: ``weights-size`` (not one row for each source vertex), ``weights-limit``.
    """
    weights = np.asarray(weights)
    if weights.ndim != 2 or len(weights) <= int(source_faces.max(initial=-1)):
        raise InputError(
            "weights-size", "The weights do not have a row for each vertex of the source.", "Read them again."
        )
    if limit < 1:
        raise InputError("weights-limit", f"A vertex cannot have {limit} weights.", "Choose a limit of 1 or more.")
    sound = _normalised(np.where(np.isfinite(weights) & (weights > 0), weights, 0).astype(np.float64))
    count, bones = len(to_source.face), weights.shape[1]
    carried = np.zeros((count, bones), np.float32)
    step = max(1, BLOCK // max(1, bones))
    for start in range(0, count, step):
        part = slice(start, start + step)
        corners = sound[source_faces[to_source.face[part]]]
        rows = np.einsum("vk,vkb->vb", to_source.barycentric[part].astype(np.float64), corners)
        carried[part] = _normalised(_largest(rows, limit))
    return carried


def _normalised(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows that sum to 1; rows without a weight stay zero. Scaled by the largest first, against underflow."""
    scaled = _divided(rows, rows.max(axis=1, initial=0))
    return _divided(scaled, scaled.sum(axis=1))


def _divided(rows: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(rows, by[:, None], out=np.zeros_like(rows), where=by[:, None] > 0)


def _largest(rows: NDArray[np.float64], limit: int) -> NDArray[np.float64]:
    """Rows with all but their ``limit`` largest values set to zero."""
    if rows.shape[1] <= limit:
        return rows
    least = np.argpartition(rows, -limit, axis=1)[:, :-limit]
    np.put_along_axis(rows, least, 0, axis=1)
    return rows
