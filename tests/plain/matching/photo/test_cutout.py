"""Objects cut out of photographs."""

from __future__ import annotations

import numpy as np

from meshkin.matching.photo.cutout import cut_out
from meshkin.matching.photo.photograph import Cells


def test_the_object_is_cut_out_where_it_agrees_with_the_surface() -> None:
    random = np.random.default_rng(2)
    truth = np.zeros((120, 160), bool)
    truth[30:90, 50:110] = True
    truth[50:70, 70:80] = False  # a hole is filled
    pixels = np.where(truth[..., None], (200, 60, 40), (60, 90, 120)).astype(np.uint8)
    cells = Cells(-20, 0, 160, 40)
    inside = cells.inside(truth)
    of_object, of_background = random.normal(size=(2, 30))
    grid = np.where(inside[..., None], of_object, of_background) + 0.6 * random.normal(size=(40, 40, 30))
    references = of_object + 0.6 * random.normal(size=(50, 30))
    references /= np.linalg.norm(references, axis=1, keepdims=True)
    mask = cut_out(grid.astype(np.float32), cells, references.astype(np.float32), pixels)
    truth[50:70, 70:80] = True
    assert (mask & truth).sum() / (mask | truth).sum() > 0.95
