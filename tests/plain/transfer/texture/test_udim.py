"""Which unit squares of UVs are tiles with a picture of their own."""

from __future__ import annotations

import numpy as np

from helpers.shapes import Array
from helpers.textured import split
from meshkin.transfer.texture.udim import udim_tiles


def moved(uvs: Array, shift: tuple[float, float]) -> Array:
    return np.asarray(uvs + np.array(shift))


def test_tiles_are_told_from_a_repeated_picture() -> None:
    """Parts in tiles of their own are tiles; the same part moved aside, or UVs across a border, are not."""
    first, second = split(40), split(60) * 0.5
    apart = np.concatenate([first, moved(second, (1, 0))])
    assert udim_tiles(apart, False) == ((0, 0), (1, 0))
    assert udim_tiles(np.concatenate([moved(second, (2, 1)), first]), False) == ((0, 0), (2, 1))
    assert udim_tiles(np.concatenate([first, moved(first, (1, 0))]), False) is None
    assert udim_tiles(np.concatenate([first, moved(second, (0.8, 0))]), False) is None
    assert udim_tiles(np.concatenate([first, moved(second, (-1, 0))]), False) is None
    assert udim_tiles(first, False) is None


def test_tiles_that_are_wanted_are_those_that_are_filled() -> None:
    first = split(40)
    assert udim_tiles(first, True) == ((0, 0),)
    assert udim_tiles(np.concatenate([moved(first, (0, 1)), moved(first, (1, 0)), first]), True) == (
        (0, 0),
        (1, 0),
        (0, 1),
    )
    assert udim_tiles(first * 30 - 15, True) is not None
