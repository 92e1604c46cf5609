"""Texture filled in over the target's surface where the map is not trusted, as fine as its texels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...geometry.arrays import Integers, Singles
from ...geometry.filling import solve_harmonic
from ...geometry.welding import place_numbers
from ..carrier import PointCarrier
from .settings import InpaintingSettings

Values = Callable[[Integers, Singles], NDArray[np.floating]]
"""Values (N, C) at points of the surface: triangles (N,) and barycentric coordinates (N, 3)."""


@dataclass(frozen=True)
class Lattice:
    """Values over some triangles of a surface, each cut into ``cuts`` x ``cuts`` pieces by a lattice of points.

    Attributes:
        cuts: pieces of each edge.
        row: int64 (F,), each triangle's row in ``points``, -1 for none.
        points: int64 (R, P), the numbers of the points of each triangle's lattice, ordered by the second, then by the
            third barycentric coordinate; neighboring triangles share points.
        values: float32 (K, C) at the points.
    """

    cuts: int
    row: Integers
    points: Integers
    values: Singles

    def at(self, face: NDArray[np.integer], weights: Singles) -> Singles:
        """Values at points of the surface, float32 (N, C), linear inside each piece; 0 outside of the triangles.

        Args:
            face: (N,), triangles.
            weights: (N, 3), barycentric coordinates in them.
        """
        row = self.row[face]
        inside = np.flatnonzero(row >= 0)
        result = np.zeros((len(face), self.values.shape[1]), np.float32)
        points = self.points[row[inside]]
        second, third = (np.maximum(weights[inside, k], 0) * self.cuts for k in (1, 2))
        i = np.minimum(second.astype(np.int64), self.cuts - 1)
        j = np.minimum(third.astype(np.int64), self.cuts - 1 - i)
        along, up = np.clip(second - i, 0, 1), np.clip(third - j, 0, 1)
        upper = (along + up > 1) & (i + j + 1 < self.cuts)
        corners = (
            np.where(upper, _lattice_index(i + 1, j + 1, self.cuts), _lattice_index(i, j, self.cuts)),
            _lattice_index(i + 1, j, self.cuts),
            _lattice_index(i, j + 1, self.cuts),
        )
        shares = (
            np.where(upper, along + up - 1, np.maximum(1 - along - up, 0)),
            np.where(upper, 1 - up, along),
            np.where(upper, 1 - along, up),
        )
        for corner, share in zip(corners, shares, strict=True):
            point = np.take_along_axis(points, corner[:, None], axis=1)[:, 0]
            result[inside] += self.values[point] * share[:, None].astype(np.float32)
        return result


def filled_share(confidence: Singles, threshold: float, settings: InpaintingSettings = InpaintingSettings()) -> Singles:
    """How far texture is filled in rather than copied where the map has some confidence, float32 (N,): 1 up to the
    threshold, then falling smoothly to 0."""
    share = np.clip((threshold + settings.fade - confidence) / settings.fade, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def faces_to_fill(
    target: Snapshot, carrier: PointCarrier, threshold: float, settings: InpaintingSettings
) -> NDArray[np.bool_]:
    """The triangles of the target where the map is torn or not trusted, and all that touch these: bool (G,).

    There are none if the ``threshold`` is 0.
    """
    if threshold <= 0:
        return np.zeros(len(target.faces), bool)
    confidence = carrier.to_source.confidence[target.faces]
    doubtful = (confidence.min(axis=1) < threshold + settings.fade) | carrier.torn
    touched = np.zeros(len(target.vertices), bool)
    touched[target.faces[doubtful]] = True
    place = place_numbers(target.vertices)
    near = np.zeros(place.max() + 1, bool)
    near[place[touched]] = True
    return np.asarray(near[place[target.faces]].any(axis=1))


def cuts_for(uvs: NDArray[np.floating], size: int, settings: InpaintingSettings) -> int:
    """Into how many pieces to cut the edges of triangles (F, 3, 2) that are shown in a picture of ``size`` pixels."""
    edges = uvs - np.roll(uvs, 1, axis=1)
    length = float(np.median(np.linalg.norm(edges, axis=2).max(axis=1))) * size
    return max(1, round(length / settings.piece))


def inpaint(
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    chosen: NDArray[np.bool_],
    known: Callable[[Integers, Singles], NDArray[np.bool_]],
    values: Values,
    cuts: int,
    settings: InpaintingSettings = InpaintingSettings(),
) -> Lattice:
    """Fill in values over some triangles: harmonic between the points where they are known.

    The triangles are cut into small ones, so that what is known at their border is met in detail; the Laplace equation
    is solved on them all, also across UV seams and where a mesh is cut open. A region with nothing known around it
    takes the values of the nearest known point in space.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        chosen: bool (F,), the triangles to fill; with all that touch them, so that there is a border.
        known: whether the values at points, given as to ``values``, are known: bool (N,).
        values: the values at points.
        cuts: pieces of each edge wanted; fewer are made where that would be too many.
        settings: the limits.
    """
    triangles = np.flatnonzero(chosen)
    most_cuts = min(cuts, np.sqrt(2 * settings.most_points / max(len(triangles), 1)))
    cuts = int(np.clip(most_cuts, 1, settings.most_cuts))
    i, j = np.nonzero(np.add.outer(np.arange(cuts + 1), np.arange(cuts + 1)) <= cuts)
    lattice = np.stack([cuts - i - j, i, j], axis=1) / cuts
    row = np.full(len(faces), -1)
    row[triangles] = np.arange(len(triangles))
    vertices = np.asarray(vertices, np.float64)
    positions = np.einsum("pk,fkd->fpd", lattice, vertices[faces[triangles]]).reshape(-1, 3)
    size = np.ptp(vertices, axis=0).max() or 1.0
    # Points closer than a two-millionth of the size are one, so that neighboring triangles share those on their edge.
    point = place_numbers(np.round((positions - vertices.min(axis=0)) / size * 2**21))
    count = int(point.max(initial=-1)) + 1
    # Of the lattice points of all triangles that are at one point, one stands for all: a known one, if there is one.
    sample = np.empty(count, np.int64)
    sample[point] = np.arange(len(point))
    face = np.repeat(triangles, len(lattice))
    weights = np.tile(lattice.astype(np.float32), (len(triangles), 1))
    is_known = known(face, weights)
    point_is_known = np.zeros(count, bool)
    point_is_known[point[is_known]] = True
    sample[point[is_known]] = np.flatnonzero(is_known)
    filled = np.zeros((count, 0))
    points = point.reshape(len(triangles), -1)
    if count:
        filled = np.array(values(face[sample], weights[sample]), np.float64)
        solve_harmonic(filled, point_is_known, positions[sample], points[:, _pieces(cuts)].reshape(-1, 3))
    return Lattice(cuts, row, points, filled.astype(np.float32))


def _lattice_index(i: Integers, j: Integers, cuts: int) -> Integers:
    """The index of a point of a triangle's lattice; row ``i`` has ``cuts + 1 - i`` points."""
    return np.asarray(i * (cuts + 1) - i * (i - 1) // 2 + j)


def _pieces(cuts: int) -> Integers:
    """The triangles of a lattice, int64 (cuts^2, 3), as indices of its points."""
    i, j = np.nonzero(np.add.outer(np.arange(cuts), np.arange(cuts)) < cuts)
    lower = [_lattice_index(i, j, cuts), _lattice_index(i + 1, j, cuts), _lattice_index(i, j + 1, cuts)]
    i, j = i[i + j + 1 < cuts], j[i + j + 1 < cuts]
    upper = [_lattice_index(i + 1, j + 1, cuts), _lattice_index(i, j + 1, cuts), _lattice_index(i + 1, j, cuts)]
    return np.concatenate([np.stack(lower, axis=1), np.stack(upper, axis=1)])
