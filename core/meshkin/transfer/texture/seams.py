"""The seams of a UV layout: where the surface goes on and the layout does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...geometry.arrays import Floats, Integers, Singles, expand
from ...geometry.welding import uv_corners
from .usable_uvs import MOST_TILES

SAME_SPOT = 0.02
"""Spots on a seam that are no farther apart than this are one, texels. Chosen."""
LEAST_SHOWN_AREA = 1e-6
"""Twice the area, in texels, below which a triangle shows nothing. Chosen."""


@dataclass(frozen=True)
class SeamSpots:
    """Spots along the seams of a UV layout, seen from both sides.

    Attributes:
        faces: int64 (2, N), the triangles that meet there.
        weights: float32 (2, N, 3), barycentric coordinates of the spot in each.
        texels: int64 (2, N, 4), the texels from which a renderer interpolates what it shows on each side; those of the
            second tile of the layout are numbered after those of the first, and so on.
        shares: float32 (2, N, 4), how much of each texel it shows.
    """

    faces: Integers
    weights: Singles
    texels: Integers
    shares: Singles

    def steps(self, values: Singles) -> Singles:
        """The first side's values minus the second's, float32 (N, C), of a picture's texels (P, C)."""
        first, second = (
            np.einsum("nk,nkc->nc", shares, values[texels])
            for texels, shares in zip(self.texels, self.shares, strict=True)
        )
        return np.asarray(first - second)

    def contrast(self, values: Singles) -> Singles:
        """How far all eight texels are apart, in the channel where that is most, float32 (N,)."""
        shown = values[self.texels]
        return np.asarray((shown.max(axis=(0, 2)) - shown.min(axis=(0, 2))).max(axis=1))

    def chosen(self, rows: NDArray[Any]) -> SeamSpots:
        """Some of the spots."""
        return SeamSpots(self.faces[:, rows], self.weights[:, rows], self.texels[:, rows], self.shares[:, rows])


def seam_spots(
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    uvs: NDArray[np.floating],
    size: int,
    tiles: Sequence[tuple[int, int]] | None,
    repeat: bool,
) -> SeamSpots:
    """The spots along a layout's seams at which its two sides have to agree.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        uvs: (F, 3, 2) of the triangles.
        size: width of the square pictures, texels.
        tiles: the corners of the unit squares of UVs that have a picture; None for one picture.
        repeat: whether that one is repeated outside; else its border goes on, as that of tiles does.
    """
    exact = np.asarray(uvs, np.float64)
    place = places_by_position(vertices)
    first, second = cut_edges(place[faces], uv_corners(place, faces, uvs))
    edges = exact - np.roll(exact, 1, axis=1)
    doubled = np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0])
    shown = doubled * size * size > LEAST_SHOWN_AREA
    number = np.zeros(len(exact), np.int64)
    if tiles is not None:
        corner = np.floor(exact.mean(axis=1)).astype(np.int64)
        number[:] = -1
        for index, tile in enumerate(tiles):
            number[(corner == tile).all(axis=1)] = index
        exact = exact - corner[:, None]
    both = (shown & (number >= 0))[np.stack([first, second]) // 3].all(axis=0)
    first, second = first[both], second[both]
    # An edge is numbered by the corner that it begins at; the other side runs along it backwards.
    start = exact.reshape(-1, 2)[[first, next_corners(second)]]
    end = exact.reshape(-1, 2)[[next_corners(first), second]]
    short = np.linalg.norm(end - start, axis=2).max(axis=0) <= MOST_TILES  # texel_map refuses layouts with longer ones
    first, second, start, end = first[short], second[short], start[:, short], end[:, short]
    edge, along = _spots(start * size - 0.5, end * size - 0.5)
    spots = start[:, edge] + along[:, None] * (end - start)[:, edge]
    sides = np.stack([first, second])[:, edge]
    texels, shares = _bilinear(spots, size, repeat)
    texels += number[sides // 3][..., None] * size * size
    return SeamSpots(sides // 3, weights_on_edges(sides, along), texels, shares)


def unshared(texels: Integers, low: NDArray[np.integer], high: NDArray[np.integer], count: int) -> NDArray[np.bool_]:
    """At which spots all texels have one label only, at whatever spot they are seen: bool (N,).

    Args:
        texels: (2, N, 4), of :class:`SeamSpots`.
        low, high: (2, N, 4), the least and the greatest label that each texel has at each spot.
        count: how many texels there are.
    """
    lowest, highest = np.full(count, np.iinfo(np.int32).max, np.int32), np.full(count, -1, np.int32)
    np.minimum.at(lowest, texels.ravel(), low.ravel().astype(np.int32))
    np.maximum.at(highest, texels.ravel(), high.ravel().astype(np.int32))
    return np.asarray((lowest[texels] == highest[texels]).all(axis=(0, 2)))


def places_by_position(vertices: NDArray[np.floating]) -> Integers:
    """The number of each vertex's place, int64 (V,), equal for vertices at the same place.

    Places are numbered by their coordinates, so that which side of a seam is the first, and with it the rounding of a
    baked texture, does not depend on the order of the vertices.
    """
    rows = np.asarray(vertices, np.float32) + np.float32(0)  # no minus zeros
    keys = rows.view(np.uint32).T
    order = np.lexsort(keys)
    ordered = keys[:, order]
    number = np.zeros(len(rows), np.int64)
    number[order[1:]] = np.cumsum((ordered[:, 1:] != ordered[:, :-1]).any(axis=0))
    return number


def cut_edges(ends: Integers, corners: Integers) -> tuple[Integers, Integers]:
    """Pairs of triangles' edges that are one edge of the surface but two of the layout, each once: int64 (E,) twice.

    An edge has the number of the corner, of all triangles' corners, at which it begins.

    Args:
        ends: (F, 3), the place of each corner.
        corners: (F, 3), a number for each corner, equal where both place and UV are.
    """
    start, end = ends.ravel().astype(np.int64), np.roll(ends, -1, axis=1).ravel().astype(np.int64)
    count = int(ends.max(initial=0)) + 1
    order = np.argsort(start * count + end, kind="stable")
    keys = (start * count + end)[order]
    at = np.minimum(np.searchsorted(keys, end * count + start), max(len(keys) - 1, 0))
    twin = order[at]
    first = np.flatnonzero((keys[at] == end * count + start) & (start < end))
    second = twin[first]
    flat = corners.ravel()
    split = (flat[first] != flat[next_corners(second)]) | (flat[next_corners(first)] != flat[second])
    return first[split], second[split]


def next_corners(corners: Integers) -> Integers:
    """The corner after each, around its triangle; corners of all triangles are numbered in a row."""
    return np.asarray(corners - corners % 3 + (corners + 1) % 3)


def evenly_spaced(counts: Integers) -> tuple[Integers, Floats]:
    """``counts`` (E,) places spaced evenly along some edges: the edge of each, int64 (N,), and how far along it, (N,),
    in [0, 1]."""
    edge, number = expand(counts)
    return edge, (number + 0.5) / counts[edge]


def weights_on_edges(sides: Integers, along: Floats) -> Singles:
    """Barycentric coordinates, float32 (2, N, 3), of places along edges, seen from both sides.

    Args:
        sides: (2, N), the edge's number on each side (:func:`cut_edges`).
        along: (N,), how far along, from where the first side begins.
    """
    weights = np.zeros((*sides.shape, 3), np.float32)
    rows = np.arange(sides.shape[1])
    for side, share in ((0, along), (1, 1 - along)):
        weights[side, rows, sides[side] % 3] = 1 - share
        weights[side, rows, next_corners(sides[side]) % 3] = share
    return weights


def _spots(start: Floats, end: Floats) -> tuple[Integers, Floats]:
    """Where along edges the two sides have to agree: the edge of each spot, int64 (N,), and how far along it, (N,).

    What a renderer shows along an edge is a quadratic function between two crossings of the edge, on either side, with
    the lines through the texels' centers. The spots are the ends and the middle of each such piece.

    Args:
        start, end: (2, E, 2), of the edges on each side, in texels, whose centers lie at whole numbers.
    """
    low, high = np.minimum(start, end), np.maximum(start, end)
    first = np.ceil(low)
    crossed, number = expand(np.maximum(np.floor(high) - first + 1, 0).astype(np.int64).ravel())
    span = (end - start).ravel()[crossed]
    moving = np.flatnonzero(np.abs(span) > 1e-9)
    crossed, number, span = crossed[moving], number[moving], span[moving]
    along = (first.ravel()[crossed] + number - start.ravel()[crossed]) / span
    count = start.shape[1]
    edge = np.concatenate([crossed // 2 % count, np.arange(count), np.arange(count)])
    along = np.concatenate([along, np.zeros(count), np.ones(count)])
    order = np.lexsort((along, edge))
    edge, along = edge[order], along[order]
    length = np.linalg.norm(end - start, axis=2).max(axis=0)
    gap = np.diff(along) * length[edge[1:]]
    inner = np.flatnonzero((edge[1:] == edge[:-1]) & (gap > SAME_SPOT))
    kept = np.concatenate([[True], (edge[1:] != edge[:-1]) | (gap > SAME_SPOT)])[: len(edge)]
    middle = (along[inner] + along[inner + 1]) / 2
    return np.concatenate([edge[kept], edge[inner]]), np.concatenate([along[kept], middle])


def _bilinear(spots: Floats, size: int, repeat: bool) -> tuple[Integers, Singles]:
    """The four texels around UVs (…, 2) of a picture, and their shares: (…, 4) each."""
    x, y = spots[..., 0] * size - 0.5, (1 - spots[..., 1]) * size - 0.5
    left, top = np.floor(x), np.floor(y)
    right, bottom = x - left, y - top
    columns, rows = (
        [number % size if repeat else np.clip(number, 0, size - 1) for number in (first, first + 1)]
        for first in (left.astype(np.int64), top.astype(np.int64))
    )
    texels = [rows[i] * size + columns[j] for i in (0, 1) for j in (0, 1)]
    shares = [(bottom if i else 1 - bottom) * (right if j else 1 - right) for i in (0, 1) for j in (0, 1)]
    return np.stack(texels, axis=-1), np.stack(shares, axis=-1).astype(np.float32)
