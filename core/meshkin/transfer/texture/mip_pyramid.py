"""Mip pyramids whose smaller copies are averaged island by island, so that no color bleeds into another island.

Source: Williams, "Pyramidal Parametrics" (SIGGRAPH 1983).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...geometry.arrays import ShortIntegers

LARGE = 1 << 24
"""Most texels of a picture that is held as floating-point numbers, 64 MiB a channel. Chosen."""


@dataclass(frozen=True)
class Level:
    """One level of a pyramid, whose levels lie one after the other in one array of texels.

    Attributes:
        height, width: its size, texels.
        start: the number of its first texel.
        owner: int32 (height * width,), the UV island that each texel shows, -1 for none.
    """

    height: int
    width: int
    start: int
    owner: ShortIntegers

    @property
    def end(self) -> int:
        """The number after that of its last texel."""
        return self.start + self.height * self.width

    def halved(self) -> Level:
        """The next level: half as high and wide; a texel shows the island that most of its four texels show."""
        quarters = _quarters(self, self.owner)
        owner = np.full(quarters[0].shape, -1, np.int32)
        most = np.zeros(quarters[0].shape, np.int8)
        for candidate in quarters:
            votes = sum(((candidate == other) & (candidate >= 0)).astype(np.int8) for other in quarters)
            better = votes > most
            owner[better], most[better] = candidate[better], votes[better]
        return Level((self.height + 1) // 2, (self.width + 1) // 2, self.end, owner.ravel())


def pyramid(pixels: NDArray[Any], levels: Sequence[Level]) -> NDArray[Any]:
    """All levels of a picture (H, W, C), one after the other: float32 (T, C), whole numbers within [0, 1].

    A picture of more than :data:`LARGE` texels keeps its type instead, which samples take longer to read.
    """
    dtype = np.float32 if pixels[..., 0].size <= LARGE else pixels.dtype
    flat = np.empty((levels[-1].end, pixels.shape[2]), dtype)
    scale = 1 if dtype == pixels.dtype else np.float32(1 / np.iinfo(pixels.dtype).max)
    np.multiply(pixels.reshape(-1, pixels.shape[2]), scale, out=flat[: levels[0].end], casting="unsafe")
    for fine, coarse in pairwise(levels):
        flat[coarse.start : coarse.end] = _averaged(flat[fine.start : fine.end], fine, coarse)
    return flat


def _averaged(values: NDArray[Any], fine: Level, coarse: Level) -> NDArray[Any]:
    """The values of a level from those of the one before: means over the texels of its island."""
    owner = coarse.owner.reshape(coarse.height, coarse.width)
    total = np.zeros((coarse.height, coarse.width, values.shape[1]), np.float32)
    count = np.zeros((coarse.height, coarse.width), np.float32)
    for quarter, island in zip(_quarters(fine, values), _quarters(fine, fine.owner), strict=True):
        own = (island == owner).astype(np.float32)
        total += quarter * own[..., None]
        count += own
    total /= count[..., None]
    if values.dtype != np.float32:
        np.round(total, out=total)
    return total.astype(values.dtype).reshape(-1, values.shape[1])


def _quarters(level: Level, values: NDArray[Any]) -> list[NDArray[Any]]:
    """The values of the four texels that each texel of the next level stands for: (h, w, …) each."""
    grid = values.reshape(level.height, level.width, *values.shape[1:])
    if level.height % 2 or level.width % 2:
        grid = np.pad(grid, ((0, level.height % 2), (0, level.width % 2), *((0, 0),) * (grid.ndim - 2)), mode="edge")
    return [grid[i::2, j::2] for i in (0, 1) for j in (0, 1)]
