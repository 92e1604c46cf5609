"""Which triangles of a surface lie together: across edges, and in the islands of a UV layout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Integers = NDArray[np.int64]


def places(vertices: NDArray[np.floating]) -> Integers:
    """The same number for equal rows, int64 (V,): vertices in the same place, where a mesh is cut open at seams."""
    rows = np.asarray(vertices, np.float32) + np.float32(0)  # no minus zeros
    columns = np.ascontiguousarray(np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))).view(np.uint64).T
    order = np.lexsort(columns)
    ordered = columns[:, order]
    number = np.zeros(len(rows), np.int64)
    number[order[1:]] = np.cumsum((ordered[:, 1:] != ordered[:, :-1]).any(axis=0))
    return number


def opposite(corners: NDArray[np.integer]) -> Integers:
    """The triangle across the edge opposite to each corner, int64 (F, 3), -1 where there is none.

    Args:
        corners: (F, 3), a number for each corner; triangles that run along the same two numbers in opposite
            directions are neighbors.
    """
    corners = corners.astype(np.int64)
    count = int(corners.max(initial=0)) + 1
    start, end = corners[:, [1, 2, 0]].ravel(), corners[:, [2, 0, 1]].ravel()
    keys = start * count + end
    order = np.argsort(keys, kind="stable")
    wanted = end * count + start
    at = np.minimum(np.searchsorted(keys, wanted, sorter=order), max(len(keys) - 1, 0))
    if not len(keys):
        return np.zeros((0, 3), np.int64)
    match = order[at]
    return np.where(keys[match] == wanted, match // 3, -1).reshape(-1, 3)


def uv_corners(place: NDArray[np.integer], faces: NDArray[np.integer], uvs: NDArray[np.floating]) -> Integers:
    """A number for each corner, the same where both place and UV are, int64 (F, 3).

    Args:
        place: (V,), as :func:`places`.
        faces: (F, 3).
        uvs: (F, 3, 2).
    """
    flat = np.ascontiguousarray(np.asarray(uvs, np.float32).reshape(-1, 2) + np.float32(0))
    point = np.unique(flat.view(np.uint64).ravel(), return_inverse=True)[1].reshape(-1)
    both = place[faces].ravel() * (int(point.max(initial=0)) + 1) + point
    return np.unique(both, return_inverse=True)[1].reshape(-1, 3).astype(np.int64)


def components(neighbors: NDArray[np.integer]) -> NDArray[np.int32]:
    """The connected part of each triangle, int32 (F,), of neighbors (F, 3) as :func:`opposite` finds them."""
    count = len(neighbors)
    row, side = np.nonzero(neighbors >= 0)
    graph = coo_array((np.ones(len(row), bool), (row, neighbors[row, side])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int32)
