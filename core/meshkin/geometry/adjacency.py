"""What lies beside what: triangles across edges, connected parts, graphs of edges, links between loose parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import Delaunay, QhullError

from .arrays import AnyIntegers, Floats, Integers
from .mesh import edges
from .welding import weld


def opposite_triangles(corners: AnyIntegers) -> Integers:
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


def triangle_components(neighbors: AnyIntegers) -> NDArray[np.int32]:
    """The number of each triangle's connected component, int32 (F,).

    Args:
        neighbors: (F, 3), of :func:`opposite_triangles`.
    """
    row, side = np.nonzero(neighbors >= 0)
    return connected_components(np.stack((row, neighbors[row, side]), axis=1), len(neighbors))


def connected_components(links: AnyIntegers, count: int) -> NDArray[np.int32]:
    """The number of the connected component of each of ``count`` nodes, int32 (count,), joined by links (E, 2)."""
    graph = sparse.coo_array((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(count, count))
    return np.asarray(csgraph.connected_components(graph, directed=False)[1], np.int32)


@dataclass(frozen=True)
class LooseParts:
    """The loose parts of a mesh.

    Attributes:
        of_vertex: int32 (V,), the part that each vertex belongs to.
        diagonals: float64 (P,), the diagonal of each part's bounding box.
    """

    of_vertex: NDArray[np.int32]
    diagonals: Floats

    def at(self, vertices: AnyIntegers) -> LooseParts:
        """Return the same parts of a mesh whose vertices are these, int (W,), of the mesh."""
        return LooseParts(self.of_vertex[vertices], self.diagonals)


def loose_parts(vertices: NDArray[np.floating], faces: AnyIntegers) -> LooseParts:
    """The parts of a mesh, vertices (V, 3) and faces (F, 3), that no edge connects.

    Vertices at the same place belong to one part; a vertex without a face is a part of its own.
    """
    first, place = weld(vertices)
    part = connected_components(edges(place[faces]), len(first))[place]
    count = int(part.max(initial=-1)) + 1
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, part, vertices)
    np.maximum.at(high, part, vertices)
    return LooseParts(part, np.linalg.norm(high - low, axis=1))


def edge_graph(vertices: NDArray[np.floating], faces: AnyIntegers) -> sparse.csr_array:
    """Lengths of the edges as a symmetric sparse (V, V) matrix."""
    pairs = edges(faces)
    points = np.asarray(vertices, np.float64)
    lengths = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    lengths = np.maximum(lengths, np.finfo(np.float64).tiny)  # a stored zero would mean "no edge"
    return symmetric_matrix(pairs, lengths, len(points))


def symmetric_matrix(links: AnyIntegers, values: Floats, size: int) -> sparse.csr_array:
    """A symmetric sparse (size, size) matrix with ``values`` (E,) at links (E, 2), both ways."""
    rows, columns = np.concatenate((links, links[:, ::-1])).T
    return sparse.csr_array((np.tile(values, 2), (rows, columns)), shape=(size, size))


def boundary_edges(faces: AnyIntegers) -> AnyIntegers:
    """Return the edges that only one face has, (E, 2)."""
    both = np.sort(np.concatenate((faces[:, :2], faces[:, 1:], faces[:, ::2])), axis=1)
    each, count = np.unique(both, axis=0, return_counts=True)
    return np.asarray(each[count == 1])


def boundary_loop_lengths(points: NDArray[np.floating], faces: AnyIntegers) -> Floats:
    """Return the lengths of a surface's boundary loops, 0 where a point is on none."""
    start, end = boundary_edges(faces).T
    lengths = np.linalg.norm(points[start] - points[end], axis=1)
    graph = sparse.coo_array((lengths, (start, end)), shape=(len(points),) * 2)
    loop = csgraph.connected_components(graph, directed=False)[1]
    return np.asarray(np.bincount(loop[start], lengths))


def bridges(vertices: NDArray[np.floating], faces: AnyIntegers) -> AnyIntegers:
    """Links that join the connected parts of a mesh into one, int (B, 2), pairs of vertices.

    These are the shortest links that suffice (the minimum spanning tree of the parts, which lies in the Delaunay
    triangulation of the points), and all other links of that triangulation between two parts that are no longer than
    the mesh's mean edge.
    """
    points = np.asarray(vertices, np.float64)
    graph = edge_graph(points, faces)
    count, labels = csgraph.connected_components(graph, directed=False)
    if count == 1:
        return np.empty((0, 2), np.int64)
    pairs = _delaunay_links(points)
    pairs = pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]]
    lengths = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    order = np.argsort(lengths, kind="stable")
    pairs, lengths = pairs[order], lengths[order]
    ends = np.sort(labels[pairs], axis=1)
    _, shortest = np.unique(ends, axis=0, return_index=True)  # links are sorted: the first of two parts is the shortest
    # The tree of ranks, not of lengths, is built: a length of zero would mean "no edge".
    between = sparse.csr_array((shortest + 1.0, (ends[shortest, 0], ends[shortest, 1])), shape=(count, count))
    tree = csgraph.minimum_spanning_tree(between).data.astype(np.int64) - 1
    near = np.flatnonzero(lengths <= (graph.data.mean() if graph.nnz else 0.0))
    links: AnyIntegers = pairs[np.union1d(tree, near)]
    return links


def _delaunay_links(points: Floats) -> AnyIntegers:
    """Edges of the Delaunay triangulation of points, int (E, 2); all pairs where there are too few points for one."""
    if len(points) > 8:
        for options in ("Qbb Qc Qz Q12", "QJ Qbb Qc Q12"):  # the second joggles points that all lie in one plane
            try:
                cells = Delaunay(points, qhull_options=options).simplices
            except QhullError:
                continue
            links = edges(np.concatenate((cells[:, :3], cells[:, 1:], cells[:, (0, 1, 3)]))).astype(np.int64)
            if connected_components(links, len(points)).max(initial=0) == 0:
                return links
        order = np.argsort(points[:, np.ptp(points, axis=0).argmax()], kind="stable")
        return np.column_stack((order[:-1], order[1:]))  # all points lie on one line
    return np.column_stack(np.triu_indices(len(points), 1))
