"""Points spread over a surface, and how much each counts elsewhere: what neural bones and shapes are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from ..geometry.adjacency import bridges, edge_graph, symmetric_matrix
from ..geometry.arrays import AnyIntegers, Floats, Integers
from ..geometry.welding import weld

SPREAD_ROUNDS = 8
"""Times that points are moved to the middle of what is nearest to them (Lloyd's k-means). Chosen."""


def surface_graph(vertices: NDArray[np.floating], faces: AnyIntegers) -> sparse.csr_array:
    """Lengths (V, V) of edges, and of the links that join loose parts into one."""
    graph, links = edge_graph(vertices, faces), bridges(vertices, faces)
    if not len(links):
        return graph
    points = np.asarray(vertices, np.float64)
    lengths = np.maximum(np.linalg.norm(points[links[:, 0]] - points[links[:, 1]], axis=1), 1e-12)
    return sparse.csr_array(graph + symmetric_matrix(links, lengths, len(points)))


def spread(vertices: NDArray[np.floating], faces: AnyIntegers, count: int) -> tuple[Integers, Floats]:
    """Points that lie evenly over a surface, and the ways from them.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        count: how many, at most.

    Returns:
        vertices int64 (P,), each in the middle of those that are nearest to it along the surface, and the lengths
        (P, V) of the ways from them; infinite for vertices without a face.
    """
    first, place = weld(np.asarray(vertices, np.float32))  # vertices are split where normals or textures are
    points, faces = np.asarray(vertices, np.float64)[first], place[faces]
    graph = surface_graph(points, faces)
    chosen = [int(faces.ravel()[0])]
    nearest = csgraph.dijkstra(graph, directed=False, indices=chosen[0])
    for _ in range(min(count, len(points)) - 1):
        farthest = int(np.where(np.isfinite(nearest), nearest, -1).argmax())
        if nearest[farthest] <= 0:
            break
        chosen.append(farthest)
        nearest = np.minimum(nearest, csgraph.dijkstra(graph, directed=False, indices=farthest))
    centers = np.array(chosen, np.int64)
    for _ in range(SPREAD_ROUNDS):
        ways = csgraph.dijkstra(graph, directed=False, indices=centers)
        owner = np.where(np.isfinite(ways.min(axis=0)), ways.argmin(axis=0), -1)
        moved = centers.copy()
        for number in range(len(centers)):
            own = np.flatnonzero(owner == number)
            if len(own):
                moved[number] = own[np.linalg.norm(points[own] - points[own].mean(axis=0), axis=1).argmin()]
        if (moved == centers).all():
            break
        centers = moved
    return first[centers], csgraph.dijkstra(graph, directed=False, indices=centers)[:, place]


def blending(ways: Floats, reach: float, most: int) -> Floats:
    """How much each point counts for each vertex, (V, P): Gaussians of the ways, rows that sum to 1.

    Args:
        ways: (P, V), of points to vertices.
        reach: standard deviation of the Gaussians, as a share of the mean way to the nearest point.
        most: points that count for one vertex.
    """
    ways = ways.T
    order = np.argsort(ways, axis=1)[:, :most]
    near = np.take_along_axis(ways, order, axis=1)
    finite = np.isfinite(near[:, 0])
    scale = reach * max(float(near[finite, 0].mean()) if finite.any() else 1.0, 1e-12)
    near = np.where(np.isfinite(near), near, np.where(np.arange(near.shape[1]) == 0, 0, np.inf))
    values = np.exp(-(near**2 - near[:, :1] ** 2) / (2 * scale**2))
    found = np.zeros(ways.shape)
    np.put_along_axis(found, order, values / values.sum(axis=1, keepdims=True), axis=1)
    return found
