"""Bones for a surface without any."""

from __future__ import annotations

import numpy as np

from helpers.figures import Figure
from meshkin.video.neural import neural_bones
from meshkin.video.spreading import spread


def test_bones_lie_evenly_and_none_moves_both_legs() -> None:
    body = Figure().body(30)
    vertices = np.asarray(body.vertices, np.float64)
    weights = neural_bones(vertices, body.faces)
    assert weights.shape == (len(vertices), 25)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    assert (weights > 0).sum(axis=1).max() <= 4
    main = weights.argmax(axis=1)
    assert (np.bincount(main, minlength=25) > 3).all()
    shank = vertices[:, 2] < 0.2 * vertices[:, 2].max()
    left, right = (set(main[shank & side].tolist()) for side in (vertices[:, 0] > 0, vertices[:, 0] < 0))
    assert not left & right


def test_pieces_are_joined() -> None:
    corners = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0)], float)
    vertices = np.vstack((corners, corners + np.array((3, 0, 0))))
    points, ways = spread(vertices, np.array([(0, 1, 2), (3, 4, 5)]), 2)
    assert len(set((points // 3).tolist())) == 2
    assert np.isfinite(ways).all()
