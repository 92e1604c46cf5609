"""Mean value coordinates: points in or around a surface, expressed by the whole surface."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .arrays import AnyIntegers, Floats
from .rigid_motions import similarity_alignment

POINTS_PER_REPORT = 16
"""Points between two calls of ``progress``. Chosen."""
ON_SURFACE = 1e-9
"""Distance from a vertex up to which a point takes that vertex alone, in distances to the farthest vertex. Chosen."""
LEAST_TOTAL = 1e-2
"""Least sum of the coordinates, in sums of their magnitudes; below it, cancellation leaves too few digits. Chosen."""

MOST_MAGNIFIED = 2.0
"""Sum of the magnitudes of a carried point's coordinates, at most: within a closed surface it is 1 or a little more.
Beside a surface, as between the parts of a body, or in a gap of it, coordinates cancel each other and magnify what is
wrong with a map. Measured: shoulders and fingers of a mannequin of 61 parts came to lie 20 % of the height away with
any sum, 5 to 10 % so."""


def mean_value_coordinates(point: Floats, vertices: Floats, faces: AnyIntegers) -> Floats:
    """The share of each vertex of a closed surface at a point (3,), float64 (P,), summing to 1.

    Source: Ju, Schaefer and Warren, "Mean Value Coordinates for Closed Triangular Meshes" (SIGGRAPH 2005), figure 4. A
    point on a vertex takes this vertex alone. Where the sum of the coordinates is lost in rounding (beside an open
    sheet) shares fall with the fourth power of the distance instead.
    """
    offset = vertices - point
    distance = np.linalg.norm(offset, axis=1)
    size = float(distance.max()) or 1.0
    nearest = int(distance.argmin())
    if distance[nearest] < ON_SURFACE * size:
        return np.asarray(np.arange(len(vertices)) == nearest, np.float64)
    corners = (offset / distance[:, None])[faces]
    sides = np.stack(
        [np.linalg.norm(corners[:, (k + 1) % 3] - corners[:, (k + 2) % 3], axis=1) for k in range(3)], axis=1
    )
    angles = 2 * np.arcsin(np.clip(sides / 2, 0, 1))
    half = angles.sum(axis=1) / 2
    sines = np.sin(angles)
    volume = np.einsum("fd,fd->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = np.stack(
            [
                2 * np.sin(half) * np.sin(half - angles[:, k]) / (sines[:, (k + 1) % 3] * sines[:, (k + 2) % 3]) - 1
                for k in range(3)
            ],
            axis=1,
        )
        heights = np.sign(volume)[:, None] * np.sqrt(np.clip(1 - cosines**2, 0, None))
        # As in the paper, triangles whose plane holds the point, and those seen as a line, add nothing.
        sound = (np.abs(heights) > 1e-6).all(axis=1) & (sines > 1e-9).all(axis=1) & np.isfinite(cosines).all(axis=1)
        shares = np.zeros(len(vertices))
        for k in range(3):
            a, b = (k + 1) % 3, (k + 2) % 3
            value = angles[:, k] - cosines[:, a] * angles[:, b] - cosines[:, b] * angles[:, a]
            value /= distance[faces[:, k]] * sines[:, a] * heights[:, b]
            shares += np.bincount(faces[sound, k], value[sound], len(vertices))
    total = float(shares.sum())
    if not np.isfinite(total) or abs(total) <= LEAST_TOTAL * float(np.abs(shares).sum()):
        return shares_by_distance(point, vertices)
    return np.asarray(shares / total)


def shares_by_distance(point: Floats, vertices: Floats) -> Floats:
    """Shares (P,) of vertices (P, 3) at a point that fall with the fourth power of the distance, summing to 1."""
    distance = np.linalg.norm(vertices - point, axis=1)
    shares = 1 / (distance + 1e-3 * (float(distance.max()) or 1.0)) ** 4
    return np.asarray(shares / shares.sum())


def carry_points(
    points: Floats,
    vertices: Floats,
    faces: AnyIntegers,
    moved: Floats,
    progress: Callable[[float], None] = lambda share: None,
) -> Floats:
    """Where points (N, 3) in or around a surface go when its vertices go from ``vertices`` (P, 3) to ``moved`` (P, 3).

    Exact for translations, rotations and scales also where the surface is open. Where mean value coordinates would
    magnify what is wrong with ``moved`` (:data:`MOST_MAGNIFIED`), distances stand in for them. ``progress`` is told the
    share done and may raise Cancelled.
    """
    scale, rotation = similarity_alignment(vertices, moved)
    result = np.empty((len(points), 3))
    for index, point in enumerate(points):
        if index % POINTS_PER_REPORT == 0:
            progress(index / len(points))
        shares = mean_value_coordinates(point, vertices, faces)
        if np.abs(shares).sum() > MOST_MAGNIFIED:
            shares = shares_by_distance(point, vertices)
        rest = point - shares @ vertices
        result[index] = shares @ moved + scale * rotation.apply(rest)
    return result
