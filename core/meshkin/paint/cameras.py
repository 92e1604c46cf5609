"""Where the cameras stand, and what is said about each in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data import views as cameras
from ..data.snapshot import Snapshot
from ..data.views import Views
from ..geometry.arrays import Floats
from .settings import ABOVE

AROUND_ELEVATION = 15.0
"""Elevation of the views around an object, degrees. Chosen: as high as one looks at a figure that stands on a table."""
ABOVE_ELEVATION = 60.0
"""Elevation of the two views from above, degrees. Chosen: they still show the front and the back."""
FRONT, SIDE, STEEP = 45.0, 135.0, 0.9
"""Degrees from the front up to which a view shows the front, and up to which a side; height of a unit direction from
which it is one from above. Chosen."""


def rig(shape: Snapshot, around: int, resolution: int, more: Sequence[Floats] = ()) -> Views:
    """The cameras: so many around the shape, beginning at the front (-Y), two from above, and more directions (3,).

    Raises as :func:`meshkin.data.views.frame`.
    """
    directions = cameras.ring_directions(((AROUND_ELEVATION, around), (ABOVE_ELEVATION, ABOVE)))
    for direction in more:
        near = directions @ direction > 1 - 1e-6
        directions = np.vstack((directions[~near], direction))
    return cameras.frame(shape.vertices[np.unique(shape.faces)], directions, resolution)


def side_in_words(direction: Floats) -> str:
    """What a camera in this direction (3,) sees of an object whose front is -Y, for a prompt."""
    if abs(direction[2]) > STEEP:
        return "top view" if direction[2] > 0 else "bottom view"
    away = abs(np.degrees(np.arctan2(direction[0], -direction[1])))
    return "front view" if away <= FRONT else "side view" if away <= SIDE else "back view"


def neighbors(views: Views) -> list[tuple[int, ...]]:
    """For each view itself and the two whose cameras stand nearest, as numbers of views."""
    directions = views.rotation[:, 2]
    order = np.argsort(-(directions @ directions.T), axis=1, kind="stable")
    others = [[int(other) for other in row if other != number] for number, row in enumerate(order)]
    return [(number, *row[:2]) for number, row in enumerate(others)]


def front(views: Views) -> int:
    """The number of the view that shows most of the front."""
    return int(np.argmin(views.rotation[:, 2, 1]))
