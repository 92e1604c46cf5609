"""The bake margin: texels beyond the borders of the UV islands, from which renderers interpolate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from ...geometry.arrays import Floats, Integers
from .texels import TEXEL_BLOCK, TexelMap


@dataclass(frozen=True)
class Margin:
    """Texels near the covered ones.

    Attributes:
        texel: int64 (M,), their numbers, row by row, ascending.
        nearest: int64 (M,), the nearest covered texel of each.
        squared_distance: int64 (M,), the square of how far that is, texels.
    """

    texel: Integers
    nearest: Integers
    squared_distance: Integers

    def within(self, distance: float) -> Margin:
        """The texels no farther than ``distance`` pixels from a covered one."""
        rows = self.squared_distance <= distance * distance
        return Margin(self.texel[rows], self.nearest[rows], self.squared_distance[rows])

    def shown_texel(self, texels: Integers) -> Integers:
        """For each texel number (N,) the covered texel whose value it has: its nearest, or for one that is not in the
        margin the texel itself."""
        if not len(self.texel):
            return texels
        at = np.minimum(np.searchsorted(self.texel, texels), len(self.texel) - 1)
        return np.where(self.texel[at] == texels, self.nearest[at], texels)


def dilate(pixels: NDArray[Any], covered: NDArray[np.bool_], distance: int) -> None:
    """Grow the covered texels of a picture by ``distance`` pixels, in place: each takes its nearest covered texel's
    value.

    Args:
        pixels: (H, W, C), changed.
        covered: bool (H, W).
        distance: 0 or more.
    """
    margin = margin_of(covered, distance)
    flat = pixels.reshape(-1, pixels.shape[2])
    flat[margin.texel] = flat[margin.nearest]
    if not np.shares_memory(flat, pixels):
        pixels[...] = flat.reshape(pixels.shape)


def margin_of(covered: NDArray[np.bool_], distance: int) -> Margin:
    """The texels that are not covered and lie within ``distance`` pixels of the covered ones (H, W)."""
    if distance <= 0 or covered.all() or not covered.any():
        return Margin(*(np.zeros(0, np.int64) for _ in range(3)))
    rows, columns = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    width = covered.shape[1]
    step = max(1, TEXEL_BLOCK // width)
    texel, nearest, squares = [], [], []
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        y, x = np.ogrid[start : start + len(rows[part]), :width]
        square = (rows[part] - y) ** 2 + (columns[part] - x) ** 2
        near = (square <= distance * distance) & ~covered[part]
        texel.append(np.flatnonzero(near) + start * width)
        nearest.append(rows[part][near].astype(np.int64) * width + columns[part][near])
        squares.append(square[near].astype(np.int64))
    return Margin(np.concatenate(texel), np.concatenate(nearest), np.concatenate(squares))


def outside_islands(
    texels: TexelMap, uvs: NDArray[np.floating], tile: tuple[int, int], margin: Margin
) -> tuple[Integers, Integers, Floats]:
    """Texels whose centers lie just outside of the islands, as points in the plane of the triangle beside them.

    Args:
        texels: of a square picture.
        uvs: (F, 3, 2), the layout.
        tile: the corner of the unit square of UVs that the picture fills.
        margin: texels that no island touches and that are wanted too.

    Returns:
        their numbers int64 (N,), triangles int64 (N,), and barycentric coordinates float64 (N, 3), at least one of
        which is below 0.
    """
    size = texels.face.shape[0]
    face = texels.face.ravel()
    first, second, third = texels.barycentric.reshape(-1, 3).T
    touched = np.flatnonzero((face >= 0) & ((first <= 0) | (second <= 0) | (third <= 0)))
    texel = np.concatenate([touched, margin.texel])
    triangle = face[np.concatenate([touched, margin.nearest])].astype(np.int64)
    row, column = np.divmod(texel, size)
    centers = np.stack([(column + 0.5) / size, 1 - (row + 0.5) / size], axis=1) + np.asarray(tile)
    corners = np.asarray(uvs, np.float64)[triangle]
    centers += np.round(corners.mean(axis=1) - centers)  # repeated outside the unit square
    edges, offset = corners[:, 1:] - corners[:, :1], centers - corners[:, 0]
    turn = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    sound = np.abs(turn) * size * size > 1e-6
    scale = np.divide(1.0, turn, out=np.zeros_like(turn), where=sound)
    along_second = (offset[:, 0] * edges[:, 1, 1] - offset[:, 1] * edges[:, 1, 0]) * scale
    along_third = (edges[:, 0, 0] * offset[:, 1] - edges[:, 0, 1] * offset[:, 0]) * scale
    weights = np.stack([1 - along_second - along_third, along_second, along_third], axis=1)
    kept = np.flatnonzero(sound & (weights.min(axis=1) < 0))
    return texel[kept], triangle[kept], np.asarray(weights[kept])
