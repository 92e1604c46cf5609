"""Values and surfaces freed of what varies too fast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .arrays import AnyIntegers, Floats, unit_rows
from .laplacian import bilaplacian, factorized, laplacian
from .mesh import clean_faces, edges, vertex_normals
from .welding import weld

LEAST_MASS = 1e-3
"""Least mass of a vertex, in mean masses, so that sliver triangles do not make a system singular. Chosen."""
LEAST_FAIR_MASS = 1e-12
"""Least mass of a vertex for :func:`fair`, in the largest one, so that no division is by zero. Chosen."""
NORMAL_REACH = 0.25
"""Length below which :func:`smoothed_normals` evens out, in mean edges. Chosen."""


def smooth_along_edges(
    values: NDArray[np.floating], vertices: NDArray[np.floating], faces: AnyIntegers, steps: int
) -> NDArray[np.floating]:
    """Replace each row, ``steps`` times, by the mean of itself and the mean of its neighbors along edges.

    Vertices at one place stay equal. The mean is convex, so rows of weights stay rows of weights.

    Args:
        values: (V, B).
        vertices: (V, 3).
        faces: (F, 3).
        steps: 0 or less changes nothing.
    """
    if steps < 1:
        return values
    first, place = weld(vertices)
    mean = neighbor_mean(len(first), clean_faces(place[faces]))
    rows = values[first]
    for _ in range(steps):
        rows = (rows + mean @ rows) / 2
    return np.asarray(rows[place], values.dtype)


def neighbor_mean(count: int, faces: AnyIntegers) -> sparse.csr_array:
    """The (V, V) matrix that takes the mean over the neighbors along edges; of itself for a vertex without any."""
    pairs = edges(faces)
    rows, columns = np.concatenate((pairs, pairs[:, ::-1])).T
    degree = np.bincount(rows, minlength=count)
    alone = np.flatnonzero(degree == 0)
    entries = np.concatenate((1 / degree[rows], np.ones(len(alone))))
    positions = (np.concatenate((rows, alone)), np.concatenate((columns, alone)))
    return sparse.csr_array((entries, positions), shape=(count, count))


def fair(values: Floats, weight: Floats, stiffness: sparse.csc_array, mass: Floats, reach: float) -> Floats:
    """Values (V, C) without what varies faster than over ``reach``, in the unit of the vertices.

    Solves ``(W + reach^4 L M^-1 L) x = W values``: the squared distance to the values, weighted, plus the squared
    Laplacian, is least (Botsch and Kobbelt, "An Intuitive Framework for Real-Time Freeform Modeling", SIGGRAPH 2004,
    section 3; implicit fairing, Desbrun et al. 1999).

    Args:
        values: (V, C).
        weight: (V,), how much each vertex holds to its values; a vertex's area to weigh all alike.
        stiffness, mass: of :func:`meshkin.geometry.laplacian.laplacian`; every mass above 0.
        reach: length.
    """
    system = sparse.diags_array(weight) + reach**4 * bilaplacian(stiffness, mass)
    return factorized(sparse.csc_array(system))(weight[:, None] * values)


def smoothed_normals(vertices: NDArray[np.floating], faces: AnyIntegers) -> Floats:
    """Unit normals (V, 3), 0 without a face, freed of the noise that small and long triangles make.

    What varies faster than over :data:`NORMAL_REACH` is removed by :func:`fair`.
    """
    first, place = weld(vertices)
    points, triangles = np.asarray(vertices, np.float64)[first], clean_faces(place[faces])
    normals = vertex_normals(points, triangles)
    stiffness, mass = laplacian(points, triangles)
    mass = np.maximum(mass, LEAST_MASS * mass.mean())
    start, end = edges(triangles).T
    reach = NORMAL_REACH * float(np.linalg.norm(points[start] - points[end], axis=1).mean())
    return np.asarray(unit_rows(fair(normals, mass, stiffness, mass, reach)))[place]
