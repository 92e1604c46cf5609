"""Points on or within a surface, moved to where the surface around them goes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..data.snapshot import Snapshot
from ..data.surface_map import SurfaceMap
from ..geometry.arrays import Floats
from ..geometry.coarsening import CoarseMesh, coarsen
from ..geometry.mean_value import carry_points
from ..geometry.rigid_motions import similarity_alignment

POINT_SURFACE = 8_000
"""Vertices, at most about, of the surface that points are expressed by. Chosen."""


def carried_points(
    points: Floats, source: Snapshot, target: Snapshot, to_target: SurfaceMap, progress: Callable[[float], None]
) -> Floats:
    """Points (N, 3) of the source's frame in the target's, float64 (N, 3).

    Each is a mixture of all vertices of the source's surface, to which those near and around it contribute most (mean
    value coordinates: Ju, Schaefer and Warren, "Mean Value Coordinates for Closed Triangular Meshes", SIGGRAPH 2005).
    The same mixture of the mapped vertices is its new place, so that errors of the map average out.

    Args:
        points: (N, 3).
        source, target: the two shapes, each in any pose.
        to_target: every source vertex's point on the target.
        progress: told the share done; may raise Cancelled.
    """
    coarse, mapped = coarse_map(source, to_target.pull(target.vertices, target.faces), POINT_SURFACE)
    return carry_points(np.asarray(points, np.float64), coarse.vertices, coarse.faces, mapped, progress)


def coarse_map(source: Snapshot, mapped: Floats, most: int) -> tuple[CoarseMesh, Floats]:
    """The source's surface with so many vertices at most, about, and where these go, float64 (P, 3).

    Args:
        source: the shape.
        mapped: (V, 3), where each of its vertices goes.
        most: how many vertices.
    """
    coarse = coarsen(source.vertices, source.faces, most)
    moved = mapped[coarse.vertex]
    if len(coarse.vertices) < len(np.unique(source.faces)):
        # The coarse mesh's vertices lie beside the original ones that stand for them.
        offsets = coarse.vertices - source.vertices[coarse.vertex]
        moved = moved + similarity_alignment(coarse.vertices, moved)[0] * offsets
    return coarse, moved
