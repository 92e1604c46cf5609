"""The border of an object in a photograph takes nothing of the background."""

from __future__ import annotations

import numpy as np

from meshkin.transfer.texture.photo_border import without_background

SIZE = 64


def test_the_border_takes_the_color_within() -> None:
    row, column = np.mgrid[:SIZE, :SIZE] + 0.5
    away = np.hypot(row - SIZE / 2, column - SIZE / 2)
    share = np.clip(20.5 - away, 0, 1)[..., None]  # as a camera mixes them
    photo = (share * (0.8, 0.2, 0.1) + (1 - share) * (0, 1, 0)).astype(np.float32)
    mask = away < 21  # one pixel too far
    cleaned = without_background(photo, mask)
    assert np.abs(photo[mask] - (0.8, 0.2, 0.1)).max() > 0.5
    np.testing.assert_allclose(cleaned[mask], np.broadcast_to((0.8, 0.2, 0.1), (mask.sum(), 3)), atol=1e-6)
    np.testing.assert_array_equal(cleaned[away < 15], photo[away < 15])
    np.testing.assert_array_equal(cleaned[away > 30], photo[away > 30])


def test_thin_parts_keep_their_colors() -> None:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[20:44, 4:28] = True
    mask[31:33, 28:60] = True  # a tail two pixels wide
    photo = np.zeros((SIZE, SIZE, 3), np.float32)
    photo[mask] = (1, 1, 1)
    photo[31:33, 36:60] = (0, 0, 1)
    cleaned = without_background(photo, mask)
    np.testing.assert_array_equal(cleaned[31:33, 36:60], photo[31:33, 36:60])
    alone = np.zeros((SIZE, SIZE), bool)
    alone[31:33, 4:60] = True
    np.testing.assert_array_equal(without_background(photo, alone), photo)
