"""Points of a surface between those that are shown: a mean over a ball on the surface, weighted by similarity.

The window soft-argmax of "Telling Left from Right" (Zhang et al., CVPR 2024, https://arxiv.org/abs/2311.17034), with a
geodesic ball in place of the window in a picture. Outside of the ball nothing counts; the published code sets the
similarity there to 0, which still counts where the best one is low.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csgraph

from ...geometry.adjacency import edge_graph
from ...geometry.arrays import Floats, Integers, Singles
from ...geometry.mesh import bounding_diagonal
from ...geometry.welding import weld
from ..surfaces import DescribedSurface
from .shown_surface import ShownSurface

BALLS_AT_ONCE = 1 << 23
"""Distances, of vertices to centers, that are held at a time. Chosen: 64 MiB."""


class SurfaceBalls:
    """Balls along a surface around some of its vertices.

    Args:
        surface: the shape.
        vertex: int64 (R,), the vertex at each of the points that the balls are made of.
        radius: in diagonals of the bounding box.
    """

    def __init__(self, surface: DescribedSurface, vertex: Integers, radius: float) -> None:
        shape = surface.snapshot
        first, place = weld(shape.vertices)
        self._graph = edge_graph(shape.vertices[first], place[shape.faces])
        self._place, self._vertices = place[vertex], place
        self._radius = radius * bounding_diagonal(shape.vertices)

    def within(self, centers: Integers) -> Integers:
        """Return the points in the ball around each of some vertices, int64 (N, 2): number of center, and of point.

        The neighbors of a center belong to its ball however long the edges are.
        """
        found = []
        step = max(1, BALLS_AT_ONCE // self._graph.shape[0])
        for start in range(0, len(centers), step):
            places = self._vertices[centers[start : start + step]]
            distances = csgraph.dijkstra(self._graph, directed=False, indices=places, limit=self._radius)
            is_near = np.isfinite(distances)
            neighbors = self._graph[places].tocoo()
            is_near[neighbors.row, neighbors.col] = True
            center, point = np.nonzero(is_near[:, self._place])
            found.append(np.column_stack((center + start, point)))
        return np.concatenate(found) if found else np.empty((0, 2), np.int64)


def soft_points(scores: Singles, best: Integers, shown: ShownSurface, balls: SurfaceBalls, sharpness: float) -> Floats:
    """Return the mean point (Q, 3) of the ball around each query's best point, weighted by exp(score / sharpness).

    Args:
        scores: float32 (Q, P), how well each of the points that are shown answers each query.
        best: int64 (Q,), the best point of each.
        shown: the points.
        balls: around vertices.
        sharpness: difference of scores at which a point counts 1/e of another.
    """
    centers, which = np.unique(shown.vertex[best], return_inverse=True)
    pairs = balls.within(centers)
    starts = np.searchsorted(pairs[:, 0], np.arange(len(centers) + 1))
    result = np.empty((len(best), 3))
    order = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[order], np.arange(len(centers) + 1))
    for number in range(len(centers)):
        queries = order[ends[number] : ends[number + 1]]
        members = pairs[starts[number] : starts[number + 1], 1]
        score = scores[np.ix_(queries, members)].astype(np.float64)
        weight = np.exp((score - score.max(axis=1, keepdims=True)) / sharpness)
        result[queries] = weight @ shown.points[members] / weight.sum(axis=1, keepdims=True)
    return result
