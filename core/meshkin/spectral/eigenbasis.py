"""Coarser meshes with the eigenfunctions of their Laplacian."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.sparse.linalg import LinearOperator, eigsh
from scipy.spatial import cKDTree

from ..geometry.adjacency import bridges
from ..geometry.arrays import Floats, Integers
from ..geometry.coarsening import coarsen
from ..geometry.laplacian import connected_laplacian, factorized, single_thread
from ..geometry.mesh import edges, normalize, vertex_normals

ASIDE_COST = 3.0
"""How much more the way to the opposite point costs sideways than straight through the body. Chosen."""
LARGEST_DENSE = 400
"""Vertices up to which eigenpairs are computed with a dense solver. Chosen."""


@dataclass(frozen=True)
class EigenbasisSettings:
    """How finely a surface is described by :func:`spectral_mesh`. All chosen.

    Attributes:
        fine: vertices of the mesh on which the final map is found, about.
        rough: vertices of the mesh on which maps are refined, about.
        eigenfunctions: their number, or as many as there are vertices.
    """

    fine: int = 5000
    rough: int = 1500
    eigenfunctions: int = 100


@dataclass(frozen=True)
class SpectralMesh:
    """A coarser mesh of one surface, with the eigenfunctions of its Laplacian.

    Attributes:
        points: float64 (P, 3), area about 1, centroid about the origin.
        faces: int (G, 3).
        normals: float64 (P, 3), unit.
        mass: float64 (P,), sums to 1.
        eigenvalues: float64 (K,), of the Laplacian, ascending.
        eigenfunctions: float64 (P, K), orthonormal under ``mass`` (nearly, on the rough mesh); the first is constant.
        features: float32 (P, C), mean 0 and total variance 1 over both shapes together (no columns before
            :func:`with_features`).
        vertex: int64 (P,), the nearest vertex of the mesh this one was made from.
        rough: the same surface with fewer points (``vertex`` counts the points of this mesh); None on the rough mesh
            itself.
    """

    points: Floats
    faces: NDArray[np.integer]
    normals: Floats
    mass: Floats
    eigenvalues: Floats
    eigenfunctions: Floats
    features: NDArray[np.float32]
    vertex: Integers
    rough: SpectralMesh | None

    @property
    def embedding(self) -> Floats:
        """Coordinates (P, K - 1) in which straight distance is roughly distance along the surface.

        The commute-time embedding of Qiu and Hancock, "Clustering and Embedding Using Commute Times" (2007):
        eigenfunctions divided by the square roots of their eigenvalues.
        """
        return self.eigenfunctions[:, 1:] / np.sqrt(self.eigenvalues[1:])

    @cached_property
    def links(self) -> NDArray[np.integer]:
        """Edges, and bridges between loose parts, (E, 2)."""
        return np.concatenate((edges(self.faces), bridges(self.points, self.faces)))

    @cached_property
    def opposite(self) -> Integers:
        """The point on the other side of the body from each point, straight through it, (P,); itself where none is.

        Memory is quadratic in the number of points: for rough meshes.
        """
        way = self.points[None] - self.points[:, None]
        depth = -np.einsum("pqd,pd->pq", way, self.normals)
        aside = np.sqrt(np.maximum(np.einsum("pqd,pqd->pq", way, way) - depth**2, 0))
        # Across the body lie points behind the surface whose normals are more than about 100 degrees off (chosen).
        facing = (depth > 1e-6) & (self.normals @ self.normals.T < -0.2)
        across = np.where(facing, depth + ASIDE_COST * aside, np.inf).argmin(axis=1)
        return np.where(facing.any(axis=1), across, np.arange(len(self.points)))


def spectral_mesh(
    vertices: NDArray[np.floating], faces: NDArray[np.integer], settings: EigenbasisSettings = EigenbasisSettings()
) -> tuple[SpectralMesh, sparse.csr_array]:
    """The coarser mesh of a surface with its eigenfunctions, and the matrix (V, P) that carries values to the vertices.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        settings: sizes.
    """
    fine = coarsen(normalize(vertices, faces), faces, settings.fine)
    points = normalize(fine.vertices, fine.faces)
    stiffness, mass = connected_laplacian(points, fine.faces)
    mass, total = mass / mass.sum(), mass.sum()
    eigenvalues, eigenfunctions = eigenpairs(stiffness, mass * total, settings.eigenfunctions)
    eigenvalues, eigenfunctions = np.maximum(eigenvalues, 1e-9), eigenfunctions * np.sqrt(total)
    vertex = np.asarray(fine.vertex, np.int64)
    coarser = coarsen(points, fine.faces, settings.rough)
    picked = np.asarray(coarser.vertex, np.int64)
    nearest = cKDTree(coarser.vertices).query(points)[1]
    rough = SpectralMesh(
        coarser.vertices,
        coarser.faces,
        vertex_normals(coarser.vertices, coarser.faces),
        np.maximum(np.bincount(nearest, weights=mass, minlength=len(picked)), 1e-12),
        eigenvalues,
        eigenfunctions[picked],
        np.empty((len(picked), 0), np.float32),
        picked,
        None,
    )
    normals = vertex_normals(points, fine.faces)
    nothing = np.empty((len(points), 0), np.float32)
    mesh = SpectralMesh(points, fine.faces, normals, mass, eigenvalues, eigenfunctions, nothing, vertex, rough)
    return mesh, fine.prolong


def with_features(mesh: SpectralMesh, features: NDArray[np.float32]) -> SpectralMesh:
    """The mesh with features, one row (V, C) for each vertex of the mesh it was made from."""
    own = features[mesh.vertex]
    return replace(mesh, features=own, rough=with_features(mesh.rough, own) if mesh.rough else None)


def with_weighted_features(mesh: SpectralMesh, weight: float) -> SpectralMesh:
    """The mesh with its features multiplied by ``weight``."""
    features = mesh.features * np.float32(weight)
    return replace(mesh, features=features, rough=with_weighted_features(mesh.rough, weight) if mesh.rough else None)


def eigenpairs(stiffness: sparse.csc_array, mass: Floats, count: int) -> tuple[Floats, Floats]:
    """The smallest eigenvalues (K,) of ``stiffness x = value * mass x``, ascending, and their eigenfunctions (V, K).

    Eigenfunctions are orthonormal under ``mass``; of each, the entry of largest magnitude is positive. K is ``count``,
    or V if that is less. The same input gives the same output.
    """
    size = len(mass)
    count = min(count, size)
    scale = np.sqrt(mass)
    if size <= max(LARGEST_DENSE, 2 * count + 1):
        dense = stiffness.toarray() / scale[:, None] / scale
        values, vectors = linalg.eigh((dense + dense.T) / 2, subset_by_index=(0, count - 1))
        vectors /= scale[:, None]
    else:
        # The shift makes the matrix positive definite; it is small against the first eigenvalue, about 10 / area.
        shift = 1e-2 / mass.sum()
        solve = factorized(stiffness + sparse.diags_array(shift * mass), "COLAMD")
        with single_thread():
            values, vectors = eigsh(
                stiffness,
                count,
                M=sparse.diags_array(mass).tocsc(),
                sigma=-shift,
                OPinv=LinearOperator((size, size), matvec=solve, dtype=np.float64),
                v0=np.random.default_rng(0).standard_normal(size),
            )
        order = np.argsort(values)
        values, vectors = values[order], vectors[:, order]
    vectors *= np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(count)])
    return np.maximum(values, 0), vectors
