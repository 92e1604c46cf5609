"""Values known at some vertices of a mesh, continued smoothly over the rest."""

from __future__ import annotations

import contextlib

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

from .points import unit_rows
from .surface import clean_faces, edges, laplacian, vertex_normals, weld

Floats = NDArray[np.float64]

FLOOR = 1e-3
"""Least mass of a vertex, in mean masses: sliver triangles must not make the system singular."""


def inpaint(
    values: NDArray[np.floating], known: NDArray[np.bool_], vertices: NDArray[np.floating], faces: NDArray[np.integer]
) -> NDArray[np.floating]:
    """Continue weights biharmonically from the known vertices over the others.

    The squared Laplacian is least, with the known values fixed: ``L M^-1 L x = 0`` (Abdrashitov et al., "Robust Skin
    Weights Transfer via Weight Inpainting", SIGGRAPH Asia 2023, section 4). What that leaves below zero is cut off
    and rows are scaled back to their sum, so weights come out for weights. Vertices at one place count as one; the
    system covers the unknown vertices and two rings around them only. A part of the mesh without any known vertex,
    and a vertex without a face, takes the row of the known vertex nearest in space.

    Args:
        values: (V, B), non-negative; rows of unknown vertices are not looked at.
        known: (V,).
        vertices: (V, 3).
        faces: (F, 3).

    Returns:
        (V, B) of the type of ``values``, non-negative; known rows as they were, and where these all sum to 1, so do
        the others. All of ``values`` where nothing is known.
    """
    return _continued(values, known, vertices, faces, True)


def extend(
    values: NDArray[np.floating], known: NDArray[np.bool_], vertices: NDArray[np.floating], faces: NDArray[np.integer]
) -> NDArray[np.floating]:
    """As :func:`inpaint`, for values of any sign and sum."""
    return _continued(values, known, vertices, faces, False)


def _continued(
    values: NDArray[np.floating],
    known: NDArray[np.bool_],
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    weights: bool,
) -> NDArray[np.floating]:
    if known.all() or not known.any():
        return values
    first, place = weld(vertices)
    fixed = np.bincount(place, known, len(first)) > 0
    # Of several vertices at one place, a known one speaks for all.
    speaker = first.copy()
    speaker[place[known]] = np.flatnonzero(known)
    rows = values[speaker]
    triangles = clean_faces(place[faces])
    points = np.asarray(vertices, np.float64)[first]
    lonely = ~fixed & ~_reached(fixed, triangles)
    if lonely.any():
        rows[lonely] = rows[fixed][cKDTree(points[fixed]).query(points[lonely])[1]]
    _solve(rows, fixed | lonely, points, triangles, weights)
    result = rows[place]
    result[known] = values[known]
    return result


def smooth(
    values: NDArray[np.floating], vertices: NDArray[np.floating], faces: NDArray[np.integer], steps: int
) -> NDArray[np.floating]:
    """Replace each row, ``steps`` times, by the mean of itself and the mean of its neighbors along edges.

    Vertices at one place stay equal. Convex, so weights stay weights. Arguments as :func:`inpaint`.
    """
    if steps < 1:
        return values
    first, place = weld(vertices)
    mean = neighbor_mean(len(first), clean_faces(place[faces]))
    rows = values[first]
    for _ in range(steps):
        rows = (rows + mean @ rows) / 2
    return np.asarray(rows[place], values.dtype)


def smoothed_normals(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> Floats:
    """Unit normals (V, 3), 0 without a face, freed of the noise that small and long triangles make.

    What varies faster than over a quarter of a mean edge goes: ``(M + r^4 L M^-1 L) x = M n``.
    """
    first, place = weld(vertices)
    points, triangles = np.asarray(vertices, np.float64)[first], clean_faces(place[faces])
    normals = vertex_normals(points, triangles)
    stiffness, mass = laplacian(points, triangles)
    mass = np.maximum(mass, FLOOR * mass.mean())
    one, two = edges(triangles).T
    reach = 0.25 * float(np.linalg.norm(points[one] - points[two], axis=1).mean())
    bend = stiffness @ sparse.diags_array(1 / mass) @ stiffness
    with threadpool_limits(1, user_api="blas"):
        system = sparse.csc_array(sparse.diags_array(mass) + reach**4 * bend)
        factors = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        return np.asarray(unit_rows(factors.solve(mass[:, None] * normals)))[place]


def neighbor_mean(count: int, faces: NDArray[np.integer]) -> sparse.csr_array:
    """The (V, V) matrix that takes the mean over the neighbors along edges; of itself for a vertex without any."""
    pairs = edges(faces)
    rows, columns = np.concatenate((pairs, pairs[:, ::-1])).T
    degree = np.bincount(rows, minlength=count)
    alone = np.flatnonzero(degree == 0)
    entries = np.concatenate((1 / degree[rows], np.ones(len(alone))))
    places = (np.concatenate((rows, alone)), np.concatenate((columns, alone)))
    return sparse.csr_array((entries, places), shape=(count, count))


def _reached(known: NDArray[np.bool_], faces: NDArray[np.integer]) -> NDArray[np.bool_]:
    """The vertices whose connected part has a known vertex."""
    pairs = edges(faces)
    graph = sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(known),) * 2)
    _, part = csgraph.connected_components(graph, directed=False)
    reached: NDArray[np.bool_] = (np.bincount(part, known) > 0)[part]
    return reached


def _solve(
    rows: NDArray[np.floating], known: NDArray[np.bool_], points: Floats, faces: NDArray[np.integer], weights: bool
) -> None:
    """Fill the unknown rows in place; every unknown vertex can be reached from a known one.

    With ``weights`` what is below zero is cut off, and rows keep their sum.
    """
    near = ~known
    for _ in range(3):  # the unknown, the two rings that the squared Laplacian reads, and the triangles of the second
        touched = near[faces].any(axis=1)
        near = near.copy()
        near[faces[touched]] = True
    here = np.flatnonzero(near)
    if not len(here):
        return
    number = np.full(len(points), -1)
    number[here] = np.arange(len(here))
    stiffness, mass = laplacian(points[here], number[faces[near[faces].all(axis=1)]])
    mass = np.maximum(mass, FLOOR * mass.mean())
    fixed = known[here]
    system = sparse.csr_array(stiffness @ sparse.diags_array(1 / mass) @ stiffness)[~fixed]
    old = rows[here[fixed]].astype(np.float64)
    used = np.flatnonzero(old.any(axis=0))
    with threadpool_limits(1, user_api="blas"), contextlib.suppress(RuntimeError):  # numerically singular
        # Symmetric and positive definite: this ordering halves the time of the usual one.
        factors = splu(
            sparse.csc_array(system[:, ~fixed]),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        found = factors.solve(-(system[:, fixed] @ old[:, used]))
        sound = np.isfinite(found).all(axis=1)
        if weights:
            # Of functions that lie between two sums, so does the sum, but for rounding errors.
            total, sums = found.sum(axis=1), old.sum(axis=1)
            sound &= (total > 0.9 * sums.min()) & (total < 1.1 * sums.max())
            found = np.clip(found, 0, None)
            found *= (total / np.maximum(found.sum(axis=1), 1e-30))[:, None]
        found = found[sound]
        solved = here[~fixed][sound]
        rows[np.ix_(solved, used)] = found
        rows[np.ix_(solved, np.setdiff1d(np.arange(rows.shape[1]), used))] = 0
        known = known.copy()
        known[solved] = True
    left = np.flatnonzero(~known)
    if len(left):
        rows[left] = rows[known][cKDTree(points[known]).query(points[left])[1]]
