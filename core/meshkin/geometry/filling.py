"""Values known at some vertices of a mesh, continued smoothly over the others: harmonically or biharmonically.

Harmonic values stay within the range of the known values; biharmonic values also continue their slope.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from .adjacency import edge_graph
from .arrays import AnyIntegers, Floats, Integers
from .laplacian import bilaplacian, factorized, harmonic_solver, laplacian
from .mesh import clean_faces
from .smoothing import LEAST_MASS
from .welding import weld

LARGEST_SYSTEM = 50_000
"""Unknown vertices up to which :func:`fill_harmonic` solves a system; beyond, it copies along edges. Chosen."""
SOLVED_COLUMNS = 64
"""Columns of values that :func:`fill_harmonic` solves for at a time. Chosen, to bound memory."""
SUM_TOLERANCE = 0.1
"""By how much of the known rows' sums the sum of an inpainted row may lie outside of these sums. Chosen."""


@dataclass(frozen=True)
class Filled:
    """Values at every vertex.

    Attributes:
        values: (V, C), of the type of the values that were known.
        unsolved: bool (V,), vertices at which the system of equations could not be solved (it is numerically singular),
            and which took the row of the known vertex nearest in space instead.
    """

    values: NDArray[np.floating]
    unsolved: NDArray[np.bool_]


def fill_harmonic(
    vertices: NDArray[np.floating],
    faces: AnyIntegers,
    known: NDArray[np.bool_],
    *values: NDArray[np.floating],
    largest: int = LARGEST_SYSTEM,
) -> NDArray[np.bool_]:
    """Fill in the rows of unknown vertices, in place, harmonically over the surface.

    Vertices at exactly the same place are one. Nothing crosses a gap: a connected part without a known vertex is left
    as it is. If there are more than ``largest`` unknown vertices, each takes the row of the known vertex that is
    nearest along the edges.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        known: (V,).
        values: one or several arrays (V, C), changed in place.
        largest: most unknown vertices that a system is solved for.

    Returns:
        bool (V,), the vertices whose rows were filled in.
    """
    filled = np.zeros(len(known), bool)
    if known.all() or not known.any():
        return filled
    first, place = weld(vertices)
    known_place = np.zeros(len(first), bool)
    known_place[place[known]] = True
    giver = first.copy()  # a known vertex at each known place
    giver[place[known]] = np.flatnonzero(known)
    triangles = clean_faces(place[faces])
    # Two rings of known vertices around the unknown ones, so that the distortion at the border of this piece of mesh
    # touches known values only.
    triangles = triangles[_grown(~known_place, triangles, 2)[1]]
    graph = edge_graph(vertices[first], triangles)
    wanted = _connected_to(known_place, graph) & ~known_place

    filled = ~known & (known_place | wanted)[place]
    twins = np.flatnonzero(filled & known_place[place])  # unknown vertices at the same place as a known one
    takers = np.flatnonzero(filled & ~known_place[place])
    border = np.zeros(len(first), bool)
    border[triangles.ravel()] = True
    border &= known_place
    for array in values:
        array[twins] = array[giver[place[twins]]]
    if wanted.sum() > largest:
        _, _, nearest = csgraph.dijkstra(
            graph, directed=False, indices=np.flatnonzero(border), min_only=True, return_predecessors=True
        )
        for array in values:
            array[takers] = array[giver[nearest[place[takers]]]]
    elif len(takers):
        local = np.flatnonzero(border | wanted)
        stiffness = laplacian(vertices[first], triangles)[0][local][:, local]
        row = np.cumsum(wanted)[place[takers]] - 1
        _solve_columns(harmonic_solver(stiffness, border[local]), values, giver[np.flatnonzero(border)], takers, row)
    return filled


def solve_harmonic(values: Floats, known: NDArray[np.bool_], points: Floats, faces: AnyIntegers) -> None:
    """Make ``values`` (P, C) harmonic where they are not ``known`` (P,), in place.

    Points that no known point is connected to take the values of the known point nearest in space. Several faces on
    the same points count as often as they occur.

    Args:
        values: float64 (P, C).
        known: (P,).
        points: float64 (P, 3), without coinciding ones.
        faces: int (F, 3).
    """
    if known.all() or not known.any():
        return
    stiffness, _ = laplacian(points, faces, keep_duplicates=True)
    stray = ~_connected_to(known, stiffness != 0)
    if stray.any():
        _, nearest = cKDTree(points[known]).query(points[stray])
        values[stray] = values[known][nearest]
    unknown = ~known & ~stray
    if unknown.any():
        local = ~stray
        solve = harmonic_solver(stiffness[local][:, local], known[local])
        values[unknown] = solve(values[known])


def inpaint_weights(
    values: NDArray[np.floating], known: NDArray[np.bool_], vertices: NDArray[np.floating], faces: AnyIntegers
) -> Filled:
    """Continue weights biharmonically from the known vertices over the others.

    The squared Laplacian is least, with the known values fixed: ``L M^-1 L x = 0`` (Abdrashitov et al., "Robust Skin
    Weights Transfer via Weight Inpainting", SIGGRAPH Asia 2023, section 4). What that leaves below zero is cut off
    and rows are scaled back to their sum, so the results are weights again. Vertices at one place count as one; the
    system covers the unknown vertices and two rings around them only. A part of the mesh without any known vertex,
    and a vertex without a face, takes the row of the known vertex nearest in space.

    Args:
        values: (V, B), non-negative; rows of unknown vertices are not looked at.
        known: (V,).
        vertices: (V, 3).
        faces: (F, 3).

    Returns:
        values (V, B) of the type of ``values``, non-negative: known rows as they were, and where these all sum to 1,
        so do the others; all of ``values`` where nothing is known. And the vertices at which the system could not be
        solved.
    """
    return _fill_biharmonic(values, known, vertices, faces, True)


def fill_biharmonic(
    values: NDArray[np.floating], known: NDArray[np.bool_], vertices: NDArray[np.floating], faces: AnyIntegers
) -> Filled:
    """Continue values of any sign and sum, otherwise as :func:`inpaint_weights`."""
    return _fill_biharmonic(values, known, vertices, faces, False)


def _fill_biharmonic(
    values: NDArray[np.floating],
    known: NDArray[np.bool_],
    vertices: NDArray[np.floating],
    faces: AnyIntegers,
    are_weights: bool,
) -> Filled:
    if known.all() or not known.any():
        return Filled(values, np.zeros(len(known), bool))
    first, place = weld(vertices)
    fixed = np.bincount(place, known, len(first)) > 0
    # Of several vertices at one place, a known one gives the row.
    giver = first.copy()
    giver[place[known]] = np.flatnonzero(known)
    rows = values[giver]
    triangles = clean_faces(place[faces])
    points = np.asarray(vertices, np.float64)[first]
    lonely = ~_connected_to(fixed, edge_graph(points, triangles))
    if lonely.any():
        rows[lonely] = rows[fixed][cKDTree(points[fixed]).query(points[lonely])[1]]
    unsolved = _solve_biharmonic(rows, fixed | lonely, points, triangles, are_weights)
    result = rows[place]
    result[known] = values[known]
    return Filled(result, unsolved[place] & ~known)


def _solve_biharmonic(
    rows: NDArray[np.floating], known: NDArray[np.bool_], points: Floats, faces: AnyIntegers, are_weights: bool
) -> NDArray[np.bool_]:
    """Fill the unknown rows (W, C) in place; every unknown vertex must be connected to a known one.

    If they ``are_weights``, what is below zero is cut off, and rows keep their sum.

    Returns:
        bool (W,), the vertices that could not be solved for and took the row of the nearest known vertex.
    """
    # The unknown vertices, the two rings that the squared Laplacian reads, and the triangles of the second.
    near, _ = _grown(~known, faces, 3)
    local = np.flatnonzero(near)
    unsolved = ~known
    if not len(local):
        return unsolved
    number = np.full(len(points), -1)
    number[local] = np.arange(len(local))
    stiffness, mass = laplacian(points[local], number[faces[near[faces].all(axis=1)]])
    mass = np.maximum(mass, LEAST_MASS * mass.mean())
    fixed = known[local]
    system = sparse.csr_array(bilaplacian(stiffness, mass))[~fixed]
    known_rows = rows[local[fixed]].astype(np.float64)
    used = np.flatnonzero(known_rows.any(axis=0))
    with contextlib.suppress(RuntimeError):  # the system is exactly singular
        solution = factorized(system[:, ~fixed])(-(system[:, fixed] @ known_rows[:, used]))
        solution, sound = _checked(solution, known_rows, are_weights)
        solved = local[~fixed][sound]
        rows[np.ix_(solved, used)] = solution[sound]
        rows[np.ix_(solved, np.setdiff1d(np.arange(rows.shape[1]), used))] = 0
        unsolved[solved] = False
    if unsolved.any():
        rows[unsolved] = rows[~unsolved][cKDTree(points[~unsolved]).query(points[unsolved])[1]]
    return unsolved


def _checked(solution: Floats, known_rows: Floats, are_weights: bool) -> tuple[Floats, NDArray[np.bool_]]:
    """The rows of a solution (N, C), made weights again if they ``are_weights``; and which of them (N,) are sound."""
    sound = np.asarray(np.isfinite(solution).all(axis=1))
    if not are_weights:
        return solution, sound
    # Biharmonic functions of rows whose sums lie between two numbers have sums between these, but for rounding errors.
    total, sums = solution.sum(axis=1), known_rows.sum(axis=1)
    sound = sound & (total > (1 - SUM_TOLERANCE) * sums.min()) & (total < (1 + SUM_TOLERANCE) * sums.max())
    solution = np.clip(solution, 0, None)
    solution *= (total / np.maximum(solution.sum(axis=1), 1e-30))[:, None]
    return solution, sound


def _solve_columns(
    solve: Callable[[Floats], Floats],
    values: Sequence[NDArray[np.floating]],
    givers: Integers,
    takers: Integers,
    row: Integers,
) -> None:
    """Give the takers (T,) their rows (T,) of the solution for the givers' values, in place, some columns at a time."""
    for array in values:
        for start in range(0, array.shape[1], SOLVED_COLUMNS):
            columns = slice(start, start + SOLVED_COLUMNS)
            array[takers, columns] = solve(array[givers, columns].astype(np.float64))[row]


def _grown(mask: NDArray[np.bool_], faces: AnyIntegers, rings: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The vertices of a mask (V,) and some rings of vertices around them, and the faces (F,) of the last ring."""
    mask = mask.copy()
    for _ in range(rings):
        touched = np.asarray(mask[faces].any(axis=1))
        mask[faces[touched]] = True
    return mask, touched


def _connected_to(known: NDArray[np.bool_], graph: sparse.sparray) -> NDArray[np.bool_]:
    """The vertices (V,) in whose connected component of a graph (V, V) a vertex is known."""
    component = csgraph.connected_components(graph, directed=False)[1]
    reached: NDArray[np.bool_] = (np.bincount(component, known) > 0)[component]
    return reached
