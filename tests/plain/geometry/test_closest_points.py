"""Nearest points on triangles and coordinates there, on sound triangles and on degenerate ones."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.shapes import icosphere
from meshkin.geometry.closest_points import (
    barycentric_coordinates,
    closest_points,
    nearest_on_triangles,
    nearest_weights,
)


def test_nearest_weights_of_degenerate_triangles() -> None:
    corners = np.array([[[1.0, 1], [1, 1], [1, 1]], [[-1, 1], [0, 1], [3, 1]], [[-1, 1], [3, 1], [3, 1]]])
    weights, squares = nearest_weights(corners @ corners.transpose(0, 2, 1))
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(squares, [2, 1, 1], atol=1e-12)
    np.testing.assert_allclose(np.einsum("nk,nkd->nd", weights, corners), [[1, 1], [0, 1], [0, 1]], atol=1e-12)


def test_the_closest_points_of_a_ball_lie_below() -> None:
    vertices, faces = icosphere(3)
    points = 2 * np.random.default_rng(0).normal(size=(100, 3))
    closest = closest_points(points, vertices, faces.astype(np.int32))
    assert closest.barycentric.sum(axis=1) == pytest.approx(1)
    assert closest.barycentric.min() >= 0
    there = np.einsum("nk,nkd->nd", closest.barycentric, vertices[faces[closest.face]])
    assert there == pytest.approx(closest.point, abs=1e-6)
    assert ((points - closest.point) ** 2).sum(axis=1) == pytest.approx(closest.square)
    radius = np.linalg.norm(points, axis=1)
    assert np.abs(np.sqrt(closest.square) - np.abs(radius - 1)).max() < 0.02
    weights, squares = nearest_on_triangles(points, vertices[faces[closest.face]])
    assert weights == pytest.approx(closest.barycentric, abs=1e-6)
    assert squares == pytest.approx(closest.square, abs=1e-6)


def test_coordinates_are_cut_off_and_defined_without_area() -> None:
    corners = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]] * 2 + [[[1.0, 1, 1]] * 3])
    points = np.array([[0.25, 0.25, 0], [0.5, 0.5 + 1e-9, 0], [1, 1, 1]])
    shares = barycentric_coordinates(points, corners)
    assert shares == pytest.approx(np.array([[0.5, 0.25, 0.25], [0, 0.5, 0.5], [1 / 3] * 3]), abs=1e-8)
    assert shares.min() >= 0
