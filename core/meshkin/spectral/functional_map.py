"""Functional maps between shapes, and maps of points refined through them.

A map of points takes functions of one shape to functions of the other; between the shapes' Laplacian eigenfunctions it
is a small matrix (Ovsjanikov et al., "Functional Maps", 2012). ZoomOut refinement goes back and forth between that
matrix and the map of points, with more eigenfunctions each time (Melzi et al., "ZoomOut", 2019). Here the features stay
in the search throughout, and both directions inform one matrix.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..geometry.arrays import Floats, Integers, nearest_rows
from .eigenbasis import SpectralMesh

PairOfFloats = tuple[Floats, Floats]
"""An array of the source and the same of the target."""
PointMaps = tuple[Integers, Integers]
"""A source point for each target point, and a target point for each source point."""

RIDGE = 1e-9
"""Added to the diagonal of the Gram matrix, about 1, for there may be more functions than points. Chosen."""


def coefficients(basis: Floats, mass: Floats, values: Floats) -> Floats:
    """Coefficients (K, C) in a basis (P, K) that come nearest to values (P, C) at points of some mass (P,)."""
    weighted = basis * mass[:, None]
    gram = weighted.T @ basis
    gram[np.diag_indices_from(gram)] += RIDGE
    return np.asarray(np.linalg.solve(gram, weighted.T @ values))


def functional_map(source: SpectralMesh, target: SpectralMesh, bases: PairOfFloats, maps: PointMaps) -> Floats:
    """The matrix (L, K) that takes coefficients in the source's basis to those in the target's, from maps both ways."""
    pulled = coefficients(bases[1], target.mass, bases[0][maps[0]])
    pushed = coefficients(bases[0], source.mass, bases[1][maps[1]])
    return (pulled + pushed.T) / 2


def maps_from(bases: PairOfFloats, extra: PairOfFloats, matrix: Floats) -> PointMaps:
    """Maps of points both ways from a functional map.

    Each point takes the nearest one in two things: the basis functions, carried to the other shape by ``matrix``
    (L, K), and the extra coordinates.

    Args:
        bases: of the source (P, K) and of the target (Q, L).
        extra: what is compared beside the basis functions, (P, D) and (Q, D).
        matrix: the functional map.
    """
    pulled, pushed = bases[1] @ matrix, bases[0] @ matrix.T

    def nearest(references: Floats, queries: Floats, beside: PairOfFloats) -> Integers:
        scale = 1 / np.sqrt(references.shape[1])
        return nearest_rows(np.hstack((references * scale, beside[0])), np.hstack((queries * scale, beside[1])))

    return nearest(bases[0], pulled, extra), nearest(bases[1], pushed, (extra[1], extra[0]))


def matching_counts(eigenvalues: PairOfFloats, fewest: int) -> tuple[int, int]:
    """How many eigenfunctions of each shape go together: those up to the same eigenvalue.

    Of the shape with fewer there are ``fewest``. What only one shape has (antlers, a tail) has eigenfunctions of its
    own among the others, so equal numbers do not go together (compare Rodolà et al., "Partial Functional
    Correspondence", 2017, section 3). Neither count is more than twice the other.
    """
    fewest = min(fewest, *(len(values) for values in eigenvalues))
    highest = max(values[fewest - 1] for values in eigenvalues)
    source, target = (int(np.searchsorted(values, highest * (1 + 1e-9), "right")) for values in eigenvalues)
    return min(source, 2 * fewest), min(target, 2 * fewest)


# Eight parameters: two shapes and what is compared on each; a class that holds them would have no other use.
def zoomout_refine(
    source: SpectralMesh,
    target: SpectralMesh,
    bases: PairOfFloats,
    eigenvalues: PairOfFloats,
    extra: PairOfFloats,
    maps: PointMaps,
    first: int,
    tick: Callable[[], None],
) -> tuple[PointMaps, Floats]:
    """Refine maps both ways with more and more basis functions.

    Args:
        source, target: the meshes whose points are matched.
        bases: smooth functions of each, (P, K) and (Q, L), smoothest first.
        eigenvalues: of the basis functions, ascending, (K,) and (L,).
        extra: what is compared beside the basis functions, (P, D) and (Q, D).
        maps: to start from.
        first: basis functions to start with.
        tick: called once a round; may raise Cancelled.

    Returns:
        the refined maps, and their functional map (at most L, at most K).
    """
    most = min(len(values) for values in eigenvalues)
    count = min(first, most)
    while True:
        tick()
        counts = matching_counts(eigenvalues, count)
        used = bases[0][:, : counts[0]], bases[1][:, : counts[1]]
        maps = maps_from(used, extra, functional_map(source, target, used, maps))
        if max(counts[0] / len(eigenvalues[0]), counts[1] / len(eigenvalues[1])) >= 1:
            return maps, functional_map(source, target, used, maps)
        count = min(count + max(2, count // 4), most)
