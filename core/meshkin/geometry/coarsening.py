"""Coarser meshes of the same surface, and the way back to the original."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from .adjacency import edge_graph
from .arrays import AnyIntegers, Floats
from .mesh import clean_faces, vertex_areas
from .welding import weld

COARSE_VERTICES = 8000
"""Vertices of a coarser mesh where nothing else is asked for, about. Chosen."""


@dataclass(frozen=True)
class CoarseMesh:
    """A coarser mesh of the same surface, and the way back.

    Attributes:
        vertices: float64 (P, 3).
        faces: int64 (G, 3).
        vertex: int64 (P,), the original vertex nearest to each.
        prolong: sparse (V, P), non-negative, rows sum to 1: ``prolong @ values`` carries values to the original.
    """

    vertices: Floats
    faces: AnyIntegers
    vertex: AnyIntegers
    prolong: sparse.csr_array


def coarsen(vertices: NDArray[np.floating], faces: AnyIntegers, size: int = COARSE_VERTICES) -> CoarseMesh:
    """A mesh of at most about ``size`` vertices that keeps apart what is apart.

    Samples spread evenly by area each gather the vertices nearest to them along the surface; clusters become
    vertices, and faces whose corners lie in three clusters become faces: the dual of a geodesic Voronoi diagram
    (Valette and Chassery, "Approximated Centroidal Voronoi Diagrams", CGF 2004). A mesh that is small enough stays
    as it is but for welded vertices. Parts too small to hold a sample, and vertices without a face, take their values
    from the nearest vertex of the coarser mesh.
    """
    points = np.asarray(vertices, np.float64)
    first, place = weld(points)
    welded, triangles = points[first], clean_faces(place[faces])
    used = np.unique(triangles) if len(triangles) else np.zeros(1, np.int64)
    if len(used) <= size:
        centers, label = used, np.full(len(welded), -1)
        label[used] = np.arange(len(used))
        moved = welded[used]
    else:
        graph = edge_graph(welded, triangles)
        areas = vertex_areas(welded, triangles)
        centers = _spread(welded, graph, areas, size)
        label = _clusters(graph, centers)
        moved = _centroids(welded, label, areas, len(centers))
    coarse = label[triangles]
    coarse = clean_faces(coarse[(coarse >= 0).all(axis=1)])
    apart = np.flatnonzero(label < 0)
    label[apart] = cKDTree(moved).query(welded[apart])[1]
    weights = _interpolation(welded, label, moved, coarse) if len(used) > size else _selection(label, len(centers))
    return CoarseMesh(moved, coarse, first[centers], sparse.csr_array(weights[place]))


def _spread(points: Floats, graph: sparse.csr_array, areas: Floats, size: int) -> AnyIntegers:
    """Vertices spread evenly by area: drawn at random, then moved once to the middle of their cluster."""
    drawn = np.random.default_rng(0).choice(len(areas), size, replace=False, p=_chances(areas, size))
    label = _clusters(graph, drawn)
    middle = _centroids(points, label, areas, size)
    held = np.flatnonzero(label >= 0)
    offset = np.linalg.norm(points[held] - middle[label[held]], axis=1)
    order = held[np.lexsort((offset, label[held]))]
    _, first = np.unique(label[order], return_index=True)
    middles: AnyIntegers = order[first]
    return middles


def _chances(areas: Floats, size: int) -> Floats:
    """Chances by area; a little for every vertex that has a face, so that ``size`` of them can be drawn."""
    chances = areas + 1e-6 * areas.sum() / size
    shares: Floats = chances / chances.sum()
    return shares


def _clusters(graph: sparse.csr_array, centers: AnyIntegers) -> AnyIntegers:
    """For each vertex the number of the center nearest along the edges, -1 where none can be reached."""
    _, _, source = csgraph.dijkstra(graph, directed=False, indices=centers, min_only=True, return_predecessors=True)
    number = np.full(graph.shape[0] + 1, -1)
    number[centers] = np.arange(len(centers))
    return number[np.where(source < 0, -1, source)]


def _centroids(points: Floats, label: AnyIntegers, areas: Floats, count: int) -> Floats:
    """The centroid of each cluster, weighted by area, (count, 3)."""
    held = label >= 0
    weights = areas[held] + 1e-9 * areas.mean()  # also clusters without area have a centroid
    total = np.bincount(label[held], weights=weights, minlength=count)
    sums = [np.bincount(label[held], weights=weights * points[held, axis], minlength=count) for axis in range(3)]
    middles: Floats = np.column_stack(sums) / total[:, None]
    return middles


def _selection(label: AnyIntegers, count: int) -> sparse.csr_array:
    """The matrix (V, count) that gives each vertex the value of its cluster."""
    return sparse.csr_array((np.ones(len(label)), (np.arange(len(label)), label)), shape=(len(label), count))


def _interpolation(points: Floats, label: AnyIntegers, centers: Floats, faces: AnyIntegers) -> sparse.csr_array:
    """Weights (V, P) that fall smoothly with the distance to a vertex's own cluster and to those next to it."""
    near = edge_graph(centers, faces)
    around = sparse.csr_array(near + sparse.eye_array(len(centers)))
    width = float(near.data.mean()) / 2 if near.nnz else 1.0
    pairs = sparse.coo_array(_selection(label, len(centers)) @ around)
    rows, columns = pairs.coords
    squared = ((points[rows] - centers[columns]) ** 2).sum(axis=1) / width**2
    least = np.full(len(points), np.inf)
    np.minimum.at(least, rows, squared)
    weights = np.exp(-(squared - least[rows]) / 2)
    total = np.bincount(rows, weights=weights, minlength=len(points))
    return sparse.csr_array((weights / total[rows], (rows, columns)), shape=pairs.shape)
