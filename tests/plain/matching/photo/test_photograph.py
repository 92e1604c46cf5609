"""Photographs with their masks, and frames of cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from meshkin.base.errors import InputError
from meshkin.matching.photo.photograph import Cells, load_photograph


def save(path: Path, pixels: NDArray[np.uint8]) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def test_a_mask_comes_from_its_file_or_from_transparency(tmp_path: Path) -> None:
    is_opaque, is_white = np.zeros((2, 40, 60), bool)
    is_opaque[:20], is_white[:, :30] = True, True
    colors = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    plain = save(tmp_path / "plain.png", colors)
    clear = save(tmp_path / "clear.png", np.dstack((colors, np.where(is_opaque, 255, 0))).astype(np.uint8))
    mask = save(tmp_path / "mask.png", np.where(is_white, 255, 0).astype(np.uint8))
    assert load_photograph(plain).mask is None
    for photograph, wanted in ((load_photograph(clear), is_opaque), (load_photograph(clear, mask), is_white)):
        assert photograph.mask is not None
        np.testing.assert_array_equal(photograph.mask, wanted)
        np.testing.assert_array_equal(photograph.pixels, colors)
    with pytest.raises(InputError, match=r"empty\.png shows no object"):
        load_photograph(plain, save(tmp_path / "empty.png", np.zeros((40, 60), np.uint8)))


def test_cells_may_stand_out_of_the_photograph() -> None:
    mask = np.zeros((100, 300), bool)
    mask[:, 250:300] = True
    cells = Cells(-5, 219, 111, 100)
    assert cells.inside(mask).sum() == pytest.approx(100 * 100 * 0.9 * 0.45, rel=0.05)
    rows, columns = cells.at_pixels((100, 300))
    assert rows[0, 0] == pytest.approx((0.5 + 5) / 111 * 100 - 0.5)
    assert columns[0, 299] == pytest.approx((299.5 - 219) / 111 * 100 - 0.5)


def test_an_object_thinner_than_a_cell_has_a_cell() -> None:
    mask = np.zeros((100, 100), bool)
    mask[70, 21:25] = True
    cells = Cells(0, 0, 100, 5)
    assert not cells.inside(mask).any()
    np.testing.assert_array_equal(np.argwhere(cells.object_cells(mask)), [[3, 1]])
