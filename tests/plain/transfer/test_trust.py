"""Where a map is trusted."""

from __future__ import annotations

import numpy as np

from helpers import shapes
from helpers.maps import vertex_map
from meshkin.transfer.trust import TrustSettings, trusted_vertices

UPRIGHT = TrustSettings(orientation=0.0)


def test_torn_turned_and_doubtful_places_are_not_trusted() -> None:
    points, faces = shapes.grid(30, 30)
    flat = np.column_stack((points, np.zeros(len(points))))
    number = np.arange(len(points)).reshape(31, 31)
    shape = (flat, faces)
    assert trusted_vertices(vertex_map(number.ravel(), faces), shape, shape, 0.5, settings=UPRIGHT).all()
    assert not trusted_vertices(vertex_map(number[::-1].ravel(), faces), shape, shape, 0.5, settings=UPRIGHT).any()
    assert trusted_vertices(vertex_map(number[::-1].ravel(), faces), shape, shape, 0.5, check_orientation=False).all()
    torn = number.copy()
    torn[10:13, 10:12] = number[25:28, 25:27]
    kept = trusted_vertices(vertex_map(torn.ravel(), faces), shape, shape, 0.5, check_orientation=False).reshape(31, 31)
    assert not kept[10:13, 10:12].any()
    assert kept.mean() > 0.95
    doubtful = np.where(points[:, 0] < 0.5, 0.2, 0.9)
    np.testing.assert_array_equal(
        trusted_vertices(vertex_map(number.ravel(), faces, doubtful), shape, shape, 0.5, settings=UPRIGHT),
        points[:, 0] >= 0.5,
    )
