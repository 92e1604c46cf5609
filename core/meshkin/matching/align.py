"""Two shapes brought into one space, in which each point's kin is its nearest neighbour.

Features alone leave left and right open and are noisy. So the shapes are matched without regard to the side first
(through functions that are the same on both), then each side is given the one of the other's that keeps triangles the
right way round, and last all is refined together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..progress import Report
from .mirror import Mirror, find_mirror
from .spectral import Floats, Indices, Shape, nearest_rows, orientation, refine, shape

SIDE_WEIGHT = 0.5
"""Of the side against functions and features, whose total variances are 1."""
FIRST = 6
"""Functions that refining without sides starts from."""
FIRST_WITH_SIDES = 20
"""Functions that refining with sides starts from."""
CONSTANT = 1.5
"""A coordinate that is the same everywhere: with it, comparing directions is comparing distances."""


@dataclass(frozen=True)
class Alignment:
    """Two shapes in one space.

    Attributes:
        source: float32 (U, D), a row for each source vertex.
        target: float32 (V, D), likewise.
        orientation: share of the triangles that keep their orientation under the map found.
        sided: whether left and right were told apart by the shapes' own mirror maps.
    """

    source: NDArray[np.float32]
    target: NDArray[np.float32]
    orientation: float
    sided: bool


def align(
    source: tuple[NDArray[np.floating], NDArray[np.integer]],
    target: tuple[NDArray[np.floating], NDArray[np.integer]],
    features: tuple[NDArray[np.float32], NDArray[np.float32]],
    report: Report,
) -> Alignment | None:
    """Bring two surfaces into one space.

    Args:
        source, target: vertices (V, 3) and faces (F, 3) of each.
        features: (U, C) and (V, C), centred, comparable.
        report: told what is being done; may raise Cancelled.

    Returns:
        None where a shape is too small to have smooth functions.
    """
    report("Finding smooth functions", 0.0)
    scale = np.sqrt(sum(float((part**2).sum(axis=1).mean()) for part in features) / 2) or 1.0
    one = shape(*source, features[0] / np.float32(scale))
    report("Finding smooth functions", 0.5)
    two = shape(*target, features[1] / np.float32(scale))
    if min(one.functions.shape[1], two.functions.shape[1]) < FIRST_WITH_SIDES:
        return None
    rounds = 0

    def tick() -> None:
        nonlocal rounds
        rounds += 1
        report("Telling left from right", 1 - 0.97**rounds)

    start = nearest_rows(one.features, two.features), nearest_rows(two.features, one.features)
    mirrors = find_mirror(one, tick), find_mirror(two, tick)
    if mirrors[0] is not None and mirrors[1] is not None:
        maps, sides, kept = _with_sides(one, two, (mirrors[0], mirrors[1]), start, tick)
    else:
        sides = np.zeros((len(one.points), 1)), np.zeros((len(two.points), 1))
        extra = one.features.astype(np.float64), two.features.astype(np.float64)
        maps = refine(one, two, one.functions, two.functions, extra, *start, FIRST_WITH_SIDES, tick)
        kept = orientation(two, one, maps[0])
    ends = _embeddings(one, two, sides, maps)
    return Alignment(
        np.asarray(one.prolong @ ends[0], np.float32),
        np.asarray(two.prolong @ ends[1], np.float32),
        kept,
        None not in mirrors,
    )


def _with_sides(
    one: Shape, two: Shape, mirrors: tuple[Mirror, Mirror], start: tuple[Indices, Indices], tick: Callable[[], None]
) -> tuple[tuple[Indices, Indices], tuple[Floats, Floats], float]:
    """Maps both ways, the sides as coordinates, and the share of triangles that keep their orientation."""
    halves = _same_on_both_sides(one, mirrors[0]), _same_on_both_sides(two, mirrors[1])
    folded = refine(one, two, mirrors[0].symmetric, mirrors[1].symmetric, halves, *start, FIRST, tick)
    best = None
    for sign in (1.0, -1.0):
        sides = mirrors[0].side[:, None] * SIDE_WEIGHT, mirrors[1].side[:, None] * (sign * SIDE_WEIGHT)
        lifted = (
            _lifted(folded[0], mirrors[0], sides[0], sides[1]),
            _lifted(folded[1], mirrors[1], sides[1], sides[0]),
        )
        extra: tuple[Floats, Floats] = np.hstack((one.features, sides[0])), np.hstack((two.features, sides[1]))
        maps = refine(one, two, one.functions, two.functions, extra, *lifted, FIRST_WITH_SIDES, tick)
        kept = orientation(two, one, maps[0])
        if best is None or kept > best[2]:
            best = maps, sides, kept
    assert best is not None
    return best


def _same_on_both_sides(end: Shape, mirror: Mirror) -> Floats:
    features: Floats = (end.features + end.features[mirror.twin]).astype(np.float64) / 2
    return features


def _lifted(folded: Indices, mirror: Mirror, side: Floats, other: Floats) -> Indices:
    """A map that does not care for sides, with each answer or its twin taken, whichever lies on the asker's side."""
    wrong = side[folded, 0] * other[:, 0] < 0
    return np.where(wrong, mirror.twin[folded], folded)


def _embeddings(
    one: Shape, two: Shape, sides: tuple[Floats, Floats], maps: tuple[Indices, Indices]
) -> tuple[Floats, Floats]:
    """Coordinates in which the refined maps are nearest neighbours: functions (the target's taken to the source's by
    the maps' matrix), features, sides, and a constant."""
    pulled = two.functions.T @ (two.mass[:, None] * one.functions[maps[0]])
    pushed = (one.functions.T @ (one.mass[:, None] * two.functions[maps[1]])).T
    scale = np.sqrt(one.functions.shape[1])
    ends = one.functions / scale, two.functions @ ((pulled + pushed) / 2) / scale
    constant = (np.full((len(end), 1), CONSTANT) for end in ends)
    features = one.features, two.features
    parts = zip(ends, features, sides, constant, strict=True)
    first, second = (np.hstack(part) for part in parts)
    return first, second
