"""Masks of frames: cut out by what the object and its surroundings look like in another frame, and their outlines."""

from __future__ import annotations

import numpy as np
import pytest

from meshkin.geometry.arrays import unit_rows
from meshkin.matching.photo.cutout import cut_out
from meshkin.matching.photo.photograph import Cells
from meshkin.video.outlines import outline

CELLS = 32
PIXELS = 4 * CELLS


def disk(x: float, y: float, radius: float) -> np.ndarray:
    """A round mask."""
    rows, columns = np.mgrid[:PIXELS, :PIXELS] + 0.5
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 < radius**2)


def features_of(mask: np.ndarray, seed: int) -> np.ndarray:
    """Noisy features of cells (n, n, 8): one for the object, two kinds for its surroundings."""
    random, kinds = np.random.default_rng(seed), np.eye(8)[:3]
    inside = mask.reshape(CELLS, 4, CELLS, 4).mean(axis=(1, 3)) > 0.5
    around = np.where(np.arange(CELLS)[:, None] < CELLS // 2, 1, 2) * np.ones((1, CELLS), int)
    grid = kinds[np.where(inside, 0, around)] + 0.3 * random.normal(size=(CELLS, CELLS, 8))
    return np.asarray(grid, np.float32)


def picture(mask: np.ndarray, seed: int) -> np.ndarray:
    """A picture in which the object is a little brighter."""
    noise = np.random.default_rng(seed).integers(0, 30, (*mask.shape, 3))
    return np.asarray(np.where(mask[..., None], 130, 100) + noise, np.uint8)


def test_a_small_object_is_found_by_a_frame_in_which_it_is_masked() -> None:
    before, now = disk(60, 64, 14), disk(84, 40, 12)
    example, grid = features_of(before, 0), features_of(now, 1)
    is_object = before.reshape(CELLS, 4, CELLS, 4).mean(axis=(1, 3)) > 0.5
    frame = Cells(0, 0, PIXELS, CELLS)
    known = unit_rows(example[is_object]), unit_rows(example[~is_object])
    found = cut_out(grid, frame, known[0], picture(now, 2), background=known[1])
    assert (found & now).sum() / (found | now).sum() > 0.8


def test_nothing_is_found_where_nothing_looks_like_it() -> None:
    before = disk(60, 64, 14)
    example, grid = features_of(before, 0), features_of(np.zeros_like(before), 1)
    is_object = before.reshape(CELLS, 4, CELLS, 4).mean(axis=(1, 3)) > 0.5
    known = unit_rows(example[is_object]), unit_rows(example[~is_object])
    pixels = picture(np.zeros_like(before), 2)
    assert not cut_out(grid, Cells(0, 0, PIXELS, CELLS), known[0], pixels, background=known[1]).any()


@pytest.mark.parametrize(("x", "closed"), [(64.0, 1.0), (0.0, 0.5)])
def test_outlines_are_closed_and_lie_on_the_border(x: float, closed: float) -> None:
    segments = outline(disk(x, 50, 30)) * PIXELS
    lengths = np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1)
    along_the_border = 60 if closed < 1 else 0
    assert lengths.sum() == pytest.approx(closed * 60 * np.pi + along_the_border, rel=0.02)
    ends, counts = np.unique(segments.reshape(-1, 2).round(2), axis=0, return_counts=True)
    assert (counts == 2).all()  # each end is where another segment begins
    center = np.array((x - PIXELS / 2, PIXELS / 2 - 50))
    away = np.linalg.norm(ends - center, axis=1)
    assert np.abs(away[ends[:, 0] > -PIXELS / 2 + 1] - 30).max() < 1


def test_an_empty_mask_has_no_outline() -> None:
    assert outline(np.zeros((20, 30), bool)).shape == (0, 2, 2)
