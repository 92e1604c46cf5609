"""Walks over surfaces: against the closest point, at borders, and on triangles without area."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import shapes
from meshkin.geometry.closest_points import closest_points
from meshkin.geometry.mesh import face_vectors
from meshkin.geometry.walking import SurfaceWalker

Array = shapes.Array


@pytest.fixture(scope="module")
def ball() -> tuple[Array, Array]:
    shape = shapes.bumpy(shapes.sphere(48, 24))
    vertices = shape.vertices.astype(np.float64)
    return vertices - vertices.mean(axis=0), shape.faces


def on_surface(ball: tuple[Array, Array], count: int) -> tuple[Array, Array]:
    """Points of the surface and their triangles."""
    vertices, faces = ball
    generator = np.random.default_rng(0)
    face = generator.integers(0, len(faces), count)
    weights = generator.dirichlet((1, 1, 1), count)
    return np.einsum("nk,nkd->nd", weights, vertices[faces[face]]), face


def test_a_point_of_the_surface_is_reached_from_triangles_around(ball: tuple[Array, Array]) -> None:
    vertices, faces = ball
    points, _ = on_surface(ball, 2000)
    middles = vertices[faces].mean(axis=1)
    near = np.argsort(np.linalg.norm(points[:, None] - middles, axis=2), axis=1)[:, 5]
    walker = SurfaceWalker(vertices, faces)
    ended, weights, height = walker.walk(points.astype(np.float32), near.astype(np.int32))
    reached = np.einsum("nk,nkd->nd", weights, vertices[faces[ended]])
    right = np.linalg.norm(reached - points, axis=1) < 1e-4
    assert right.mean() > 0.97
    np.testing.assert_allclose(height[right], 0, atol=1e-4)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)


def test_a_point_above_the_surface_is_projected(ball: tuple[Array, Array]) -> None:
    vertices, faces = ball
    points, face = on_surface(ball, 500)
    normals = face_vectors(vertices, faces)[face]
    lifted = points + 1e-3 * normals / np.linalg.norm(normals, axis=1, keepdims=True)
    ended, weights, height = SurfaceWalker(vertices, faces).walk(lifted.astype(np.float32), face.astype(np.int32))
    np.testing.assert_array_equal(ended, face)
    np.testing.assert_allclose(height, 1e-3, atol=1e-5)
    np.testing.assert_allclose(np.einsum("nk,nkd->nd", weights, vertices[faces[ended]]), points, atol=1e-4)


def test_a_walk_ends_at_a_border() -> None:
    """Straight beyond it, at the nearest point; aside, in the last triangle, at that one's nearest point."""
    flat, faces = shapes.grid(6, 6)
    vertices = np.column_stack([flat - 0.5, np.zeros(len(flat))])
    points = np.array([[0.7, 0.1, 0], [0.1, -0.9, 0], [0.2, 0.1, 0.3]], np.float32)
    middle = closest_points(np.zeros((1, 3)), vertices, faces).face
    ended, weights, distance = SurfaceWalker(vertices, faces).walk(points, np.repeat(middle, 3).astype(np.int32))
    reached = np.einsum("nk,nkd->nd", weights, vertices[faces[ended]])
    np.testing.assert_allclose(reached[[0, 2]], [[0.5, 0.1, 0], [0.2, 0.1, 0]], atol=1e-5)
    assert reached[1, 1] == pytest.approx(-0.5, abs=1e-5)
    assert abs(reached[1, 0] - 0.1) < 1 / 6  # the length of an edge
    np.testing.assert_allclose(np.abs(distance), np.linalg.norm(points - reached, axis=1), atol=1e-5)


def test_a_triangle_without_area_has_no_height() -> None:
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    walker = SurfaceWalker(vertices, np.array([[0, 1, 2]]))
    _, _, height = walker.walk(np.array([[0.5, 1, 0]], np.float32), np.zeros(1, np.int32))
    assert np.isnan(height).all()
