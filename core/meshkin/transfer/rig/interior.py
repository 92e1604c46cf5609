"""Points that lie outside of a closed surface, moved inside."""

from __future__ import annotations

from dataclasses import dataclass

import igl
import numpy as np
from numpy.typing import NDArray

from ...geometry.arrays import Floats, unit_rows
from ...geometry.closest_points import closest_points
from ...geometry.mesh import bounding_diagonal, face_vectors


@dataclass(frozen=True)
class InteriorSettings:
    """How a way into a body is found. All values are chosen.

    Attributes:
        steps: number of points tried along the way inwards; they lie closer together near the surface, because fingers
            are thin.
        reach: length of that way, in diagonals of the body's bounding box.
        winding: winding number above which a point on the way counts as inside; a little above 1/2, so that points do
            not end on the surface itself.
    """

    steps: int = 48
    reach: float = 0.25
    winding: float = 0.55


def winding_numbers(points: Floats, vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> Floats:
    """The winding number of a surface around points (N, 3): about 1 inside, 0 outside, float64 (N,)."""
    return np.asarray(
        igl.fast_winding_number(np.asarray(vertices, np.float64), np.asarray(faces, np.int64), points), np.float64
    )


def move_inside(
    points: Floats,
    depths: Floats,
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    settings: InteriorSettings = InteriorSettings(),
) -> Floats:
    """Points (N, 3) outside of a surface, moved into the body behind the nearest point of the surface.

    From there they go straight inwards, by their depth (N,), or half of the way that is inside if that is less. If no
    point on the way is inside, they end on the surface.
    """
    nearest = closest_points(points, vertices, faces)
    inward = -unit_rows(face_vectors(vertices, faces[nearest.face]))
    reach = settings.reach * bounding_diagonal(np.asarray(vertices, np.float64))
    steps = reach * (np.arange(1, settings.steps + 1) / settings.steps) ** 2
    tried = nearest.point[:, None] + steps[None, :, None] * inward[:, None]
    inside = winding_numbers(tried.reshape(-1, 3), vertices, faces).reshape(len(points), -1) > settings.winding
    entered = np.cumsum(inside, axis=1) > 0
    left = np.cumsum(entered & ~inside, axis=1) > 0
    first_stretch = entered & ~left
    last = np.where(first_stretch, steps, 0).max(axis=1)
    first = np.where(first_stretch, steps, reach).min(axis=1)
    moved = np.clip(depths, first, np.maximum((first + last) / 2, first))
    return np.asarray(nearest.point + np.where(first_stretch.any(axis=1), moved, 0)[:, None] * inward)
