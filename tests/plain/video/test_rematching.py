"""Frames that are matched again as they were fitted."""

from __future__ import annotations

import numpy as np

from meshkin.features.photo import window
from meshkin.video.drawing import places
from meshkin.video.rematching import frame_view


def test_the_view_of_a_posed_shape_is_the_part_of_the_picture_around_it() -> None:
    points = np.random.default_rng(0).normal(size=(50, 3)) * (0.4, 0.2, 0.3) + (0.5, -0.3, -6)
    mask = np.zeros((120, 200), bool)
    mask[50:90, 110:170] = True
    shown = places(points, 300.0, mask.shape)
    view = frame_view(points, mask, 300.0)
    top, left, side = window(mask)
    found, depth = view.project(0, points)
    np.testing.assert_allclose(found / view.resolution * side + (left, top), shown, atol=1e-6)
    np.testing.assert_allclose(depth * view.radius, -points[:, 2])
