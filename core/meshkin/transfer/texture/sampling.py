"""Samples of the source's pictures: as large as a target's texel, and never across the border of a UV island."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from ...geometry.arrays import ShortIntegers, Singles
from .channels import Extension, Picture
from .mip_pyramid import Level
from .settings import SamplingSettings
from .texels import texel_map
from .usable_uvs import doubled_areas

Taps = list[tuple[NDArray[np.int64] | slice, ShortIntegers, Singles]]
"""Rows, and for each of them texels' numbers (R, T) and their weights (R, T), which sum to 1."""


@dataclass(frozen=True)
class PictureFormat:
    """What pictures have in common that one sampler serves.

    Attributes:
        uv_layout, closest, tile: as of :class:`meshkin.transfer.texture.channels.Picture`.
        extension: the same; "extend" for a tile.
        shape: height and width.
    """

    uv_layout: int
    shape: tuple[int, int]
    extension: Extension
    closest: bool
    tile: tuple[int, int] | None

    @staticmethod
    def of(picture: Picture) -> PictureFormat:
        """The format of a picture."""
        height, width = picture.pixels.shape[:2]
        extension: Extension = "extend" if picture.tile is not None else picture.extension
        return PictureFormat(picture.uv_layout, (height, width), extension, picture.closest, picture.tile)


class Sampler:
    """Which texels of a picture make up a sample, for all pictures of one format.

    Each texel belongs to the island that it shows. A sample takes texels of its own island only; where an image is
    shrunk it takes them from smaller copies, which are averaged island by island, and along the longer side of the
    texel's footprint from several places (Williams 1983; anisotropic as in Heckbert, "Fundamentals of Texture Mapping
    and Image Warping", 1989, section 3.5).

    Attributes:
        levels: of the pictures' pyramids.
        island: int32 (F,), the island of each triangle; islands that lie over each other on purpose are one.
    """

    def __init__(
        self,
        uvs: NDArray[np.floating],
        island: NDArray[np.integer],
        shown: NDArray[np.bool_],
        picture_format: PictureFormat,
        settings: SamplingSettings = SamplingSettings(),
    ) -> None:
        """Lay out the islands.

        Args:
            uvs: (F, 3, 2) of the source's triangles.
            island: (F,), the island of each.
            shown: bool (F,), the triangles that have such a picture.
            picture_format: of the pictures.
            settings: how to sample.
        """
        self._uvs = np.asarray(uvs, np.float32) - np.asarray(picture_format.tile or (0, 0), np.float32)
        self._extension, self._closest = picture_format.extension, picture_format.closest
        self._settings = settings
        height, width = picture_format.shape
        faces = np.flatnonzero(shown)
        if np.abs(doubled_areas(self._uvs[faces])).sum() / 2 > settings.most_layers:
            self.island = np.zeros(len(self._uvs), np.int32)
            self.levels = [Level(height, width, 0, np.zeros(height * width, np.int32))]
            return
        wrap = self._extension == "repeat"
        self.island = _united(self._uvs, island, faces, wrap, settings)
        owner = np.full(height * width, -1, np.int32)
        if self._extension != "mirror" and len(faces):
            face = texel_map(self._uvs[faces], (height, width), wrap=wrap, faces_only=True).face.ravel()
            owner[face >= 0] = self.island[faces[face[face >= 0]]]
        self.levels = [Level(height, width, 0, owner)]

    def deepen(self, shrink: float) -> None:
        """Add levels for texels of the result that span up to ``shrink`` texels of the picture."""
        first = self.levels[0]
        shortest = min(first.height, first.width)
        deepest = 0 if self._closest else int(min(np.ceil(np.log2(max(shrink, 1))), np.log2(max(shortest, 1))))
        while len(self.levels) <= deepest:
            self.levels.append(self.levels[-1].halved())

    def taps(
        self,
        face: NDArray[np.integer],
        weights: Singles,
        footprints: Singles | None,
        footprint_of: NDArray[np.int64],
    ) -> Taps:
        """The texels that samples at points of the source are made up of.

        Args:
            face: (N,), triangles of the source.
            weights: float32 (N, 3), barycentric coordinates in them.
            footprints: float32 (M, 2, 2), how the UV (rows) changes from texel to texel of the result (columns); None
                for footprints of no more than a texel of the picture.
            footprint_of: int64 (N,), the footprint of each point.
        """
        corners = self._uvs[face]
        first, second, third = (weights[:, corner, None] * corners[:, corner] for corner in range(3))
        uv = first + second + third
        island = self.island[face]
        if footprints is None or len(self.levels) == 1:
            return [(slice(None), *self._bilinear(0, uv, island))]
        size = np.array([self.levels[0].width, self.levels[0].height], np.float32)
        longer, shorter, direction = _axes(footprints * size[:, None])
        longer = longer[footprint_of]
        wide = np.flatnonzero(longer > self._settings.sharp_length)
        if not len(wide):
            return [(slice(None), *self._bilinear(0, uv, island))]
        near = np.flatnonzero(longer <= self._settings.sharp_length)
        taps: Taps = [(near, *self._bilinear(0, uv[near], island[near]))]
        longer, shorter, direction = longer[wide], shorter[footprint_of[wide]], direction[footprint_of[wide]]
        count = np.clip(np.rint(longer / np.maximum(shorter, 1)), 1, self._settings.most_taps).astype(np.int64)
        detail = np.log2(np.maximum(longer / count, 1))
        for number in range(1, self._settings.most_taps + 1):
            rows = np.flatnonzero(count == number)
            if len(rows):
                row = wide[rows]
                axis = longer[rows, None] * direction[rows] / size
                taps.append((row, *self._anisotropic(uv[row], island[row], axis, detail[rows], number)))
        return taps

    def _anisotropic(
        self, uv: Singles, island: ShortIntegers, axis: Singles, detail: Singles, count: int
    ) -> tuple[ShortIntegers, Singles]:
        """Texels and weights (N, 8 * count) of ``count`` places along the longer axis of each footprint.

        Args:
            uv: (N, 2), the footprints' centers.
            island: (N,), their islands.
            axis: (N, 2), the longer axes, in UVs.
            detail: (N,), the level to sample, in fractions.
            count: number of places, the same for all.
        """
        steps = (np.arange(count, dtype=np.float32) + 0.5) / count - 0.5
        places = np.asarray(uv[:, None] + steps[:, None] * axis[:, None], np.float32)
        index, weight = self._trilinear(places.reshape(-1, 2), np.repeat(island, count), np.repeat(detail, count))
        index, weight = index.reshape(len(uv), -1), weight.reshape(len(uv), -1)
        # What lies beside the island does not count; where all of it does, the texel's center alone counts.
        total = weight.sum(axis=1)
        lost = np.flatnonzero(total < 1e-6)
        if len(lost):
            index[lost, :4], weight[lost, :4] = self._bilinear(0, uv[lost], island[lost])
            index[lost, 4:], total[lost] = 0, 1
        weight /= total[:, None]
        return index, weight

    def _trilinear(self, uv: Singles, island: ShortIntegers, detail: Singles) -> tuple[ShortIntegers, Singles]:
        """Texels and weights (N, 8) of the two levels around ``detail`` (N,), a level in fractions.

        A texel's weight is 0 if it belongs to another island; all are 0 if none of them belongs to the island.
        """
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
                    index[rows, part], bilinear = self._bilinear(level, uv[rows], island[rows], strict=True)
                    weight[rows, part] = bilinear * (share[rows] if side else 1 - share[rows])[:, None]
        index[lower == deepest, 4:] = 0
        total = weight.sum(axis=1)
        lost = np.flatnonzero(total < 1e-3)
        if len(lost):
            finer = np.flatnonzero(lower[lost] > 0)
            index[lost, :4], weight[lost, :4] = self._bilinear(0, uv[lost], island[lost], strict=True)
            weight[lost, 4:], index[lost, 4:] = 0, 0
            if len(finer):
                index[lost[finer]], weight[lost[finer]] = self._trilinear(
                    uv[lost[finer]], island[lost[finer]], lower[lost[finer]] - np.float32(1)
                )
            total = weight.sum(axis=1)
        return index, weight / np.maximum(total, 1e-12)[:, None]

    def _bilinear(
        self, level_number: int, uv: Singles, island: ShortIntegers, strict: bool = False
    ) -> tuple[ShortIntegers, Singles]:
        """Four texels of a level and their bilinear weights (N, 4).

        Texels of other islands have a weight of 0. Where none of the four belongs to the island, all four count; if
        ``strict``, none of them.
        """
        level = self.levels[level_number]
        x, y = uv[:, 0] * level.width - np.float32(0.5), (1 - uv[:, 1]) * level.height - np.float32(0.5)
        if self._closest:
            x, y = np.round(x), np.round(y)
        left, top = np.floor(x), np.floor(y)
        right_share, bottom_share = x - left, y - top
        columns, across = _extended(left, level.width, self._extension)
        rows, down = _extended(top, level.height, self._extension)
        index = np.empty((len(uv), 4), np.int32)
        weight = np.empty((len(uv), 4), np.float32)
        for k in range(4):
            i, j = divmod(k, 2)
            index[:, k] = rows[i] * level.width + columns[j]
            weight[:, k] = (bottom_share if i else 1 - bottom_share) * (right_share if j else 1 - right_share)
            if self._extension == "clip":
                weight[:, k] *= down[i] & across[j]
        if self._extension == "clip":
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


def sampled(taps: Taps, flat: NDArray[Any], count: int) -> Singles:
    """The samples, float32 (count, C), that taps take from a pyramid (T, C); whole numbers come out within [0, 1]."""
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


def bilinear_samples(pixels: NDArray[np.float32], uvs: NDArray[np.floating]) -> NDArray[np.float32]:
    """Bilinear samples of an image that repeats in both directions, without any regard to islands.

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
    (columns, _), (rows, _) = _extended(left, width, "repeat"), _extended(top, height, "repeat")
    result = np.zeros((len(uvs), pixels.shape[2]), np.float32)
    for row, row_share in zip(rows, (1 - bottom_share, bottom_share), strict=True):
        for column, column_share in zip(columns, (1 - right_share, right_share), strict=True):
            result += pixels[row, column] * (row_share * column_share)[:, None]
    return result


def _extended(first: Singles, size: int, extension: Extension) -> tuple[list[ShortIntegers], list[NDArray[np.bool_]]]:
    """The numbers of two neighboring texels along one side of a picture, and whether they lie in it.

    Args:
        first: (N,), the first texel's number, which may lie outside.
        size: texels along this side.
        extension: what lies outside.
    """
    if first.min(initial=0) >= 0 and first.max(initial=0) < size - 1:  # all lie in the picture
        near = first.astype(np.int32)
        return [near, near + 1], [np.ones(len(near), bool)] * 2
    near = np.clip(first, -(2**30), 2**30).astype(np.int32)
    numbers, inside = [], []
    for number in (near, near + 1):
        inside.append((number >= 0) & (number < size))
        if extension == "repeat":
            number = number % size
        elif extension == "mirror":
            number = np.minimum(number % (2 * size), 2 * size - 1 - number % (2 * size))
        numbers.append(np.clip(number, 0, size - 1).astype(np.int32))
    return numbers, inside


def _axes(footprint: Singles) -> tuple[Singles, Singles, Singles]:
    """A footprint's longer and shorter half-axes' lengths (N,) and the longer one's direction (N, 2)."""
    a, b = np.einsum("nik,nik->in", footprint, footprint)
    c = np.einsum("nk,nk->n", footprint[:, 0], footprint[:, 1])
    mean, half = (a + b) / 2, (a - b) / 2
    spread = np.hypot(half, c)
    longer, shorter = np.sqrt(mean + spread), np.sqrt(np.maximum(mean - spread, 0))
    angle = np.arctan2(c, half) / 2
    return longer, shorter, np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _united(
    uvs: Singles, island: NDArray[np.integer], faces: NDArray[np.int64], wrap: bool, settings: SamplingSettings
) -> ShortIntegers:
    """Islands, int32 (F,), of which those that lie over each other on purpose (mirrored halves) are one.

    Overlaps are where two pictures of the layout differ: one in which the first of several triangles shows, and one in
    which the last does.

    Args:
        uvs: (F, 3, 2).
        island: (F,).
        faces: int64, the triangles to compare.
        wrap: whether the picture repeats.
        settings: how large an overlap counts.
    """
    numbers: ShortIntegers = np.asarray(island, np.int32)
    if not len(faces):
        return numbers
    in_front = texel_map(uvs[faces], settings.overlap_size, wrap=wrap, faces_only=True).face.ravel()
    behind = texel_map(uvs[faces[::-1]], settings.overlap_size, wrap=wrap, faces_only=True).face.ravel()
    covered = (in_front >= 0) & (behind >= 0)
    first, last = numbers[faces[in_front[covered]]], numbers[faces[::-1][behind[covered]]]
    count = int(numbers.max()) + 1
    texels = np.minimum(np.bincount(first, minlength=count), np.bincount(last, minlength=count))
    pairs, number = np.unique(np.stack([first, last])[:, first != last], axis=1, return_counts=True)
    smaller = np.maximum(np.maximum(texels[pairs[0]], texels[pairs[1]]), 1)
    overlap = (number > settings.overlap_share * smaller) & (number >= settings.overlap_texels)
    graph = coo_array((np.ones(overlap.sum(), bool), tuple(pairs[:, overlap])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int32)[numbers]
