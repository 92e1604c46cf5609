"""Turns that leave a shape as it is, about the axes of its frame through the middle of its box.

Only the shape counts, not its colors.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..geometry.arrays import Floats
from .record import Symmetries, numbers

FOLDS = (2, 3, 4, 5, 6, 8)
"""Turns by these shares of a full one are tried. Chosen: what people build."""
ROUND_ANGLES = (17.0, 51.0, 113.0)
"""Degrees; a shape that all of these leave as it is is round about the axis. Chosen: none is a share of a turn."""
TOLERANCE = 0.01
"""Largest distance of turned points from the surface, in diameters. Chosen: a ring of 32 vertices counts as round."""
MOST_POINTS = 500
"""Vertices that are turned, at most. Chosen: spread over the list, they find any difference that matters."""


def symmetries(vertices: Floats, distances: Callable[[Floats], Floats]) -> Symmetries:
    """The symmetries of a shape.

    Args:
        vertices: float64 (V, 3).
        distances: returns the distances (N,) of points (N, 3) from its surface.
    """
    center = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    diameter = float(np.linalg.norm(np.ptp(vertices, axis=0)))
    points = vertices[:: max(1, len(vertices) // MOST_POINTS)]

    def keeps(turn: Floats) -> bool:
        return bool(distances((points - center) @ turn.T + center).max() <= TOLERANCE * diameter)

    discrete: list[Floats] = []
    continuous: list[list[float]] = []
    for axis in np.eye(3):
        if all(keeps(turn_about(axis, angle)) for angle in ROUND_ANGLES):
            continuous.append([*numbers(axis), *numbers(center)])
            continue
        fold = max((fold for fold in FOLDS if keeps(turn_about(axis, 360 / fold))), default=1)
        discrete += [turn_about(axis, 360 * step / fold) for step in range(1, fold)]
    return Symmetries([list(numbers(_about(turn, center))) for turn in closed(discrete)], continuous)


def closed(turns: list[Floats]) -> list[Floats]:
    """All turns that a list of some leads to, one after another, without the identity."""
    found = [np.eye(3)]
    waiting = list(turns)
    while waiting:
        turn = waiting.pop()
        if any(np.abs(turn - other).max() < TOLERANCE for other in found):
            continue
        found.append(turn)
        waiting += [turn @ other for other in turns] + [other @ turn for other in turns]
    return found[1:]


def turn_about(axis: Floats, degrees: float) -> Floats:
    """The rotation (3, 3) about a unit vector (Rodrigues)."""
    cross = np.cross(np.eye(3), axis)
    angle = np.radians(degrees)
    turned: Floats = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return turned


def _about(turn: Floats, center: Floats) -> Floats:
    """A turn about a point, (4, 4)."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn, center - turn @ center
    return matrix
