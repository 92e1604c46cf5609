"""Geometry of triangle meshes in whatever state users have them: many parts, no area, loose vertices, split seams.

Vertices are float (V, 3) in any unit and frame, faces int (F, 3). Nothing here fails on a zero-area, repeated or
missing face; coordinates must be finite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import robust_laplacian
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import LinearOperator, eigsh, splu
from scipy.spatial import Delaunay, QhullError, cKDTree
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]
Ints = NDArray[np.integer]

PROXY_SIZE = 8000
"""Vertices of a :func:`proxy`, about."""

_DENSE = 400
_FLOOR = 1e-4


def face_vectors(vertices: NDArray[np.floating], faces: Ints) -> Floats:
    """Twice each face's area times its unit normal, float64 (F, 3)."""
    corners = np.asarray(vertices, np.float64)[faces]
    return np.asarray(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))


def face_areas(vertices: NDArray[np.floating], faces: Ints) -> Floats:
    """Area of each face, float64 (F,)."""
    areas: Floats = np.linalg.norm(face_vectors(vertices, faces), axis=1) / 2
    return areas


def vertex_areas(vertices: NDArray[np.floating], faces: Ints) -> Floats:
    """A third of the area of each vertex's faces, float64 (V,)."""
    third = np.repeat(face_areas(vertices, faces) / 3, 3)
    areas: Floats = np.bincount(np.ravel(faces), weights=third, minlength=len(vertices)).astype(np.float64)
    return areas


def vertex_normals(vertices: NDArray[np.floating], faces: Ints) -> Floats:
    """Unit normals, float64 (V, 3): the mean of the faces' normals weighted by the angle at the vertex, which does
    not depend on how a surface is cut into triangles (Thürmer and Wüthrich 1998). Zero where there is no face.
    """
    corners = np.asarray(vertices, np.float64)[faces]
    normals = _unit(face_vectors(vertices, faces))
    total = np.zeros((len(vertices), 3))
    for corner in range(3):
        one = _unit(corners[:, (corner + 1) % 3] - corners[:, corner])
        two = _unit(corners[:, (corner + 2) % 3] - corners[:, corner])
        angle = np.arccos(np.clip(np.einsum("fk,fk->f", one, two), -1, 1))
        for axis in range(3):
            total[:, axis] += np.bincount(faces[:, corner], weights=angle * normals[:, axis], minlength=len(vertices))
    return _unit(total)


def normalize(vertices: NDArray[np.floating], faces: Ints) -> Floats:
    """The vertices moved and scaled so that the surface has its centroid at the origin and an area of 1."""
    points = np.asarray(vertices, np.float64)
    areas = face_areas(points, faces)
    total = float(areas.sum())
    if total <= 0:
        return np.asarray(points - points.mean(axis=0))
    centroid = areas @ points[faces].mean(axis=1) / total
    moved: Floats = (points - centroid) / np.sqrt(total)
    return moved


def weld(vertices: NDArray[np.floating]) -> tuple[Ints, Ints]:
    """Join vertices at exactly the same place (importers split them along UV seams and sharp edges).

    Returns:
        ``first`` (W,): a vertex at each place, and ``place`` (V,): the place of each vertex.
    """
    points = np.ascontiguousarray(vertices) + 0.0  # -0.0 is 0.0
    _, first, place = np.unique(points, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # by vertex, not by coordinate: the same for a turned mesh
    return first[order], np.argsort(order)[place.ravel()]


def clean_faces(faces: Ints) -> Ints:
    """The faces with three different vertices, each set of vertices once, in the order given."""
    ordered = np.sort(faces, axis=1)
    proper = (ordered[:, 0] != ordered[:, 1]) & (ordered[:, 1] != ordered[:, 2])
    _, first = np.unique(ordered[proper], axis=0, return_index=True)
    kept: Ints = faces[proper][np.sort(first)]
    return kept


def edges(faces: Ints) -> Ints:
    """Every edge once, int (E, 2), the smaller vertex first."""
    both = np.sort(np.concatenate((faces[:, :2], faces[:, 1:], faces[:, ::2])), axis=1)
    both = both[both[:, 0] != both[:, 1]]
    # An edge as one number sorts twenty times as fast as its two vertices.
    count = int(both.max(initial=0)) + 1
    keys = np.sort(both[:, 0].astype(np.int64) * count + both[:, 1])
    keys = keys[np.diff(keys, prepend=-1) > 0]
    return np.stack((keys // count, keys % count), axis=1).astype(faces.dtype)


def edge_graph(vertices: NDArray[np.floating], faces: Ints) -> sparse.csr_array:
    """Lengths of the edges as a symmetric sparse (V, V) matrix."""
    pairs = edges(faces)
    points = np.asarray(vertices, np.float64)
    lengths = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    lengths = np.maximum(lengths, np.finfo(np.float64).tiny)  # a stored zero would mean "no edge"
    return _symmetric(pairs, lengths, len(points))


def laplacian(vertices: NDArray[np.floating], faces: Ints) -> tuple[sparse.csc_array, Floats]:
    """The positive semidefinite Laplacian (V, V) and lumped mass (V,) of a mesh, manifold or not.

    The intrinsic Delaunay, mollified, tufted-cover Laplacian of Sharp and Crane, "A Laplacian for Nonmanifold
    Triangle Meshes" (SGP 2020). Rows of vertices without a face are empty, their mass is 0.
    """
    faces = clean_faces(faces)
    used, compact = np.unique(faces, return_inverse=True)
    size = len(vertices)
    mass = np.zeros(size)
    if len(used) == 0:
        return sparse.csc_array((size, size)), mass
    points = np.asarray(vertices, np.float64)[used]
    stiffness, lumped = robust_laplacian.mesh_laplacian(points, compact.reshape(-1, 3))
    mass[used] = lumped.diagonal()
    entries = stiffness.tocoo()
    return sparse.csc_array((entries.data, (used[entries.row], used[entries.col])), shape=(size, size)), mass


def bridges(vertices: NDArray[np.floating], faces: Ints) -> Ints:
    """Links that join the connected parts of a mesh into one, int (B, 2) pairs of vertices.

    The shortest links that suffice (the minimum spanning tree of the parts, which lies in the Delaunay
    triangulation of the points), and all others that are no longer than the mesh's mean edge.
    """
    points = np.asarray(vertices, np.float64)
    graph = edge_graph(points, faces)
    count, labels = csgraph.connected_components(graph, directed=False)
    if count == 1:
        return np.empty((0, 2), np.int64)
    pairs = _neighbors(points)
    pairs = pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]]
    lengths = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    order = np.argsort(lengths, kind="stable")
    pairs, lengths = pairs[order], lengths[order]
    ends = np.sort(labels[pairs], axis=1)
    _, shortest = np.unique(ends, axis=0, return_index=True)  # of each pair of parts: sorted, so the first
    # Rank instead of length: a zero would mean "no edge".
    between = sparse.csr_array((shortest + 1.0, (ends[shortest, 0], ends[shortest, 1])), shape=(count, count))
    tree = csgraph.minimum_spanning_tree(between).data.astype(np.int64) - 1
    near = np.flatnonzero(lengths <= (graph.data.mean() if graph.nnz else 0.0))
    links: Ints = pairs[np.union1d(tree, near)]
    return links


def connected_laplacian(vertices: NDArray[np.floating], faces: Ints) -> tuple[sparse.csc_array, Floats]:
    """:func:`laplacian` with the parts joined by :func:`bridges`, so that one function alone is constant.

    A bridge counts as much as an edge between equilateral triangles. The spectrum then is that of the whole
    object, and a small part (an eye, a button) takes part in the functions of the place where it sits, instead of
    adding one more zero eigenvalue. Masses are at least a small share of the mean mass.
    """
    stiffness, mass = laplacian(vertices, faces)
    links = bridges(vertices, faces)
    mass = np.maximum(mass, _FLOOR * (mass.mean() or 1.0))
    if len(links) == 0:
        return stiffness, mass
    weights = _symmetric(links, np.full(len(links), 1 / np.sqrt(3)), len(mass))
    degree = sparse.diags_array(np.asarray(weights.sum(axis=1)).ravel())
    return sparse.csc_array(stiffness + degree - weights), mass


def eigenpairs(stiffness: sparse.csc_array, mass: Floats, count: int) -> tuple[Floats, Floats]:
    """The smallest eigenvalues (K,) of ``stiffness x = value * mass x``, ascending, and their functions (V, K).

    The functions are orthonormal under ``mass``; of each, the entry of largest magnitude is positive. K is ``count``,
    or V if that is less. The same input gives the same output.
    """
    size = len(mass)
    count = min(count, size)
    scale = np.sqrt(mass)
    if size <= max(_DENSE, 2 * count + 1):
        dense = stiffness.toarray() / scale[:, None] / scale
        values, vectors = linalg.eigh((dense + dense.T) / 2, subset_by_index=(0, count - 1))
        vectors /= scale[:, None]
    else:
        shift = 1e-2 / mass.sum()
        with _one_thread():
            solver = _factorize(sparse.csc_array(stiffness + sparse.diags_array(shift * mass)))
            values, vectors = eigsh(
                stiffness,
                count,
                M=sparse.diags_array(mass).tocsc(),
                sigma=-shift,
                OPinv=LinearOperator((size, size), matvec=solver.solve, dtype=np.float64),
                v0=np.random.default_rng(0).standard_normal(size),
            )
        order = np.argsort(values)
        values, vectors = values[order], vectors[:, order]
    vectors *= np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(count)])
    return np.maximum(values, 0), vectors


def dirichlet_solver(stiffness: sparse.csc_array, known: NDArray[np.bool_]) -> Callable[[Floats], Floats]:
    """A function from known values (number known, C) to the harmonic values of the other vertices (number unknown, C),
    with ``stiffness x = 0`` there.

    Args:
        stiffness: (V, V).
        known: (V,); every connected part needs a known vertex.
    """
    rows = sparse.csr_array(stiffness)[~known]
    outer = rows[:, known]
    with _one_thread():
        factors = _factorize(sparse.csc_array(rows[:, ~known]))

    def solve(values: Floats) -> Floats:
        with _one_thread():
            return np.asarray(factors.solve(-(outer @ values)))

    return solve


@dataclass(frozen=True)
class Proxy:
    """A coarser mesh of the same surface, and the way back.

    Attributes:
        vertices: float64 (P, 3).
        faces: int64 (G, 3).
        vertex: int64 (P,), the original vertex nearest to each.
        prolong: sparse (V, P), non-negative, rows sum to 1: ``prolong @ values`` carries values to the original.
    """

    vertices: Floats
    faces: Ints
    vertex: Ints
    prolong: sparse.csr_array


def proxy(vertices: NDArray[np.floating], faces: Ints, size: int = PROXY_SIZE) -> Proxy:
    """A mesh of at most about ``size`` vertices that keeps apart what is apart.

    Samples spread evenly by area each gather the vertices nearest to them along the surface; clusters become
    vertices, and faces whose corners lie in three clusters become faces: the dual of a geodesic Voronoi diagram
    (Valette and Chassery, "Approximated Centroidal Voronoi Diagrams", CGF 2004). A mesh that is small enough stays
    as it is but for welded vertices. Parts too small to hold a sample, and vertices without a face, take their values
    from the nearest proxy vertex.
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
    return Proxy(moved, coarse, first[centers], sparse.csr_array(weights[place]))


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0))


def _symmetric(pairs: Ints, values: Floats, size: int) -> sparse.csr_array:
    rows, columns = np.concatenate((pairs, pairs[:, ::-1])).T
    return sparse.csr_array((np.tile(values, 2), (rows, columns)), shape=(size, size))


def _one_thread() -> threadpool_limits:
    """Sparse solvers call BLAS on blocks so small that starting its threads takes ten times as long as the work."""
    return threadpool_limits(1, user_api="blas")


def _factorize(matrix: sparse.csc_array) -> splu:
    # Column ordering: ten times faster here than the orderings meant for symmetric matrices.
    return splu(matrix, permc_spec="COLAMD", diag_pivot_thresh=0.0)


def _neighbors(points: Floats) -> Ints:
    """Edges of the Delaunay triangulation of points, int (E, 2); all pairs where they are too few to span one."""
    if len(points) > 8:
        for options in ("Qbb Qc Qz Q12", "QJ Qbb Qc Q12"):  # joggled where all lie in one plane
            try:
                cells = Delaunay(points, qhull_options=options).simplices
            except QhullError:
                continue
            pairs = [cells[:, (i, j)] for i in range(4) for j in range(i)]
            found = np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0).astype(np.int64)
            graph = _symmetric(found, np.ones(len(found)), len(points))
            if csgraph.connected_components(graph, directed=False)[0] == 1:
                return found
        order = np.argsort(points[:, np.ptp(points, axis=0).argmax()], kind="stable")
        return np.column_stack((order[:-1], order[1:]))  # all on one line
    return np.column_stack(np.triu_indices(len(points), 1))


def _spread(points: Floats, graph: sparse.csr_array, areas: Floats, size: int) -> Ints:
    """Vertices spread evenly by area: drawn at random, then moved once to the middle of their cluster."""
    drawn = np.random.default_rng(0).choice(len(areas), size, replace=False, p=_chances(areas, size))
    label = _clusters(graph, drawn)
    middle = _centroids(points, label, areas, size)
    held = np.flatnonzero(label >= 0)
    offset = np.linalg.norm(points[held] - middle[label[held]], axis=1)
    order = held[np.lexsort((offset, label[held]))]
    _, first = np.unique(label[order], return_index=True)
    middles: Ints = order[first]
    return middles


def _chances(areas: Floats, size: int) -> Floats:
    """Chances by area; a little for every vertex that has a face, so that ``size`` of them can be drawn."""
    chances = areas + 1e-6 * areas.sum() / size
    shares: Floats = chances / chances.sum()
    return shares


def _clusters(graph: sparse.csr_array, centers: Ints) -> Ints:
    """For each vertex the number of the center nearest along the edges, -1 where none can be reached."""
    _, _, source = csgraph.dijkstra(graph, directed=False, indices=centers, min_only=True, return_predecessors=True)
    number = np.full(graph.shape[0] + 1, -1)
    number[centers] = np.arange(len(centers))
    return number[np.where(source < 0, -1, source)]


def _centroids(points: Floats, label: Ints, areas: Floats, count: int) -> Floats:
    held = label >= 0
    weights = areas[held] + 1e-9 * areas.mean()
    total = np.bincount(label[held], weights=weights, minlength=count)
    sums = [np.bincount(label[held], weights=weights * points[held, axis], minlength=count) for axis in range(3)]
    middles: Floats = np.column_stack(sums) / total[:, None]
    return middles


def _selection(label: Ints, count: int) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(label)), (np.arange(len(label)), label)), shape=(len(label), count))


def _interpolation(points: Floats, label: Ints, centers: Floats, faces: Ints) -> sparse.csr_array:
    """Weights (V, P) that fall smoothly with the distance to a vertex's own cluster and those next to it."""
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
