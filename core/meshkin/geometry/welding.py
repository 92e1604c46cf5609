"""Vertices at the same place, joined: importers split meshes along UV seams and sharp edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arrays import Integers


def weld(rows: NDArray[np.floating]) -> tuple[Integers, Integers]:
    """Join equal rows, such as vertices at exactly the same place.

    Rows are compared exactly, in their own precision; 0 and -0 are equal.

    Args:
        rows: float32 or float64 (V, D), without NaN.

    Returns:
        ``first`` int64 (W,): the first row at each place; and ``place`` int64 (V,): the number of each row's place.
        Places are numbered in the order of their first rows, so a moved or turned mesh gets the same numbers.
    """
    rows = np.ascontiguousarray(rows) + rows.dtype.type(0)  # -0 becomes 0
    if not len(rows):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if rows.dtype == np.float32:  # sorting two numbers as one is faster
        rows = np.ascontiguousarray(np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))))
    keys = rows.view(np.uint64).T
    order = np.lexsort(keys)  # stable: equal rows stay in their order
    ordered = keys[:, order]
    starts = np.concatenate(([True], (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)))
    first = order[starts]
    by_first = np.argsort(first)
    number = np.empty(len(first), np.int64)
    number[by_first] = np.arange(len(first))
    place = np.empty(len(rows), np.int64)
    place[order] = number[np.cumsum(starts) - 1]
    return first[by_first].astype(np.int64), place


def place_numbers(rows: NDArray[np.floating]) -> Integers:
    """The number of each row's place, int64 (V,): :func:`weld` in single precision, in which snapshots are stored."""
    return weld(np.asarray(rows, np.float32))[1]


def welded_corners(place: NDArray[np.integer], sizes: NDArray[np.integer]) -> Integers:
    """A vertex for each corner of polygons, int64 (C,): one for each place, but for polygons that cannot be so.

    A polygon with two corners at one place, and one whose corners lie where those of an earlier one do, keep vertices
    of their own.

    Args:
        place: (C,), the number of the place of each corner, polygon after polygon.
        sizes: (P,), how many corners each polygon has.
    """
    start = np.cumsum(sizes) - sizes
    apart = np.zeros(len(sizes), bool)
    for size in np.unique(sizes).tolist():
        rows = np.flatnonzero(sizes == size)
        places = np.sort(place[start[rows, None] + np.arange(size)], axis=1)
        is_first = np.zeros(len(rows), bool)
        is_first[np.unique(places, axis=0, return_index=True)[1]] = True
        apart[rows] = ~is_first | (places[:, 1:] == places[:, :-1]).any(axis=1)
    own = int(place.max(initial=-1)) + 1 + np.arange(len(place))
    return np.asarray(np.where(np.repeat(apart, sizes), own, place), np.int64)


def uv_corners(place: NDArray[np.integer], faces: NDArray[np.integer], uvs: NDArray[np.floating]) -> Integers:
    """A number for each triangle corner, int64 (F, 3), equal where both the place and the UV are equal.

    Args:
        place: (V,), of :func:`place_numbers`.
        faces: (F, 3).
        uvs: (F, 3, 2), compared in single precision.
    """
    flat = np.ascontiguousarray(np.asarray(uvs, np.float32).reshape(-1, 2) + np.float32(0))
    point = np.unique(flat.view(np.uint64).ravel(), return_inverse=True)[1].reshape(-1)
    both = place[faces].ravel() * (int(point.max(initial=0)) + 1) + point
    return np.unique(both, return_inverse=True)[1].reshape(-1, 3).astype(np.int64)
