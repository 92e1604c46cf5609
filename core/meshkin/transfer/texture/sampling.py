"""Samples of a source's picture: filtered to the size of a target's texel, and never across a seam of the layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from .texels import texel_map

TAPS = 4
"""Most samples along the longer side of a texel's footprint."""
FINE = 1.4
"""Footprints of no more texels than this need no smaller copy of the picture."""
LARGE = 1 << 24
"""Most texels of a picture that is held as floating-point numbers."""
OVERLAP_SIZE = 512
"""Width of the picture in which overlapping islands are looked for."""
SHARED = 0.02
"""Islands that share more than this of the smaller one's texels lie over each other on purpose."""

LAYERS = 16.0
"""A layout whose triangles' areas add up to more unit squares than this repeats the picture: it has no islands."""

Singles = NDArray[np.float32]
Numbers = NDArray[np.int32]
Taps = list[tuple[NDArray[np.int64] | slice, Numbers, Singles]]
"""Rows, and for each of them texels' numbers (R, T) and their weights (R, T), which sum to 1."""

ADDRESSES = ("repeat", "extend", "clip", "mirror")
"""What lies outside a picture: itself again, its border, nothing, its mirror image."""


@dataclass(frozen=True)
class Level:
    """One level of a pyramid: its size, where it begins among all levels' texels, and each texel's island."""

    height: int
    width: int
    start: int
    owner: Numbers


class Sampler:
    """Which texels of a picture make up a sample, for all pictures of one size that share a layout.

    Each texel belongs to the island that it shows. A sample takes texels of its own island only; where an image is
    shrunk it takes them from smaller copies, which are averaged island by island, and along the longer side of the
    texel's footprint from several places (Williams 1983; anisotropic as in Heckbert 1989, section 3.5).
    """

    def __init__(
        self,
        uvs: NDArray[np.floating],
        island: NDArray[np.integer],
        shown: NDArray[np.bool_],
        shape: tuple[int, int],
        address: str = "repeat",
        closest: bool = False,
        tile: tuple[int, int] = (0, 0),
    ) -> None:
        """Lay out the islands.

        Args:
            uvs: (F, 3, 2) of the source's triangles.
            island: (F,), the island of each.
            shown: bool (F,), the triangles that have such a picture.
            shape: height and width of the pictures.
            address: one of :data:`ADDRESSES`.
            closest: the picture is not interpolated.
            tile: the corner of the unit square that the picture fills.
        """
        self.uvs = np.asarray(uvs, np.float32) - np.asarray(tile, np.float32)
        self.address, self.closest = address, closest
        height, width = shape
        faces = np.flatnonzero(shown)
        edges = self.uvs[faces, 1:].astype(np.float64) - self.uvs[faces, :1]
        if np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]).sum() / 2 > LAYERS:
            self.island = np.zeros(len(self.uvs), np.int32)
            self.levels = [Level(height, width, 0, np.zeros(height * width, np.int32))]
            return
        self.island = _united(self.uvs, island, faces, address == "repeat")
        owner = np.full(height * width, -1, np.int32)
        if address != "mirror" and len(faces):
            face = texel_map(self.uvs[faces], shape, wrap=address == "repeat", faces_only=True).face.ravel()
            owner[face >= 0] = self.island[faces[face[face >= 0]]]
        self.levels = [Level(height, width, 0, owner)]

    @property
    def texels(self) -> int:
        """How many texels all levels have."""
        return self.levels[-1].start + self.levels[-1].height * self.levels[-1].width

    def deepen(self, shrink: float) -> None:
        """Add levels for texels of the result that span up to ``shrink`` texels of the picture."""
        shape = (self.levels[0].height, self.levels[0].width)
        deepest = 0 if self.closest else int(min(np.ceil(np.log2(max(shrink, 1))), np.log2(max(min(shape), 1))))
        while len(self.levels) <= deepest:
            last = self.levels[-1]
            start = last.start + last.height * last.width
            halved = _halved_owners(last)
            self.levels.append(Level((last.height + 1) // 2, (last.width + 1) // 2, start, halved))

    def pyramid(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """All levels of a picture (H, W, C), one after the other: float32 (total, C), whole numbers within [0, 1].

        A very large picture keeps its type instead, which samples take longer to read.
        """
        kind = np.float32 if pixels[..., 0].size <= LARGE else pixels.dtype
        flat = np.empty((self.texels, pixels.shape[2]), kind)
        scale = 1 if kind == pixels.dtype else np.float32(1 / np.iinfo(pixels.dtype).max)
        np.multiply(pixels.reshape(-1, pixels.shape[2]), scale, out=flat[: pixels[..., 0].size], casting="unsafe")
        for fine, coarse in zip(self.levels[:-1], self.levels[1:], strict=True):
            end = coarse.start + coarse.height * coarse.width
            flat[coarse.start : end] = _halved(flat[fine.start : coarse.start], fine, coarse)
        return flat

    def taps(
        self,
        face: Numbers,
        barycentric: Singles,
        footprints: Singles | None = None,
        which: NDArray[np.int64] | None = None,
    ) -> Taps:
        """What samples at points of the source are made up of.

        Args:
            face: int32 (N,), triangles of the source.
            barycentric: float32 (N, 3).
            footprints: float32 (M, 2, 2), how UV (rows) changes from texel to texel of the result (columns); None for
                no more than a texel of the picture.
            which: int64 (N,), the footprint of each point; None for one each.
        """
        corners = self.uvs[face]
        uv = (
            barycentric[:, 0, None] * corners[:, 0]
            + barycentric[:, 1, None] * corners[:, 1]
            + barycentric[:, 2, None] * corners[:, 2]
        )
        island = self.island[face]
        if footprints is None or len(self.levels) == 1:
            return [(slice(None), *self._level(0, uv, island))]
        shape = np.array([self.levels[0].width, self.levels[0].height], np.float32)
        longer, shorter, direction = _axes(footprints * shape[:, None])
        which = np.arange(len(face)) if which is None else which
        longer = longer[which]
        wide = np.flatnonzero(longer > FINE)
        if not len(wide):
            return [(slice(None), *self._level(0, uv, island))]
        near = np.flatnonzero(longer <= FINE)
        taps: Taps = [(near, *self._level(0, uv[near], island[near]))]
        longer, shorter, direction = longer[wide], shorter[which[wide]], direction[which[wide]]
        count = np.clip(np.rint(longer / np.maximum(shorter, 1)), 1, TAPS).astype(np.int64)
        detail = np.log2(np.maximum(longer / count, 1))
        for number in range(1, TAPS + 1):
            rows = np.flatnonzero(count == number)
            if not len(rows):
                continue
            row = wide[rows]
            steps = (np.arange(number, dtype=np.float32) + 0.5) / number - 0.5
            places = uv[row][:, None] + steps[:, None] * (longer[rows, None] * direction[rows] / shape)[:, None]
            index, weight = self._filtered(
                places.reshape(-1, 2), np.repeat(island[row], number), np.repeat(detail[rows], number)
            )
            index, weight = index.reshape(len(row), -1), weight.reshape(len(row), -1)
            # What lies beside the island does not count; where all of it does, the texel's center alone counts.
            total = weight.sum(axis=1)
            lost = np.flatnonzero(total < 1e-6)
            if len(lost):
                index[lost, :4], weight[lost, :4] = self._level(0, uv[row[lost]], island[row[lost]])
                index[lost, 4:], total[lost] = 0, 1
            weight /= total[:, None]
            taps.append((row, index, weight))
        return taps

    def _filtered(self, uv: Singles, island: Numbers, detail: Singles) -> tuple[Numbers, Singles]:
        """Texels and weights (N, 8) between the two levels about ``detail``; all 0 where none is the island's."""
        deepest = len(self.levels) - 1
        detail = np.minimum(detail, deepest)
        lower = np.minimum(detail.astype(np.int32), deepest)
        share = detail - lower
        index, weight = np.empty((len(uv), 8), np.int32), np.zeros((len(uv), 8), np.float32)
        for level in range(deepest + 1):
            for side, rows in ((0, np.flatnonzero(lower == level)), (1, np.flatnonzero(lower + 1 == level))):
                if len(rows):
                    # A small island may be lost at this level: then the finer one alone counts.
                    part = slice(4 * side, 4 * side + 4)
                    index[rows, part], found = self._level(level, uv[rows], island[rows], strict=True)
                    weight[rows, part] = found * (share[rows] if side else 1 - share[rows])[:, None]
        index[lower == deepest, 4:] = 0
        total = weight.sum(axis=1)
        lost = np.flatnonzero(total < 1e-3)
        if len(lost):
            finer = np.flatnonzero(lower[lost] > 0)
            index[lost, :4], weight[lost, :4] = self._level(0, uv[lost], island[lost], strict=True)
            weight[lost, 4:], index[lost, 4:] = 0, 0
            if len(finer):
                index[lost[finer]], weight[lost[finer]] = self._filtered(
                    uv[lost[finer]], island[lost[finer]], lower[lost[finer]] - np.float32(1)
                )
            total = weight.sum(axis=1)
        return index, weight / np.maximum(total, 1e-12)[:, None]

    def _level(self, number: int, uv: Singles, island: Numbers, strict: bool = False) -> tuple[Numbers, Singles]:
        """Four texels of a level and their bilinear weights (N, 4); all 0 where ``strict`` and none is the island's."""
        level = self.levels[number]
        x, y = uv[:, 0] * level.width - np.float32(0.5), (1 - uv[:, 1]) * level.height - np.float32(0.5)
        if self.closest:
            x, y = np.round(x), np.round(y)
        left, top = np.floor(x), np.floor(y)
        right_share, bottom_share = x - left, y - top
        columns, across = _addressed(left, level.width, self.address)
        rows, down = _addressed(top, level.height, self.address)
        index = np.empty((len(uv), 4), np.int32)
        weight = np.empty((len(uv), 4), np.float32)
        for k in range(4):
            i, j = divmod(k, 2)
            index[:, k] = rows[i] * level.width + columns[j]
            weight[:, k] = (bottom_share if i else 1 - bottom_share) * (right_share if j else 1 - right_share)
            if self.address == "clip":
                weight[:, k] *= down[i] & across[j]
        if self.address == "clip":
            index += level.start
            return index, weight
        own = level.owner[index] == island[:, None]
        mixed = np.flatnonzero(own.view(np.uint32).ravel() != 0x01010101)  # not all four
        if len(mixed):
            kept = weight[mixed] * own[mixed]
            total = kept.sum(axis=1)
            kept /= np.maximum(total[:, None], 1e-6)
            if not strict:
                none = total < 1e-6
                kept[none] = weight[mixed[none]]  # an island without a texel of its own
            weight[mixed] = kept
        index += np.int32(level.start)
        return index, weight


def apply(taps: Taps, flat: NDArray[Any], count: int) -> Singles:
    """Samples float32 (count, C) of a pyramid (total, C); whole numbers come out within [0, 1]."""
    result = np.empty((count, flat.shape[1]), np.float32)
    for rows, index, weight in taps:
        if flat.dtype == np.float32:
            ends = np.arange(0, index.size + 1, index.shape[1], dtype=np.int32)
            matrix = csr_array((weight.ravel(), index.ravel(), ends), shape=(len(index), len(flat)))
            result[rows] = matrix @ flat
            continue
        mixed = np.take(flat, index[:, 0], axis=0) * weight[:, :1]
        for k in range(1, index.shape[1]):
            mixed += np.take(flat, index[:, k], axis=0) * weight[:, k, None]
        result[rows] = mixed * np.float32(1 / np.iinfo(flat.dtype).max)
    return result


def sample(pixels: NDArray[np.float32], uvs: NDArray[np.floating]) -> NDArray[np.float32]:
    """Plain bilinear samples of an image that repeats in both directions.

    Args:
        pixels: float32 (H, W, C), row 0 at the top, where v = 1.
        uvs: (N, 2).

    Returns:
        float32 (N, C).
    """
    height, width = pixels.shape[:2]
    x, y = uvs[:, 0] % 1 * width - 0.5, (1 - uvs[:, 1]) % 1 * height - 0.5
    left, top = np.floor(x), np.floor(y)
    right_share, bottom_share = (x - left).astype(np.float32), (y - top).astype(np.float32)
    (columns, _), (rows, _) = _addressed(left, width, "repeat"), _addressed(top, height, "repeat")
    result = np.zeros((len(uvs), pixels.shape[2]), np.float32)
    for row, row_share in zip(rows, (1 - bottom_share, bottom_share), strict=True):
        for column, column_share in zip(columns, (1 - right_share, right_share), strict=True):
            result += pixels[row, column] * (row_share * column_share)[:, None]
    return result


def _addressed(first: Singles, size: int, address: str) -> tuple[list[Numbers], list[NDArray[np.bool_]]]:
    """Two neighboring texels' numbers along one side, and whether they lie in the picture."""
    if first.min(initial=0) >= 0 and first.max(initial=0) < size - 1:  # all in the picture
        near = first.astype(np.int32)
        return [near, near + 1], [np.ones(len(near), bool)] * 2
    near = np.clip(first, -(2**30), 2**30).astype(np.int32)
    both, inside = [], []
    for number in (near, near + 1):
        inside.append((number >= 0) & (number < size))
        if address == "repeat":
            number = number % size
        elif address == "mirror":
            number = np.minimum(number % (2 * size), 2 * size - 1 - number % (2 * size))
        both.append(np.clip(number, 0, size - 1).astype(np.int32))
    return both, inside


def _axes(footprint: Singles) -> tuple[Singles, Singles, Singles]:
    """A footprint's longer and shorter half-axes' lengths (N,) and the longer one's direction (N, 2)."""
    a, b = np.einsum("nik,nik->in", footprint, footprint)
    c = np.einsum("nk,nk->n", footprint[:, 0], footprint[:, 1])
    mean, half = (a + b) / 2, (a - b) / 2
    spread = np.hypot(half, c)
    longer, shorter = np.sqrt(mean + spread), np.sqrt(np.maximum(mean - spread, 0))
    angle = np.arctan2(c, half) / 2
    return longer, shorter, np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _united(uvs: Singles, island: NDArray[Any], faces: NDArray[np.int64], wrap: bool) -> Numbers:
    """Islands that lie over each other on purpose (mirrored halves) made one: int32 (F,)."""
    island = np.asarray(island, np.int32)
    if not len(faces):
        return np.asarray(island, np.int32)
    one = texel_map(uvs[faces], OVERLAP_SIZE, wrap=wrap, faces_only=True).face.ravel()
    other = texel_map(uvs[faces[::-1]], OVERLAP_SIZE, wrap=wrap, faces_only=True).face.ravel()
    covered = (one >= 0) & (other >= 0)
    first, last = island[faces[one[covered]]], island[faces[::-1][other[covered]]]
    count = int(island.max()) + 1
    texels = np.minimum(np.bincount(first, minlength=count), np.bincount(last, minlength=count))
    pairs, number = np.unique(np.stack([first, last])[:, first != last], axis=1, return_counts=True)
    smaller = np.maximum(np.maximum(texels[pairs[0]], texels[pairs[1]]), 1)
    shared = (number > SHARED * smaller) & (number >= 4)
    graph = coo_array((np.ones(shared.sum(), bool), tuple(pairs[:, shared])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int32)[island]


def _children(level: Level, values: NDArray[Any]) -> list[NDArray[Any]]:
    """The four texels of a level that each texel of the next one stands for: (h, w, …) each."""
    grid = values.reshape(level.height, level.width, *values.shape[1:])
    if level.height % 2 or level.width % 2:
        grid = np.pad(grid, ((0, level.height % 2), (0, level.width % 2), *((0, 0),) * (grid.ndim - 2)), mode="edge")
    return [grid[i::2, j::2] for i in (0, 1) for j in (0, 1)]


def _halved_owners(level: Level) -> Numbers:
    """The island that most of four texels belong to, int32 (h * w,)."""
    children = _children(level, level.owner)
    best = np.full(children[0].shape, -1, np.int32)
    most = np.zeros(children[0].shape, np.int8)
    for one in children:
        votes = sum(((one == other) & (one >= 0)).astype(np.int8) for other in children)
        better = votes > most
        best[better], most[better] = one[better], votes[better]
    return best.ravel()


def _halved(values: NDArray[Any], fine: Level, coarse: Level) -> NDArray[Any]:
    """The next level's values: means over the texels of its island."""
    owner = coarse.owner.reshape(coarse.height, coarse.width)
    total = np.zeros((coarse.height, coarse.width, values.shape[1]), np.float32)
    count = np.zeros((coarse.height, coarse.width), np.float32)
    for one, island in zip(_children(fine, values), _children(fine, fine.owner), strict=True):
        own = (island == owner).astype(np.float32)
        total += one * own[..., None]
        count += own
    total /= count[..., None]
    if values.dtype != np.float32:
        np.round(total, out=total)
    return total.astype(values.dtype).reshape(-1, values.shape[1])
