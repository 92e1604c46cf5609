"""Named points of a shape, moved to another: on its surface as the surface goes, within the body as joints go."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.arrays import Floats
from ...geometry.closest_points import closest_points
from ...geometry.rigid_motions import similarity_alignment
from ..carried_points import carried_points
from ..certainty import certainty
from .interior import InteriorSettings, move_inside, winding_numbers

WITHIN = 0.5
"""Winding number of the source above which a point lies within it."""


def carried_key_points(
    points: Floats, source: Snapshot, target: Snapshot, to_target: SurfaceMap, progress: Callable[[float], None]
) -> Floats:
    """Points (N, 3) of the source's frame in the target's, float64 (N, 3).

    All go with the surface around them (:func:`meshkin.transfer.carried_points.carried_points`). In a copy of the
    source they lie as in the source. What was within the body and came to lie outside is brought back, as deep as it
    was, as the joints of armatures are (:func:`meshkin.transfer.rig.joints.back_inside`).

    Args:
        points: (N, 3).
        source, target: the two shapes, each in any pose.
        to_target: every source vertex's point on the target.
        progress: told the share done; may raise Cancelled.
    """
    points = np.asarray(points, np.float64)
    certain = certainty(to_target, target, source)
    if certain.everywhere:
        return certain.motion.inverse().apply(points)
    moved = carried_points(points, source, target, to_target, progress)
    settings = InteriorSettings()
    lost = winding_numbers(points, source.vertices, source.faces) > WITHIN
    lost &= winding_numbers(moved, target.vertices, target.faces) < settings.winding
    if lost.any():
        scale, _ = similarity_alignment(
            np.asarray(source.vertices, np.float64), to_target.pull(target.vertices, target.faces)
        )
        square = closest_points(points[lost], source.vertices, source.faces).square
        depths = scale * np.sqrt(np.maximum(square, 0))
        moved[lost] = move_inside(moved[lost], depths, target.vertices, target.faces, settings)
    return moved
