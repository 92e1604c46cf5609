"""Maps through the spectrum: a shape's smooth functions, and maps between shapes as small matrices between them.

A map takes functions of one shape to functions of the other; between the shapes' Laplacian eigenfunctions it is a
small matrix (Ovsjanikov et al., "Functional Maps", 2012). Refining goes back and forth between that matrix and the
map of the points, with more functions each time (Melzi et al., "ZoomOut", 2019); here the features stay in the search
throughout, and both directions inform one matrix. All of it happens on a rough sampling of each shape; the last matrix
then gives the map of the finer one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from ..geometry import surface

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Both = tuple[Floats, Floats]
"""The same of the source and of the target."""
Maps = tuple[Indices, Indices]
"""A source point for each target point, and a target point for each source point."""

FINE = 5000
"""Vertices of the coarser mesh on which the final map is found, about."""
ROUGH = 1500
"""Vertices of the mesh on which maps are refined, about."""
FUNCTIONS = 100
"""Eigenfunctions of each shape."""
SMOOTHEST = 30
"""Eigenfunctions that distances along the surface are measured by."""
TORN = 0.15
"""Of the mean square distance of any two points: neighbors that a map takes farther apart are torn."""
DIFFERENT = 0.15
"""Root mean square logarithm of eigenvalue ratios at which shapes are no more alike than 1/e."""
ASTRAY = 3.0
"""How much more the way to the opposite point costs aside than through the body."""
_BLOCK = 1 << 23


@dataclass(frozen=True)
class Shape:
    """A coarser mesh of one surface, with its smooth functions.

    Attributes:
        points: float64 (P, 3), area about 1, centroid about the origin.
        faces: int (G, 3).
        normals: float64 (P, 3), unit.
        mass: float64 (P,), sums to 1.
        energies: float64 (K,), eigenvalues of the Laplacian, ascending.
        functions: float64 (P, K), eigenfunctions, orthonormal under ``mass`` (nearly, on the rough mesh); the first is
            constant.
        features: float32 (P, C), mean 0 and total variance 1 over both shapes together (no columns before
            :func:`described`).
        place: int64 (P,), the nearest vertex of the mesh this one was made from.
        rough: the same surface with still fewer points (``place`` counts those here); None on the rough mesh itself.
    """

    points: Floats
    faces: NDArray[np.integer]
    normals: Floats
    mass: Floats
    energies: Floats
    functions: Floats
    features: NDArray[np.float32]
    place: Indices
    rough: Shape | None

    @property
    def embedding(self) -> Floats:
        """Coordinates (P, K - 1) in which straight distance is distance along the surface, roughly.

        The commute-time embedding of Qiu and Hancock (2007): eigenfunctions divided by their frequency.
        """
        return self.functions[:, 1:] / np.sqrt(self.energies[1:])

    @cached_property
    def links(self) -> NDArray[np.integer]:
        """Edges, and bridges between loose parts, (E, 2)."""
        return np.concatenate((surface.edges(self.faces), surface.bridges(self.points, self.faces)))

    @cached_property
    def opposite(self) -> Indices:
        """Of each point the one on the other side of the body, straight through it, (P,); itself where there is none.

        Quadratic in the points: for rough meshes.
        """
        way = self.points[None] - self.points[:, None]
        depth = -np.einsum("pqd,pd->pq", way, self.normals)
        astray = np.sqrt(np.maximum(np.einsum("pqd,pqd->pq", way, way) - depth**2, 0))
        facing = (depth > 1e-6) & (self.normals @ self.normals.T < -0.2)
        found = np.where(facing, depth + ASTRAY * astray, np.inf).argmin(axis=1)
        return np.where(facing.any(axis=1), found, np.arange(len(self.points)))


def shape(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> tuple[Shape, sparse.csr_array]:
    """The coarser mesh of a surface with its smooth functions, and the matrix (V, P) that carries values back to the
    surface's vertices."""
    coarse = surface.proxy(surface.normalize(vertices, faces), faces, FINE)
    points = surface.normalize(coarse.vertices, coarse.faces)
    stiffness, mass = surface.connected_laplacian(points, coarse.faces)
    mass, total = mass / mass.sum(), mass.sum()
    energies, functions = surface.eigenpairs(stiffness, mass * total, FUNCTIONS)
    energies, functions = np.maximum(energies, 1e-9), functions * np.sqrt(total)
    place = np.asarray(coarse.vertex, np.int64)
    fewer = surface.proxy(points, coarse.faces, ROUGH)
    picked = np.asarray(fewer.vertex, np.int64)
    around = cKDTree(fewer.vertices).query(points)[1]
    rough = Shape(
        fewer.vertices,
        fewer.faces,
        surface.vertex_normals(fewer.vertices, fewer.faces),
        np.maximum(np.bincount(around, weights=mass, minlength=len(picked)), 1e-12),
        energies,
        functions[picked],
        np.empty((len(picked), 0), np.float32),
        picked,
        None,
    )
    normals = surface.vertex_normals(points, coarse.faces)
    nothing = np.empty((len(points), 0), np.float32)
    return Shape(points, coarse.faces, normals, mass, energies, functions, nothing, place, rough), coarse.prolong


def described(one: Shape, features: NDArray[np.float32]) -> Shape:
    """The shape with features, one row (V, C) for each vertex of the mesh it was made from."""
    here = features[one.place]
    return replace(one, features=here, rough=described(one.rough, here) if one.rough else None)


def weighted(one: Shape, weight: float) -> Shape:
    """The shape with its features multiplied."""
    features = one.features * np.float32(weight)
    return replace(one, features=features, rough=weighted(one.rough, weight) if one.rough else None)


def nearest_rows(references: NDArray[np.floating], queries: NDArray[np.floating], count: int = 1) -> Indices:
    """The ``count`` nearest references (R, D) of each query (Q, D), int64 (Q,) or (Q, count); exact, in blocks."""
    one, two = np.asarray(references, np.float32), np.asarray(queries, np.float32)
    half = np.einsum("rd,rd->r", one, one) / 2
    step = max(1, _BLOCK // len(one))
    found = []
    for start in range(0, len(two), step):
        scores = two[start : start + step] @ one.T
        scores -= half
        if count == 1:
            found.append(scores.argmax(axis=1))
        else:
            found.append(np.argpartition(scores, -count, axis=1)[:, -count:])
    return np.concatenate(found).astype(np.int64)


def orientations(domain: Shape, surface_of: Shape, to_surface: Indices) -> Floats:
    """Of each triangle of the domain, under a vertex map (P,) into ``surface_of``: 1 where it keeps its orientation,
    -1 where it is turned over, 0 where it becomes a line or a point. float64 (G,)."""
    corners = to_surface[domain.faces]
    a, b, c = surface_of.points[corners].transpose(1, 0, 2)
    facing = np.cross(b - a, c - a)
    agreement = np.einsum("fd,fd->f", facing, surface_of.normals[corners].sum(axis=1))
    return np.sign(agreement) * (np.linalg.norm(facing, axis=1) > 1e-12)


def orientation(domain: Shape, surface_of: Shape, to_surface: Indices) -> float:
    """Share of the domain's triangles that keep their orientation under a vertex map (P,) into ``surface_of``.

    About 0.9 for a good map, 0.1 for its mirror image.
    """
    signs = orientations(domain, surface_of, to_surface)
    return float((signs > 0).sum() / max((signs != 0).sum(), 1)) if signs.any() else 0.5


def apart(surface_of: Shape, to_surface: Indices, links: NDArray[np.integer]) -> Floats:
    """How far apart a vertex map (P,) takes the ends of links (E, 2): squares, the mean of any two points being 1."""
    places = surface_of.embedding[:, :SMOOTHEST]
    one, two = to_surface[links].T
    return np.asarray(((places[one] - places[two]) ** 2).sum(axis=1) / (2 * places.var(axis=0).sum()))


def tearing(domain: Shape, surface_of: Shape, to_surface: Indices) -> float:
    """How far apart a vertex map (P,) takes neighbors: the mean square, against that of any two points.

    The Dirichlet energy of the map, its lengths along the surface (compare Ezuz, Heeren, Azencot, Rumpf and Ben-Chen,
    "Elastic Correspondence between Triangle Meshes", 2019). About 0.015 for a good map between people, 0.03 to 0.1
    where limbs are taken for each other.
    """
    return float(apart(surface_of, to_surface, surface.edges(domain.faces)).mean())


def torn(surface_of: Shape, to_surface: Indices, links: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which links (E, 2) a vertex map (P,) tears."""
    return np.asarray(apart(surface_of, to_surface, links) > TORN)


def fit(functions: Floats, mass: Floats, values: Floats) -> Floats:
    """Coefficients (K, C) of the functions (P, K) that come nearest to values (P, C) at points of some mass (P,)."""
    weighted = functions * mass[:, None]
    gram = weighted.T @ functions
    gram[np.diag_indices_from(gram)] += 1e-9  # more functions than points
    return np.asarray(np.linalg.solve(gram, weighted.T @ values))


def isometry(energies: Both) -> float:
    """How alike two shapes are if bending is free, from 1 for the same shape to 0: by their first eigenvalues.

    (Reuter, Wolter and Peinecke, "Laplace-Beltrami Spectra as Shape-DNA", 2006.) The root mean square logarithm of
    their ratios is 0.02 to 0.05 for one body in two poses, 0.03 to 0.3 for people of different build and age, 0.1 to
    0.4 for animals of different species.
    """
    one, two = (part[1:21] for part in energies)
    return float(np.exp(-np.mean(np.log(one / two) ** 2) / DIFFERENT**2))


def map_matrix(one: Shape, two: Shape, functions: Both, maps: Maps) -> Floats:
    """Coefficients of the source's functions to coefficients of the target's, (L, K), from maps both ways."""
    pulled = fit(functions[1], two.mass, functions[0][maps[0]])
    pushed = fit(functions[0], one.mass, functions[1][maps[1]])
    return (pulled + pushed.T) / 2


def matrix_maps(functions: Both, extra: Both, matrix: Floats) -> Maps:
    """Maps both ways: nearest in the functions, taken to the other shape by ``matrix``, and in ``extra`` (P, D)."""
    there, back = functions[1] @ matrix, functions[0] @ matrix.T

    def nearest(references: Floats, queries: Floats, beside: Both) -> Indices:
        scale = 1 / np.sqrt(references.shape[1])
        return nearest_rows(np.hstack((references * scale, beside[0])), np.hstack((queries * scale, beside[1])))

    return nearest(functions[0], there, extra), nearest(functions[1], back, (extra[1], extra[0]))


def matching_counts(energies: Both, fewest: int) -> tuple[int, int]:
    """How many functions of each shape go together: those up to the same energy, ``fewest`` of the one with fewer.

    What only one shape has (antlers, a tail) has functions of its own among them, so numbers do not go together
    (compare Rodolà et al., "Partial Functional Correspondence", 2017, section 3). Neither count is more than twice
    the other.
    """
    fewest = min(fewest, *(len(part) for part in energies))
    highest = max(part[fewest - 1] for part in energies)
    one, two = (int(np.searchsorted(part, highest * (1 + 1e-9), "right")) for part in energies)
    return min(one, 2 * fewest), min(two, 2 * fewest)


def refine(
    one: Shape,
    two: Shape,
    functions: Both,
    energies: Both,
    extra: Both,
    maps: Maps,
    first: int,
    tick: Callable[[], None],
) -> tuple[Maps, Floats]:
    """Refine maps both ways with more and more functions.

    Args:
        one, two: source and target.
        functions: smooth functions of each, (P, K) and (Q, L), smoothest first.
        energies: of the functions, ascending, (K,) and (L,).
        extra: what is compared beside the functions, (P, D) and (Q, D).
        maps: to start from.
        first: functions to start with.
        tick: called once a round; may raise Cancelled.

    Returns:
        the refined maps, and their matrix (at most L, at most K).
    """
    most = min(len(part) for part in energies)
    count = min(first, most)
    while True:
        tick()
        counts = matching_counts(energies, count)
        some = functions[0][:, : counts[0]], functions[1][:, : counts[1]]
        maps = matrix_maps(some, extra, map_matrix(one, two, some, maps))
        if max(counts[0] / len(energies[0]), counts[1] / len(energies[1])) >= 1:
            return maps, map_matrix(one, two, some, maps)
        count = min(count + max(2, count // 4), most)
