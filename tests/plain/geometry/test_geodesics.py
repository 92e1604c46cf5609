"""Distances along a surface."""

from __future__ import annotations

import numpy as np

from helpers import shapes
from meshkin.geometry.geodesics import spread_distances


def test_distances_on_a_ball_are_angles() -> None:
    vertices, faces = shapes.icosphere(4)
    points, distances = spread_distances(vertices, faces, 20)
    angles = np.arccos(np.clip(vertices[points] @ vertices.T, -1, 1))
    assert np.abs(distances - angles).mean() < 0.02
    assert (distances[np.arange(20), points] == 0).all()


def test_points_are_spread_evenly() -> None:
    vertices, faces = shapes.icosphere(3)
    points, distances = spread_distances(vertices, faces, 12)
    between = distances[:, points] + np.diag(np.full(12, np.inf))
    assert between.min() > 0.8  # the twelve corners of an icosahedron are 1.107 apart
    assert len(set(points.tolist())) == 12


def test_no_way_leads_to_another_part() -> None:
    ball = shapes.icosphere(2)
    vertices, faces = shapes.joined(ball, (ball[0] + (5, 0, 0), ball[1]))
    points, distances = spread_distances(np.vstack((vertices, [[0, 0, 9]])), faces, 10)
    count = len(ball[0])
    near = (points < count)[:, None] == (np.arange(len(vertices)) < count)
    np.testing.assert_array_equal(np.isfinite(distances[:, : len(vertices)]), near)
    assert np.isinf(distances[:, -1]).all()  # a vertex without a face
    assert abs(int((points < count).sum()) - 5) <= 1
