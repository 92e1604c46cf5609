"""New weights mixed with those that a mesh has, without touching what locked groups hold. Arrays only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...geometry.arrays import Floats


def mixed_weights(
    new: NDArray[np.floating],
    existing: NDArray[np.floating] | None,
    is_free: NDArray[np.bool_],
    share: NDArray[np.floating],
    limit: int,
    edges: NDArray[np.integer] | None = None,
) -> Floats:
    """The weights of the free groups after a transfer, float64 (W, number free).

    The weights of a vertex in all groups together sum to what ``new`` sums to, or to 1 if they are mixed. Where locked
    groups hold weight, the free groups share the rest. Where the new weights give everything to locked groups, the free
    groups have the mean of their neighbors.

    Args:
        new: (W, B) weights; negative and undefined values count as 0.
        existing: (W, B), the weights that the mesh has in these groups; None if neither locked groups, a mask nor a
            mixing factor below 1 make them matter.
        is_free: (B,), the groups that may be written; the others are locked.
        share: (W,) in [0, 1], how much of the new weights is taken; the rest are the existing ones, where there are
            any.
        limit: a vertex keeps this many of its largest weights, those of locked groups included.
        edges: (E, 2), if there are locked groups.
    """
    new = np.clip(np.nan_to_num(new), 0, None).astype(np.float64)
    total = new.sum(axis=1)
    locked = np.zeros_like(new[:, ~is_free])
    if existing is not None:
        locked, total = existing[:, ~is_free], (total > 0).astype(np.float64)
        existing_share = np.where(existing[:, is_free].any(axis=1), 1 - share, 0)[:, None]
        existing_free = normalized(np.where(is_free, existing, 0))
        new = (1 - existing_share) * normalized(new) + existing_share * existing_free
    room = np.clip(total - locked.sum(axis=1), 0, None)
    free = normalized(new[:, is_free])
    if edges is not None:
        fill_from_neighbors(free, total > 0, edges)
    return room[:, None] * normalized(_largest(free, limit - (locked > 0).sum(axis=1)))


def normalized(weights: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rows (W, B) divided by their sums; rows of zeros stay zero."""
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


def fill_from_neighbors(rows: NDArray[np.floating], wanted: NDArray[np.bool_], edges: NDArray[np.integer]) -> None:
    """Replace wanted rows (W, B) of zeros by the mean of their neighbors along edges, from the border inwards."""
    start, end = np.concatenate((edges, edges[:, ::-1])).T
    known = np.asarray(rows.any(axis=1))
    while len(border := np.flatnonzero(wanted[start] & ~known[start] & known[end])):
        np.add.at(rows, start[border], rows[end[border]])
        reached = np.unique(start[border])
        known[reached] = True
        rows[reached] = normalized(rows[reached])


def _largest(weights: NDArray[np.floating], limits: NDArray[np.integer]) -> NDArray[np.floating]:
    """Rows (W, B) with all but their largest values set to 0; ``limits`` (W,) values are kept, one at least."""
    order = np.argsort(-weights, axis=1, kind="stable")
    kept = np.zeros_like(weights)
    is_kept = np.arange(weights.shape[1]) < np.maximum(limits, 1)[:, None]
    np.put_along_axis(kept, order, np.where(is_kept, np.take_along_axis(weights, order, axis=1), 0), axis=1)
    return kept
