"""Refinement of guessed mirror maps by ZoomOut, and the faults by which they are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ..geometry.arrays import Floats, Integers
from ..spectral.eigenbasis import SpectralMesh
from ..spectral.similarity import kept_orientation
from .mirror_sides import (
    SymmetrySettings,
    cut_sides,
    halves,
    involution,
    symmetric_vectors,
    twin_graph,
    twin_map,
)

COORDINATES = 20
"""Eigenfunctions, the constant one among them, whose values serve as a point's coordinates. Chosen."""


@dataclass(frozen=True)
class Guess:
    """A map ``twin`` (R,) of a rough mesh to itself that may be its mirror map, and its :func:`_faults`."""

    twin: Integers
    faults: float


def refined_guesses(
    rough: SpectralMesh, matrices: Iterable[Floats], tick: Callable[[], None], settings: SymmetrySettings
) -> list[Guess]:
    """Refine guesses of a mirror map; return those that are different mirror maps, fewest faults first.

    Args:
        rough: the mesh.
        matrices: involutions (K, K), functional maps from which the refinement starts.
        tick: is called in every round; may raise Cancelled.
        settings: sizes and thresholds.
    """
    guesses = []
    for matrix in matrices:
        twin = _refined(rough, matrix, tick, settings)
        guesses.append(Guess(twin, _faults(rough, twin, settings)))
        if guesses[-1].faults < settings.clear:
            break
    return different_guesses(rough, guesses, settings)


def different_guesses(rough: SpectralMesh, guesses: Iterable[Guess], settings: SymmetrySettings) -> list[Guess]:
    """Return the guesses, fewest faults first, without those that are no mirror maps or much like a better one."""
    places = coordinates(rough)
    least = settings.same * np.linalg.norm(places, axis=1).mean()
    kept: list[Guess] = []
    for guess in sorted(guesses, key=lambda guess: guess.faults):
        distances = [np.linalg.norm(places[guess.twin] - places[other.twin], axis=1).mean() for other in kept]
        if np.isfinite(guess.faults) and min(distances, default=np.inf) > least:
            kept.append(guess)
    return kept


def coordinates(mesh: SpectralMesh) -> Floats:
    """Return coordinates (P, 19) of points in which straight distance is roughly distance along the surface."""
    return np.asarray(mesh.eigenfunctions[:, 1:COORDINATES] / np.sqrt(1 + mesh.eigenvalues[1:COORDINATES]))


def _refined(rough: SpectralMesh, matrix: Floats, tick: Callable[[], None], settings: SymmetrySettings) -> Integers:
    """Return the map of points (R,) from a mirror's functional map (K, K), by ZoomOut.

    The functional map of each round is made an involution again.
    """
    size, largest = len(matrix), min(settings.refined_size, rough.eigenfunctions.shape[1])
    while True:
        tick()
        twin = twin_map(rough, matrix, settings)
        if size >= largest:
            return twin
        size = min(size + max(2, size // 3), largest)
        matrix = involution(*symmetric_vectors(rough, twin, size))


def _faults(rough: SpectralMesh, twin: Integers, settings: SymmetrySettings) -> float:
    """Return how far a map (R,) of a mesh to itself is from a mirror map: 0 is perfect, infinite means it is none.

    The faults are the sum of the share of triangles that keep their orientation, the mean distance of a point from its
    twin's twin (that of any two points being 1), the root mean square change of the features, the share of points whose
    twin lies on their own side, and the weighted cost of the cut between the sides: the sides of a true mirror meet
    only where points are their own twins.
    """
    places = coordinates(rough)

    def mean_distance(points: Integers, others: Integers) -> float:
        return float(np.linalg.norm(places[points] - places[others], axis=1).mean())

    points = np.arange(len(twin))
    chance = mean_distance(points, np.random.default_rng(0).permutation(points))
    kept = kept_orientation(rough, rough, twin)
    returned, moved = mean_distance(twin[twin], points) / chance, mean_distance(twin, points) / chance
    changed = float(np.sqrt(rough.mass @ ((rough.features[twin] - rough.features) ** 2).sum(axis=1)))
    if kept > settings.most_kept or returned > settings.most_return:
        return np.inf
    if moved < settings.least_move or changed > settings.most_change:
        return np.inf
    _, antisymmetric = halves(rough, *symmetric_vectors(rough, twin, settings.refined_size))
    graph = twin_graph(rough, twin, settings)
    side = cut_sides(graph, antisymmetric.values, settings)
    is_cut = side[graph.links[:, 0]] != side[graph.links[:, 1]]
    cost = float(graph.weight[is_cut].sum() / graph.weight.sum())
    astray = float(rough.mass[side[twin] == side].sum())
    return kept + returned + changed + astray + settings.cut_weight * cost
