"""The Laplacian of a mesh, and the one place where systems of equations made of it are factorized."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache, lru_cache
from typing import Any, Literal

import numpy as np
import robust_laplacian
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu
from threadpoolctl import ThreadpoolController

from .adjacency import bridges, symmetric_matrix
from .arrays import KEPT_MESHES, AnyIntegers, Floats, SameArrays
from .mesh import clean_faces, proper_faces

LEAST_CONNECTED_MASS = 1e-4
"""Least mass of a vertex in :func:`connected_laplacian`, in mean masses. Chosen."""


def laplacian(
    vertices: NDArray[np.floating], faces: AnyIntegers, keep_duplicates: bool = False
) -> tuple[sparse.csc_array, Floats]:
    """The positive semidefinite Laplacian (stiffness, (V, V)) and lumped mass (V,) of a mesh, manifold or not.

    The intrinsic Delaunay, mollified, tufted-cover Laplacian of Sharp and Crane, "A Laplacian for Nonmanifold
    Triangle Meshes" (SGP 2020). Rows of vertices without a face are empty, their mass is 0.

    Args:
        vertices: (V, 3).
        faces: (F, 3); those with fewer than three different vertices are left out.
        keep_duplicates: count several faces on the same three vertices as often as they occur instead of once.
    """
    faces = proper_faces(faces) if keep_duplicates else clean_faces(faces)
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


def connected_laplacian(vertices: NDArray[np.floating], faces: AnyIntegers) -> tuple[sparse.csc_array, Floats]:
    """As :func:`laplacian`, with the parts joined by :func:`bridges`: only constant functions have the eigenvalue 0.

    A bridge counts as much as an edge between equilateral triangles. The spectrum then is that of the whole
    object, and a small part (an eye, a button) takes part in the eigenfunctions of the place where it sits, instead of
    adding one more zero eigenvalue. Masses are at least :data:`LEAST_CONNECTED_MASS` of the mean mass. The last few are
    kept: a mesh is laid onto another one several times.
    """
    return _connected_laplacian(SameArrays(vertices, faces))


@lru_cache(maxsize=KEPT_MESHES)
def _connected_laplacian(mesh: SameArrays) -> tuple[sparse.csc_array, Floats]:
    """As :func:`connected_laplacian`."""
    vertices, faces = mesh.arrays
    stiffness, mass = laplacian(vertices, faces)
    links = bridges(vertices, faces)
    mass = np.maximum(mass, LEAST_CONNECTED_MASS * (mass.mean() or 1.0))
    if len(links) == 0:
        return stiffness, mass
    weights = symmetric_matrix(links, np.full(len(links), 1 / np.sqrt(3)), len(mass))
    degree = sparse.diags_array(np.asarray(weights.sum(axis=1)).ravel())
    return sparse.csc_array(stiffness + degree - weights), mass


def bilaplacian(stiffness: sparse.csc_array, mass: Floats) -> sparse.csc_array:
    """The squared Laplacian ``L M^-1 L`` (V, V); every mass (V,) must be above 0."""
    return sparse.csc_array(stiffness @ sparse.diags_array(1 / mass) @ stiffness)


def factorized(
    matrix: sparse.csc_array, ordering: Literal["MMD_AT_PLUS_A", "COLAMD"] = "MMD_AT_PLUS_A"
) -> Callable[[Floats], Floats]:
    """Factorize a symmetric positive definite matrix (N, N); return a function that solves for right sides (N, C).

    Which ordering to take: minimum degree on the pattern of ``A + A^T`` together with SuperLU's symmetric mode, which
    this function always sets for it. Measured on Laplacians and squared Laplacians of 2,000 to 40,000 vertices: it
    leaves half as many entries as the column ordering and takes 0.5 to 1.1 times as long, on squared Laplacians half as
    long. Minimum degree *without* symmetric mode takes 2 to 300 times as long: never use that. The column ordering is
    for Laplacians that are only shifted (:func:`meshkin.spectral.eigenbasis.eigenpairs`), where it is up to 16 times as
    fast.

    Args:
        matrix: sparse (N, N).
        ordering: SuperLU's name of it.

    Raises:
        RuntimeError: the matrix is singular, exactly.
    """
    options = {"SymmetricMode": True} if ordering == "MMD_AT_PLUS_A" else {}
    with single_thread():
        factors = splu(sparse.csc_array(matrix), permc_spec=ordering, diag_pivot_thresh=0.0, options=options)

    def solve(right: Floats) -> Floats:
        with single_thread():
            return np.asarray(factors.solve(right))

    return solve


def single_thread() -> AbstractContextManager[Any]:
    """A context in which BLAS runs in one thread.

    Sparse solvers call BLAS on blocks so small that starting its threads takes ten times as long as the work.
    """
    return _thread_pools().limit(limits=1, user_api="blas")


@cache
def _thread_pools() -> ThreadpoolController:
    """The thread pools of the loaded libraries, looked up once: that takes milliseconds."""
    return ThreadpoolController()


def harmonic_solver(stiffness: sparse.csc_array, known: NDArray[np.bool_]) -> Callable[[Floats], Floats]:
    """A function from known values (number known, C) to the harmonic values of the other vertices (number unknown, C).

    It solves ``stiffness x = 0`` at the unknown vertices.

    Args:
        stiffness: (V, V).
        known: (V,); every connected part needs a known vertex.
    """
    rows = sparse.csr_array(stiffness)[~known]
    outer = rows[:, known]
    solve = factorized(rows[:, ~known])
    return lambda values: solve(-(outer @ values))
