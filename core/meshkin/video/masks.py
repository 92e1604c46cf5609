"""An object cut out of the frames of a video, by one frame in which it is masked.

What looks like the object in that frame is the object in the others, and what looks like its surroundings is not:
both by features, which tell an animal's leg from grass of the same color. The border then goes by colors, as in any
photograph (:mod:`meshkin.matching.photo.cutout`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback
from ..data.recipe import Part, Recipe
from ..features import joint
from ..features import photo as photo_features
from ..geometry.arrays import Singles, unit_rows
from ..matching.photo.cutout import cut_out
from ..matching.photo.photograph import Cells, Photograph
from ..matching.photo.settings import CutoutSettings

CUTTER_VERSION = 1
"""Raised whenever :meth:`MaskedFrame.cut` would give another mask: part of the masks' keys in the cache."""


@dataclass(frozen=True)
class MaskedFrame:
    """A frame in which the object is masked, and how frames are described.

    Attributes:
        photograph: the frame, with a mask.
        recipe: of the features.
        channels: for each of its parts the channels of its maps.
        device: "auto", "cpu" or a torch device.
        wide, near: features (n, n, C) of the whole frame, and of its part around the object.
    """

    photograph: Photograph
    recipe: Recipe
    channels: tuple[tuple[int, ...], ...]
    device: str
    wide: Singles
    near: Singles

    @staticmethod
    def of(
        photograph: Photograph,
        recipe: Recipe,
        channels: tuple[tuple[int, ...], ...],
        device: str,
        report: ProgressCallback,
    ) -> MaskedFrame:
        """Describe a masked frame."""
        wide, near = (_described(photograph.pixels, frame, recipe, device, report) for frame in _frames_of(photograph))
        return MaskedFrame(photograph, recipe, channels, device, wide, near)

    def cut(
        self, pixels: NDArray[np.uint8], report: ProgressCallback, settings: CutoutSettings = CutoutSettings()
    ) -> NDArray[np.bool_]:
        """Where a frame (H, W, 3) of the same video shows the object, bool (H, W): looked at as a whole, then nearer.

        Nowhere where nothing looks like it.
        """
        height, width = pixels.shape[:2]
        frame = _whole(height, width)
        mask = np.zeros((height, width), bool)
        for own_frame, own in zip(_frames_of(self.photograph), (self.wide, self.near), strict=True):
            grid = _described(pixels, frame, self.recipe, self.device, report)
            inside, outside = self._cells(own_frame, settings)
            parts: tuple[Part, ...] = self.recipe.parts
            cells, of_object, around = joint.reduce(
                (_rows(grid), _rows(own)[inside], _rows(own)[outside]), parts, self.channels
            )
            mask = cut_out(
                cells.reshape(*grid.shape[:2], -1),
                Cells(*frame, photo_features.GRID),
                unit_rows(of_object),
                pixels,
                settings,
                unit_rows(around),
            )
            if mask.sum() < photo_features.SMALLEST:
                return np.zeros((height, width), bool)
            frame = photo_features.window(mask, settings.free_border)
        return mask

    def _cells(
        self, frame: photo_features.Window, settings: CutoutSettings
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of cells that show the object, and of those of the frame that show its surroundings."""
        mask = self.photograph.mask
        assert mask is not None
        cells = Cells(*frame, photo_features.GRID)
        found = [
            np.flatnonzero(each)
            for each in (cells.object_cells(mask), cells.inside(np.ones(mask.shape, bool)) & ~cells.inside(mask))
        ]
        inside, outside = (each[:: max(1, len(each) // settings.references)] for each in found)
        return inside, outside


def _frames_of(photograph: Photograph) -> tuple[photo_features.Window, photo_features.Window]:
    """The square around the whole frame, and the one around the object."""
    assert photograph.mask is not None
    border = CutoutSettings().free_border
    return _whole(*photograph.mask.shape), photo_features.window(photograph.mask, border)


def _whole(height: int, width: int) -> photo_features.Window:
    side = max(height, width)
    return (height - side) // 2, (width - side) // 2, side


def _described(
    pixels: NDArray[np.uint8], frame: photo_features.Window, recipe: Recipe, device: str, report: ProgressCallback
) -> Singles:
    everything = np.ones(pixels.shape[:2], bool)
    return photo_features.describe(pixels, everything, frame, recipe, device, report)


def _rows(grid: Singles) -> Singles:
    return grid.reshape(-1, grid.shape[-1])
