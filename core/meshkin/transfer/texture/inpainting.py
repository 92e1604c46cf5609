"""Values filled in over a surface from where they are known, as fine as its texels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...geometry.arrays import Floats, Integers
from ...geometry.filling import solve_harmonic
from ...geometry.welding import place_numbers

Singles = NDArray[np.float32]
Sample = Callable[[Integers, Singles], Floats]
"""Values (N, C) at points of the surface: triangles (N,) and barycentric coordinates (N, 3)."""
POINTS = 150_000
"""About as many points as are solved for at most."""
FINEST = 64
"""Most pieces that a triangle's edge is cut into."""


@dataclass(frozen=True)
class Fill:
    """Values over some triangles of a surface, each cut into ``cuts`` x ``cuts`` pieces.

    Attributes:
        cuts: pieces of each edge.
        number: int64 (F,), each triangle's row in ``points``, -1 for none.
        points: int64 (R, P), the points of each triangle's lattice, ordered by the second, then the third coordinate.
        values: float32 (K, C) at the points.
    """

    cuts: int
    number: Integers
    points: Integers
    values: Singles

    def at(self, face: NDArray[np.integer], barycentric: Singles) -> Singles:
        """Values float32 (N, C), straight inside each piece; 0 in triangles that are not filled."""
        row = self.number[face]
        inside = np.flatnonzero(row >= 0)
        result = np.zeros((len(face), self.values.shape[1]), np.float32)
        points = self.points[row[inside]]
        second, third = (np.maximum(barycentric[inside, k], 0) * self.cuts for k in (1, 2))
        i = np.minimum(second.astype(np.int64), self.cuts - 1)
        j = np.minimum(third.astype(np.int64), self.cuts - 1 - i)
        along, up = np.clip(second - i, 0, 1), np.clip(third - j, 0, 1)
        upper = (along + up > 1) & (i + j + 1 < self.cuts)
        corner = np.where(upper, self._at(i + 1, j + 1), self._at(i, j))
        weights = (
            np.where(upper, along + up - 1, np.maximum(1 - along - up, 0)),
            np.where(upper, 1 - up, along),
            np.where(upper, 1 - along, up),
        )
        for index, weight in zip((corner, self._at(i + 1, j), self._at(i, j + 1)), weights, strict=True):
            found = np.take_along_axis(points, index[:, None], axis=1)[:, 0]
            result[inside] += self.values[found] * weight[:, None].astype(np.float32)
        return result

    def _at(self, i: Integers, j: Integers) -> Integers:
        """Number of a lattice point of a triangle: row ``i`` has ``cuts + 1 - i`` points."""
        return i * (self.cuts + 1) - i * (i - 1) // 2 + j


def fill(
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    chosen: NDArray[np.bool_],
    known: Callable[[Integers, Singles], NDArray[np.bool_]],
    sample: Sample,
    cuts: int,
) -> Fill:
    """Fill in values over some triangles: harmonic between the points where they are known.

    The triangles are cut into small ones, so that what is known at their border is met in detail; the Laplace equation
    is solved on them all, also across UV seams and where a mesh is cut open. A region with nothing known around it
    takes the values of the nearest known point in space.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        chosen: bool (F,), the triangles to fill; with all that touch them, so that there is a border.
        known: whether the values at points (triangles (N,), barycentric (N, 3)) are known, bool (N,).
        sample: the values there.
        cuts: pieces of each edge wanted; fewer are made where that would be too many.
    """
    triangles = np.flatnonzero(chosen)
    cuts = int(np.clip(min(cuts, np.sqrt(2 * POINTS / max(len(triangles), 1))), 1, FINEST))
    i, j = np.nonzero(np.add.outer(np.arange(cuts + 1), np.arange(cuts + 1)) <= cuts)
    lattice = np.stack([cuts - i - j, i, j], axis=1) / cuts
    number = np.full(len(faces), -1)
    number[triangles] = np.arange(len(triangles))
    vertices = np.asarray(vertices, np.float64)
    spots = np.einsum("pk,fkd->fpd", lattice, vertices[faces[triangles]])
    size = np.ptp(vertices, axis=0).max() or 1.0
    point = place_numbers(np.round((spots.reshape(-1, 3) - vertices.min(axis=0)) / size * 2**21))
    count = int(point.max(initial=-1)) + 1
    first = np.empty(count, np.int64)
    first[point] = np.arange(len(point))
    face = np.repeat(triangles, len(lattice))
    weights = np.tile(lattice.astype(np.float32), (len(triangles), 1))
    sure = known(face, weights)
    certain = np.zeros(count, bool)
    certain[point[sure]] = True
    first[point[sure]] = np.flatnonzero(sure)
    values = np.zeros((count, 0))
    if count:
        values = np.array(sample(face[first], weights[first]), np.float64)
        solve_harmonic(
            values,
            certain,
            spots.reshape(-1, 3)[first],
            point.reshape(len(triangles), -1)[:, _pieces(cuts)].reshape(-1, 3),
        )
    return Fill(cuts, number, point.reshape(len(triangles), -1), values.astype(np.float32))


def _pieces(cuts: int) -> Integers:
    """The triangles of a lattice, int64 (cuts^2, 3), as numbers of its points."""
    i, j = np.nonzero(np.add.outer(np.arange(cuts), np.arange(cuts)) < cuts)

    def at(i: Integers, j: Integers) -> Integers:
        return np.asarray(i * (cuts + 1) - i * (i - 1) // 2 + j)

    lower = np.stack([at(i, j), at(i + 1, j), at(i, j + 1)], axis=1)
    i, j = i[i + j + 1 < cuts], j[i + j + 1 < cuts]
    return np.concatenate([lower, np.stack([at(i + 1, j + 1), at(i, j + 1), at(i + 1, j)], axis=1)])
