"""The two sides of a shape by its mirror map: symmetric and antisymmetric functions, and the side of each point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from ..geometry.adjacency import connected_components
from ..geometry.arrays import Floats, Integers, nearest_rows
from ..spectral.eigenbasis import SpectralMesh
from ..spectral.functional_map import coefficients


@dataclass(frozen=True)
class SymmetrySettings:
    """How mirror maps are found. All values are chosen.

    Attributes:
        sizes: numbers of eigenfunctions from which first guesses are made.
        borrowed_sizes: the same if the other shape's symmetric functions help.
        several_size: number of eigenfunctions by which several symmetries are recognized.
        neighborhoods: radii within which a point's twin is not looked for, in mean distances of any two points.
        neighbors: points with similar features over which a function is averaged.
        refined_size: eigenfunctions up to which a mirror map is refined.
        split_size: eigenfunctions that are split into symmetric and antisymmetric ones.
        feature_weight: of the features against the eigenfunctions in the search for the mirror map.
        embedding_size: coordinates of the embedding in which the distance of a point from its twin is measured.
        cut_functions: antisymmetric functions of which the cut between the sides is made.
        cut_weight: of the cost of this cut among a mirror map's faults.
        choices: mirror maps of a shape that are tried.
        same: mean distance, in mean distances from the center, up to which two mirror maps are the same.
        clear: a guess with fewer faults ends the search.
        most_kept: share of triangles that may keep their orientation, for a map to be a mirror map.
        most_return: mean distance of a point from its twin's twin, in mean distances of any two points, likewise.
        least_move: mean distance of a point from its twin, in the same unit, likewise.
        most_change: root mean square change of the features, likewise.
        several_share: a shape may have several symmetries if less than this share of the smoothest functions is
            symmetric; of one mirror, half are.
        several_step: by how much more must be left of the symmetric functions than of the others, likewise.
        one_twin: more than this must be left of the antisymmetric functions, likewise. If there is only one twin, -1
            is left, and noise; a third of that if of three twins two lie on the other side.
        smoothing_rounds: rounds in which neighboring points agree on their side.
        sharpness: factor that makes the sides clear again after each of these rounds.
    """

    sizes: tuple[int, ...] = (6, 8, 10, 12, 16, 20)
    borrowed_sizes: tuple[int, ...] = (12, 20, 40)
    several_size: int = 12
    neighborhoods: tuple[float, ...] = (0.25, 0.4)
    neighbors: int = 10
    refined_size: int = 60
    split_size: int = 80
    feature_weight: float = 0.3
    embedding_size: int = 60
    cut_functions: int = 30
    cut_weight: float = 20
    choices: int = 3
    same: float = 0.1
    clear: float = 0.2
    most_kept: float = 0.5
    most_return: float = 0.15
    least_move: float = 0.2
    most_change: float = 0.8
    several_share: float = 0.45
    several_step: float = 0.6
    one_twin: float = -0.6
    smoothing_rounds: int = 30
    sharpness: float = 3


@dataclass(frozen=True)
class Mirror:
    """The mirror map of one shape.

    Attributes:
        twin: int64 (R,), for each point of the rough mesh the one on the other side.
        symmetric: float64 (P, A), orthonormal functions that are the same on both sides, smoothest first.
        eigenvalues: float64 (A,), of these functions.
        side: float64 (P,), 1 on one side, -1 on the other, passing through 0 where they meet.
    """

    twin: Integers
    symmetric: Floats
    eigenvalues: Floats
    side: Floats


@dataclass(frozen=True)
class Functions:
    """Smooth functions on a mesh, smoothest first: ``values`` (P, A) and ``eigenvalues`` (A,)."""

    values: Floats
    eigenvalues: Floats


@dataclass(frozen=True)
class TwinGraph:
    """Links between points, weighted by how far the points are from their twins.

    Attributes:
        links: (E, 2), edges and bridges.
        weight: (E,), the squared distance of the nearer end from its twin: 0 where the sides meet.
        matrix: symmetric sparse (P, P), of the weights.
        degree: (P,), sum of the weights at each point.
    """

    links: NDArray[np.integer]
    weight: Floats
    matrix: sparse.csr_array
    degree: Floats


def mirror_of(mesh: SpectralMesh, rough: SpectralMesh, twin: Integers, settings: SymmetrySettings) -> Mirror:
    """Return the mirror map of a mesh.

    Args:
        mesh: the mesh.
        rough: its rough mesh.
        twin: the map (R,) of this rough mesh to itself.
        settings: sizes.
    """
    vectors, is_symmetric = symmetric_vectors(rough, twin, settings.split_size)
    fine_twin = twin_map(mesh, involution(vectors, is_symmetric), settings)
    symmetric, antisymmetric = halves(mesh, vectors, is_symmetric)
    side = _smooth_side(twin_graph(mesh, fine_twin, settings), antisymmetric.values, fine_twin, settings)
    return Mirror(twin, symmetric.values, symmetric.eigenvalues, side)


def symmetric_vectors(rough: SpectralMesh, twin: Integers, size: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the eigenvectors (K, K) of a map (R,) of a mesh to itself, and which of them are symmetric, bool (K,).

    Args:
        rough: the mesh.
        twin: the map.
        size: K, number of eigenfunctions between which the map is written as a matrix.
    """
    basis = rough.eigenfunctions[:, :size]
    matrix = coefficients(basis, rough.mass, basis[twin])
    eigenvalues, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return vectors, eigenvalues > 0


def involution(vectors: Floats, is_symmetric: NDArray[np.bool_]) -> Floats:
    """Return the matrix (K, K) that keeps the symmetric vectors and negates the others: it is its own inverse."""
    return np.asarray(vectors * np.where(is_symmetric, 1, -1) @ vectors.T)


def twin_map(mesh: SpectralMesh, matrix: Floats, settings: SymmetrySettings) -> Integers:
    """Return the map (P,) of a mesh to itself that belongs to a functional map (K, K), by features, too."""
    basis = mesh.eigenfunctions[:, : len(matrix)] / np.sqrt(len(matrix))
    features = settings.feature_weight * mesh.features
    return nearest_rows(np.hstack((basis, features)), np.hstack((basis @ matrix, features)))


def halves(mesh: SpectralMesh, vectors: Floats, is_symmetric: NDArray[np.bool_]) -> tuple[Functions, Functions]:
    """Return the symmetric and the antisymmetric functions of a mesh.

    Args:
        mesh: the mesh.
        vectors, is_symmetric: of its rough mesh, as :func:`symmetric_vectors`.
    """
    eigenvalues = mesh.eigenvalues[: len(vectors), None]
    both = []
    for basis in (vectors[:, is_symmetric], vectors[:, ~is_symmetric]):
        values, order = np.linalg.eigh(basis.T @ (eigenvalues * basis))
        both.append(Functions(np.asarray(mesh.eigenfunctions[:, : len(vectors)] @ (basis @ order)), values))
    return both[0], both[1]


def twin_graph(mesh: SpectralMesh, twin: Integers, settings: SymmetrySettings) -> TwinGraph:
    """Return the links of a mesh with their distances from the twins, by a map (P,) of the mesh to itself."""
    places = mesh.embedding[:, : settings.embedding_size]
    distance = np.linalg.norm(places - places[twin], axis=1)
    start, end = mesh.links.T
    weight = np.minimum(distance[start], distance[end]) ** 2
    half = sparse.coo_array((weight, (start, end)), shape=(len(twin), len(twin)))
    matrix = sparse.csr_array(half + half.T)
    degree = np.asarray(matrix.sum(axis=1)).ravel() + 1e-9 * weight.mean()
    return TwinGraph(mesh.links, weight, matrix, degree)


def cut_sides(graph: TwinGraph, antisymmetric: Floats, settings: SymmetrySettings) -> Floats:
    """Return the side (P,), 1 or -1, of each point: the sign of the antisymmetric function with the best cut.

    Cutting along the line where the sides meet costs nothing, because the points there are their own twins. (Normalized
    cuts: Shi and Malik, "Normalized Cuts and Image Segmentation", 2000, section 2.)

    Args:
        graph: of the mesh.
        antisymmetric: (P, A), antisymmetric functions, smoothest first.
        settings: number of functions.
    """
    basis = antisymmetric[:, : settings.cut_functions]
    weighted = graph.degree[:, None] * basis
    cut = basis.T @ (weighted - graph.matrix @ basis)
    _, vectors = linalg.eigh((cut + cut.T) / 2, basis.T @ weighted)
    return np.asarray(np.sign(basis @ vectors[:, 0]))


def _smooth_side(graph: TwinGraph, antisymmetric: Floats, twin: Integers, settings: SymmetrySettings) -> Floats:
    """Return the side (P,) of each point in [-1, 1]: neighbors agree, twins are opposite."""
    side = cut_sides(graph, antisymmetric, settings)
    for _ in range(settings.smoothing_rounds):
        side = graph.matrix @ side / graph.degree
        side = np.clip(settings.sharpness * (side - side[twin]) / 2, -1, 1)
    return np.asarray(side)


def connected_sides(mesh: SpectralMesh, side: Floats) -> Floats:
    """Return the sides (P,) with each of the two in one piece: what the other side surrounds goes over to it.

    Mirror maps take hands and feet of some shapes for each other's, with the cut between the sides through both wrists,
    which are thin. But each half of a body is connected. Measured, share of the points on the right side by the mirror
    maps of 45 people and animals: 0.93 as they are, 0.97 then; of eight of a parametric model among them 0.82, 0.96.
    """
    side, fewest = side.copy(), len(side) + 1
    start, end = mesh.links.T
    while True:
        is_left = side >= 0
        piece = connected_components(mesh.links[is_left[start] == is_left[end]], len(side))
        area = np.bincount(piece, mesh.mass)
        if len(area) in (2, fewest):
            return side
        fewest = len(area)
        of_left = is_left[np.unique(piece, return_index=True)[1]]
        main = [np.argmax(np.where(of_left == left, area, -1)) for left in (True, False)]
        side[~np.isin(piece, main)] *= -1
