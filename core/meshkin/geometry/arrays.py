"""Plain helpers for NumPy arrays: unit rows, nearest rows, expanded counts, blocks of bounded size, kept results."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
AnyFloats = NDArray[np.floating]
"""Floating-point numbers of any size."""
Flags = NDArray[np.bool_]
Integers = NDArray[np.int64]
ShortIntegers = NDArray[np.int32]
AnyIntegers = NDArray[np.integer]
"""Integers of any size, as faces and links come."""

SIMILARITY_BLOCK = 1 << 23
"""Most similarities of pairs of rows held at a time: 32 MiB of float32. Chosen."""
KEPT_MESHES = 4
"""Meshes of which results are kept in memory. Chosen: a pair's two, as they are and smoothed."""


def unit_rows(rows: NDArray[Any]) -> NDArray[Any]:
    """Each row (last axis) divided by its length; rows of zeros stay zero."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0))


def nearest_rows(references: NDArray[np.floating], queries: NDArray[np.floating], count: int = 1) -> Integers:
    """Return the indices of the ``count`` nearest references (R, D) of each query (Q, D).

    The search is exact and works in blocks of bounded memory.

    Returns:
        int64 (Q,) for a ``count`` of 1, else (Q, count), where the ``count`` indices are in no particular order.
    """
    references, queries = np.asarray(references, np.float32), np.asarray(queries, np.float32)
    # |q - r|^2 = |q|^2 - 2 (q . r - |r|^2 / 2), so the nearest reference has the largest score q . r - |r|^2 / 2.
    half_squares = np.einsum("rd,rd->r", references, references) / 2
    step = max(1, SIMILARITY_BLOCK // len(references))
    nearest = []
    for start in range(0, len(queries), step):
        scores = queries[start : start + step] @ references.T
        scores -= half_squares
        if count == 1:
            nearest.append(scores.argmax(axis=1))
        else:
            nearest.append(np.argpartition(scores, -count, axis=1)[:, -count:])
    return np.concatenate(nearest).astype(np.int64)


def expand(counts: NDArray[np.integer]) -> tuple[Integers, Integers]:
    """Write row ``i`` ``counts[i]`` times: return the row of each entry, and the entry's number within its row."""
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


class SameArrays:
    """Arrays as a key: equal to others of the same content, so that a function's last results can be kept by it.

    Attributes:
        arrays: as they were given.
    """

    def __init__(self, *arrays: NDArray[Any]) -> None:
        self.arrays = arrays
        digest = hashlib.blake2b(digest_size=16)
        for array in arrays:
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        self._digest = digest.digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SameArrays) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)
