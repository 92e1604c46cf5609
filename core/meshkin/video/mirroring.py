"""The plane that a shape is symmetric about at rest: which points pictures confuse, and how legs swing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..geometry.arrays import Floats

MOST_ASYMMETRY = 0.015
"""Median distance of mirrored vertices from the surface's vertices, in sizes, above which a shape counts as not
symmetric. Measured: characters at rest have 0 to 0.008; turned planes 0.03 and more."""
MIRROR_SAMPLE = 2000
"""Vertices that are looked at. Chosen."""


def mirror_plane(vertices: Floats) -> tuple[Floats, float] | None:
    """The unit normal (3,) and the offset of the plane that vertices (V, 3) are symmetric about; None for none.

    Planes through the middle are tried: upright ones along the axes, and those of the principal axes.
    """
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    size = float(np.linalg.norm(high - low))
    sample = vertices[:: max(1, len(vertices) // MIRROR_SAMPLE)]
    principal = np.linalg.svd(sample - sample.mean(axis=0), full_matrices=False)[2]
    tree, least = cKDTree(vertices), MOST_ASYMMETRY * size
    best: tuple[Floats, float] | None = None
    for normal in (np.array((1.0, 0, 0)), np.array((0, 1.0, 0)), *principal):
        along = vertices @ normal
        offset = float(along.min() + along.max()) / 2
        distance = float(np.median(tree.query(_reflected(sample, normal, offset))[0]))
        if distance < least:
            least, best = distance, (normal, offset)
    return best


def mirrored(points: Floats, plane: tuple[Floats, float]) -> Floats:
    """Points (N, 3) on the other side of a plane."""
    return _reflected(points, *plane)


def nearest(vertices: Floats, points: Floats) -> NDArray[np.int64]:
    """The vertex nearest to each point (N, 3)."""
    found: NDArray[np.int64] = cKDTree(vertices).query(points)[1]
    return found


def _reflected(points: Floats, normal: Floats, offset: float) -> Floats:
    away: Floats = points @ normal - offset
    return points - 2 * away[:, None] * normal
