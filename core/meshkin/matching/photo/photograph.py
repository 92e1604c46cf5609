"""Photographs as arrays, and the grid of cells in which a part of them is described."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...features import photo as photo_features
from ...geometry.arrays import Floats


@dataclass(frozen=True)
class Photograph:
    """A photograph, and where the object is on it if that is known.

    Attributes:
        name: what messages call it.
        pixels: uint8 (H, W, 3), sRGB.
        mask: bool (H, W), where the object is; None if that is not known.
    """

    name: str
    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_] | None


def load_photograph(path: Path, mask_path: Path | None = None) -> Photograph:
    """Read a photograph and its mask.

    Args:
        path: the photograph.
        mask_path: image that is white, or opaque, where the object is. Without it the photograph's own transparency
            is the mask, if it has one.

    Raises:
        InputError: as :func:`meshkin.features.photo.load`, ``load_mask`` and ``check_mask``.
    """
    pixels, mask = photo_features.load(path)
    mask_name = "The photo's transparency"
    if mask_path is not None:
        mask, mask_name = photo_features.load_mask(mask_path, pixels.shape[:2]), f"The mask {mask_path}"
    return Photograph(str(path), pixels, None if mask is None else photo_features.check_mask(mask, mask_name))


@dataclass(frozen=True)
class Cells:
    """A square frame of a photograph, divided into n x n cells.

    Attributes:
        top, left: row and column of the frame's upper left corner, pixels; the frame may reach out of the photograph.
        side: of the frame, pixels.
        count: n.
    """

    top: int
    left: int
    side: int
    count: int

    @property
    def width(self) -> float:
        """The width of a cell, pixels."""
        return self.side / self.count

    def inside(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which cells have their center in a mask (H, W) of the photograph, bool (n, n)."""
        centers = (np.arange(self.count) + 0.5) / self.count * self.side
        rows, columns = (np.floor(first + centers).astype(np.int64) for first in (self.top, self.left))
        is_inside = np.zeros((self.count, self.count), bool)
        row, column = ((at >= 0) & (at < size) for at, size in zip((rows, columns), mask.shape, strict=True))
        is_inside[np.ix_(row, column)] = mask[np.ix_(rows[row], columns[column])]
        return is_inside

    def at_pixels(self, shape: tuple[int, int]) -> Floats:
        """Return row and column, in cells, of the centers of a photograph's pixels, (2, H, W).

        Args:
            shape: height and width of the photograph, pixels.
        """
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        corner = np.array((self.top, self.left)).reshape(2, 1, 1)
        positions: Floats = (np.stack((rows, columns)) + 0.5 - corner) / self.side * self.count - 0.5
        return positions

    def object_cells(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which cells show the object with this mask (H, W), bool (n, n): at least one."""
        is_inside = self.inside(mask)
        if not is_inside.any():  # the object is thinner than a cell
            pixels = np.argwhere(mask)
            position = (pixels[len(pixels) // 2] + 0.5 - (self.top, self.left)) / self.side * self.count
            is_inside[tuple(position.astype(int))] = True
        return is_inside
