"""The two sides of a UV layout's seams, brought to one color."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import lsmr

from ...geometry.arrays import expand
from ...geometry.welding import place_numbers, uv_corners
from .texels import TILES

CLOSE = 0.02
"""Spots no farther apart than this, in texels, are one."""
TOLERANCE = 0.9 / 255
"""A step smaller than this is not seen."""
HOLD = 0.02
"""How strongly texels keep their values, against one spot's wish to have no step."""
YIELD = 0.6
"""How much of that is left from one solution to the next."""
MOST = 0.1
"""The most that a covered texel is changed by at a time."""
ROUNDS = 60
"""Most rounds of the solver."""

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Seams:
    """Spots along the seams of a layout, seen from both sides.

    Attributes:
        faces: int64 (2, N), the triangles that meet there.
        barycentric: float32 (2, N, 3), the spot in each.
        texels: int64 (2, N, 4), from which a renderer mixes what it shows on each side; those of the second tile of
            the layout are numbered after those of the first, and so on.
        weights: float32 (2, N, 4).
    """

    faces: Integers
    barycentric: Singles
    texels: Integers
    weights: Singles

    def steps(self, flat: Singles) -> Singles:
        """How far the first side's color is from the second's, float32 (N, C), in a picture's texels (P, C)."""
        one, other = (
            np.einsum("nk,nkc->nc", weights, flat[texels])
            for texels, weights in zip(self.texels, self.weights, strict=True)
        )
        return np.asarray(one - other)

    def spread(self, flat: Singles) -> Singles:
        """How far all eight texels are apart, in the channel where that is most, float32 (N,)."""
        shown = flat[self.texels]
        return np.asarray((shown.max(axis=(0, 2)) - shown.min(axis=(0, 2))).max(axis=1))

    def chosen(self, rows: NDArray[Any]) -> Seams:
        """Some of the spots."""
        return Seams(self.faces[:, rows], self.barycentric[:, rows], self.texels[:, rows], self.weights[:, rows])


def seams(
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    uvs: NDArray[np.floating],
    size: int,
    tiles: Sequence[tuple[int, int]] | None,
    repeat: bool,
) -> Seams:
    """Where the surface goes on but the layout does not.

    Args:
        vertices, faces: the surface.
        uvs: (F, 3, 2) of its triangles.
        size: width of the square pictures, texels.
        tiles: the corners of the unit squares of UVs that have a picture; None for one picture.
        repeat: whether that one is repeated outside; else its border goes on, as that of tiles does.
    """
    exact = np.asarray(uvs, np.float64)
    place = place_numbers(vertices)
    first, second = cuts(place[faces], uv_corners(place, faces, uvs))
    edges = exact - np.roll(exact, 1, axis=1)
    sound = np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]) * size * size > 1e-6
    number = np.zeros(len(exact), np.int64)
    if tiles is not None:
        corner = np.floor(exact.mean(axis=1)).astype(np.int64)
        number[:] = -1
        for index, tile in enumerate(tiles):
            number[(corner == tile).all(axis=1)] = index
        exact = exact - corner[:, None]
    both = (sound & (number >= 0))[np.stack([first, second]) // 3].all(axis=0)
    first, second = first[both], second[both]
    # An edge is numbered by the corner that it begins at; the other side runs along it backwards.
    start = exact.reshape(-1, 2)[[first, following(second)]]
    end = exact.reshape(-1, 2)[[following(first), second]]
    short = np.linalg.norm(end - start, axis=2).max(axis=0) <= TILES  # longer ones are refused when they are laid out
    first, second, start, end = first[short], second[short], start[:, short], end[:, short]
    edge, along = _spots(start * size - 0.5, end * size - 0.5)
    spots = start[:, edge] + along[:, None] * (end - start)[:, edge]
    whose = np.stack([first, second])[:, edge]
    near, mixed = _bilinear(spots, size, repeat)
    near += number[whose // 3][..., None] * size * size
    return Seams(whose // 3, on_edges(whose, along), near, mixed)


def unmixed(texels: Integers, low: NDArray[np.integer], high: NDArray[np.integer], count: int) -> NDArray[np.bool_]:
    """At which spots all texels have one label only, at whatever spot they are seen: bool (N,).

    Args:
        texels: (2, N, 4).
        low, high: (2, N, 4), the least and the greatest label that each has there.
        count: how many texels there are.
    """
    lowest, highest = np.full(count, np.iinfo(np.int32).max, np.int32), np.full(count, -1, np.int32)
    np.minimum.at(lowest, texels.ravel(), low.ravel().astype(np.int32))
    np.maximum.at(highest, texels.ravel(), high.ravel().astype(np.int32))
    return np.asarray((lowest[texels] == highest[texels]).all(axis=(0, 2)))


def join(
    flat: Singles, found: Seams, rows: Integers, hold: Singles, limits: tuple[Singles, Singles], turn: int = 0
) -> Integers:
    """Change texels as little as it takes for the steps at some spots to vanish; which texels changed.

    Least squares over the texels that those spots show; other spots that show them keep the step that they have (as
    Sloan and others did for light maps), by LSMR (Fong and Saunders 2011).

    Args:
        flat: float32 (P, C), changed.
        found: the seams, their texels rows of ``flat``.
        rows: int64 (K,), the spots whose steps shall vanish.
        hold: (P,), how strongly each texel keeps its value, up to 1.
        limits: (C,) twice, the least and the greatest value of each channel.
        turn: how many solutions there have been before.
    """
    changed = np.unique(found.texels[:, rows])
    number = np.full(len(flat), -1)
    number[changed] = np.arange(len(changed))
    wanted = np.zeros(found.faces.shape[1], bool)
    wanted[rows] = True
    touching = np.flatnonzero((number[found.texels] >= 0).any(axis=(0, 2)))
    part = found.chosen(touching)
    column = np.concatenate([number[part.texels[0]], number[part.texels[1]]], axis=1)
    value = np.concatenate([part.weights[0], -part.weights[1]], axis=1)
    row = np.broadcast_to(np.arange(len(touching))[:, None], column.shape)
    free = column >= 0
    freedom = 1 / np.sqrt(HOLD * YIELD**turn * hold[changed])
    shape = (len(touching), len(changed))
    mixing = coo_array((value[free] * freedom[column[free]], (row[free], column[free])), shape=shape).tocsr()
    missing = np.where(wanted[touching, None], -part.steps(flat), 0).astype(np.float64)
    most = np.where(hold[changed] < 1, np.inf, MOST)

    def solution(matrix: csr_array, wish: Floats) -> Floats:
        change = freedom * lsmr(matrix, wish, damp=1, atol=1e-3, btol=1e-3, maxiter=ROUNDS)[0]
        return np.asarray(np.clip(change, -most, most))

    for channel in range(flat.shape[1]):
        old = flat[changed, channel]
        new = old + solution(mixing, missing[:, channel])
        low, high = limits[0][channel], limits[1][channel]
        beyond = (new < low) | (new > high)
        if beyond.any():
            # What can go no farther stays there, and the others do without it.
            fixed = np.where(beyond, np.clip(new, low, high) - old, 0)
            others = mixing.copy()
            others.data[beyond[others.indices]] = 0
            new = old + fixed + np.where(beyond, 0, solution(others, missing[:, channel] - mixing @ (fixed / freedom)))
        flat[changed, channel] = np.clip(new, low, high)
    return changed


def cuts(ends: Integers, corner: Integers) -> tuple[Integers, Integers]:
    """Pairs of triangles' edges that are one edge of the surface but two of the layout, each once: int64 (E,) twice.

    An edge has the number of the corner, of all triangles', at which it begins.
    """
    start, end = ends.ravel().astype(np.int64), np.roll(ends, -1, axis=1).ravel().astype(np.int64)
    count = int(ends.max(initial=0)) + 1
    order = np.argsort(start * count + end, kind="stable")
    keys = (start * count + end)[order]
    at = np.minimum(np.searchsorted(keys, end * count + start), max(len(keys) - 1, 0))
    twin = order[at]
    both = np.flatnonzero((keys[at] == end * count + start) & (start < end))
    flat = corner.ravel()
    other = twin[both]
    split = (flat[both] != flat[following(other)]) | (flat[following(both)] != flat[other])
    return both[split], other[split]


def following(corner: Integers) -> Integers:
    """The corner after each, round its triangle."""
    return np.asarray(corner - corner % 3 + (corner + 1) % 3)


def spaced(counts: Integers) -> tuple[Integers, Floats]:
    """``counts`` places evenly along each of some edges: the edge of each, int64 (N,), and how far along, (N,)."""
    edge, number = expand(counts)
    return edge, (number + 0.5) / counts[edge]


def on_edges(corners: Integers, along: Floats) -> Singles:
    """Barycentric coordinates, float32 (2, N, 3), of places along edges, seen from both sides.

    Args:
        corners: (2, N), the edge's number on each side (:func:`cuts`).
        along: (N,), how far along, from where the first side begins.
    """
    weights = np.zeros((*corners.shape, 3), np.float32)
    rows = np.arange(corners.shape[1])
    for side, share in ((0, along), (1, 1 - along)):
        weights[side, rows, corners[side] % 3] = 1 - share
        weights[side, rows, following(corners[side]) % 3] = share
    return weights


def _spots(start: Floats, end: Floats) -> tuple[Integers, Floats]:
    """Where to look along edges: the edge of each spot, int64 (N,), and how far along, (N,).

    What shows along an edge is a quadratic function from where it crosses a line through texels' centers to the next,
    on whichever side: looked at are the ends and the middle of each such piece.

    Args:
        start, end: (2, E, 2), on each side, in texels, whose centers lie at whole numbers.
    """
    low, high = np.minimum(start, end), np.maximum(start, end)
    first = np.ceil(low)
    which, number = expand(np.maximum(np.floor(high) - first + 1, 0).astype(np.int64).ravel())
    span = (end - start).ravel()[which]
    moving = np.flatnonzero(np.abs(span) > 1e-9)
    which, number, span = which[moving], number[moving], span[moving]
    along = (first.ravel()[which] + number - start.ravel()[which]) / span
    count = start.shape[1]
    edge = np.concatenate([which // 2 % count, np.arange(count), np.arange(count)])
    along = np.concatenate([along, np.zeros(count), np.ones(count)])
    order = np.lexsort((along, edge))
    edge, along = edge[order], along[order]
    length = np.linalg.norm(end - start, axis=2).max(axis=0)
    gap = np.diff(along) * length[edge[1:]]
    inner = np.flatnonzero((edge[1:] == edge[:-1]) & (gap > CLOSE))
    kept = np.concatenate([[True], (edge[1:] != edge[:-1]) | (gap > CLOSE)])[: len(edge)]
    middle = (along[inner] + along[inner + 1]) / 2
    return np.concatenate([edge[kept], edge[inner]]), np.concatenate([along[kept], middle])


def _bilinear(spots: Floats, size: int, repeat: bool) -> tuple[Integers, Singles]:
    """The four texels about UVs (…, 2) of a picture, and their weights: (…, 4) each."""
    x, y = spots[..., 0] * size - 0.5, (1 - spots[..., 1]) * size - 0.5
    left, top = np.floor(x), np.floor(y)
    right, bottom = x - left, y - top
    columns, rows = (
        [one % size if repeat else np.clip(one, 0, size - 1) for one in (first, first + 1)]
        for first in (left.astype(np.int64), top.astype(np.int64))
    )
    texels = [rows[i] * size + columns[j] for i in (0, 1) for j in (0, 1)]
    weights = [(bottom if i else 1 - bottom) * (right if j else 1 - right) for i in (0, 1) for j in (0, 1)]
    return np.stack(texels, axis=-1), np.stack(weights, axis=-1).astype(np.float32)
