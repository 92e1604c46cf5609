"""Rays against triangles whose hits are known."""

from __future__ import annotations

import numpy as np
import pytest

from meshkin.geometry.rays import first_hit, nearest_vertex_to_ray

TRIANGLE = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]]], float)


def test_a_ray_meets_both_sides_of_a_triangle() -> None:
    for height, direction in ((2.0, -1.0), (-3.0, 1.0)):
        hit = first_hit(np.array((0.25, 0.25, height)), np.array((0, 0, direction)), TRIANGLE)
        assert hit == pytest.approx(abs(height))


def test_the_nearest_of_several_triangles_is_met() -> None:
    stack = np.concatenate([np.add(TRIANGLE, (0, 0, height)) for height in (1.0, 3.0, 2.0, 9.0)])
    assert first_hit(np.array((0.2, 0.2, 5.0)), np.array((0, 0, -1.0)), stack) == pytest.approx(2)


@pytest.mark.parametrize(
    ("origin", "direction"),
    [
        ((0.25, 0.25, 1), (0, 0, 1)),  # behind the origin
        ((0.8, 0.8, 1), (0, 0, -1)),  # beside the triangle
        ((-1, 0.25, 0), (1, 0, 0)),  # along its plane
    ],
)
def test_a_ray_that_misses(origin: tuple[float, ...], direction: tuple[float, ...]) -> None:
    assert first_hit(np.array(origin, float), np.array(direction, float), TRIANGLE) is None


def test_random_points_of_triangles_are_met() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        corners = random.normal(size=(1, 3, 3))
        point = random.dirichlet((1, 1, 1)) @ corners[0]
        direction = random.normal(size=3)
        origin = point - 2.5 * direction
        assert first_hit(origin, direction, corners) == pytest.approx(2.5, rel=1e-6)


def test_the_vertex_nearest_to_a_ray() -> None:
    vertices = np.array([[5.0, 3, 0], [2, 0, 1], [-1, 0, 0]])
    vertex, distance = nearest_vertex_to_ray(np.zeros(3), np.array((1.0, 0, 0)), vertices)
    assert vertex == 1
    assert distance == pytest.approx(1)
    assert nearest_vertex_to_ray(np.array((9.0, 0, 0)), np.array((1.0, 0, 0)), vertices)[1] == np.inf
