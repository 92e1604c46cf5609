"""Bones of different roots that move the same vertices: feet that hang on controls of their own, not on the leg."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.arrays import Floats
from .clip import PosableShape

LEAST_COMMON = 1.0
"""Vertices' worth of common weight from which two bones are linked. Chosen."""


@dataclass(frozen=True)
class Links:
    """Points that two bones must bring to the same place.

    Attributes:
        pairs: int (L, 2), the bones.
        points: (L, 3), at rest: the mean of the vertices that both move.
    """

    pairs: NDArray[np.int64]
    points: Floats


def find_links(shape: PosableShape) -> Links:
    """Find pairs of bones whose roots differ and that move the same vertices."""
    roots = np.arange(len(shape.parents))
    for bone, parent in enumerate(shape.parents):
        if parent >= 0:
            roots[bone] = roots[parent]
    common = shape.weights.astype(np.float64).T @ shape.weights
    pairs = np.argwhere(np.triu(common, 1) > LEAST_COMMON)
    pairs = pairs[roots[pairs[:, 0]] != roots[pairs[:, 1]]]
    shares = (shape.weights[:, pairs[:, 0]] * shape.weights[:, pairs[:, 1]]).astype(np.float64)
    return Links(pairs, shares.T @ shape.vertices / shares.sum(axis=0)[:, None])
