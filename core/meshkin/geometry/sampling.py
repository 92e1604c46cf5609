"""Points spread evenly over a set. Needs only NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arrays import Integers


def farthest_points(points: NDArray[np.floating], count: int) -> Integers:
    """Numbers of ``count`` of the points, each the farthest from those chosen before it, int64 (N,).

    The first is the point farthest from the mean. Fewer if all others coincide with chosen ones. Source: Gonzalez,
    "Clustering to minimize the maximum intercluster distance" (1985).

    Args:
        points: (V, D), one at least.
        count: one at least.
    """
    points = np.asarray(points, np.float64)
    chosen = [int(np.linalg.norm(points - points.mean(axis=0), axis=1).argmax())]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(count, len(points)) and distance.max() > 0:
        chosen.append(int(distance.argmax()))
        np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1), out=distance)
    return np.array(chosen, np.int64)
