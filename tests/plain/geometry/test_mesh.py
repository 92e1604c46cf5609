"""Areas, normals, edges and faces against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.shapes import icosphere
from meshkin.geometry.mesh import (
    clean_faces,
    edges,
    normalize,
    proper_faces,
    surface_area,
    vertex_areas,
    vertex_normals,
)


def test_sphere_areas_and_normals() -> None:
    vertices, faces = icosphere(4)
    assert vertex_areas(vertices, faces).sum() == pytest.approx(4 * np.pi, rel=5e-3)
    assert np.einsum("vk,vk->v", vertex_normals(vertices, faces), vertices).min() > 0.9999


def test_normals_do_not_depend_on_how_a_cube_is_cut() -> None:
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    low, high = np.column_stack((square, np.zeros(4))), np.column_stack((square, np.ones(4)))
    quads = np.array([[3, 2, 1, 0], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]])
    faces = np.concatenate((quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]))
    vertices = np.concatenate((low, high))
    expected = (vertices - 0.5) / np.linalg.norm(vertices - 0.5, axis=1, keepdims=True)
    assert vertex_normals(vertices, faces) == pytest.approx(expected, abs=1e-12)


def test_a_normalized_surface_has_area_1_and_its_centroid_at_the_origin() -> None:
    vertices, faces = icosphere(3)
    moved = normalize(vertices * (1, 2, 3) + (50, -7, 2), faces)
    assert surface_area(moved, faces) == pytest.approx(1)
    assert moved.mean(axis=0) == pytest.approx(0, abs=1e-2)
    line = np.array([[0.0, 0, 0], [2, 0, 0], [4, 0, 0]])
    assert normalize(line, np.array([[0, 1, 2]])) == pytest.approx(line - (2, 0, 0))


def test_faces_without_area_and_repeated_ones_are_left_out() -> None:
    faces = np.array([[0, 1, 2], [2, 1, 0], [3, 3, 1], [1, 2, 3], [4, 4, 4], [0, 1, 2]])
    np.testing.assert_array_equal(proper_faces(faces), faces[[0, 1, 3, 5]])
    np.testing.assert_array_equal(clean_faces(faces), faces[[0, 3]])
    np.testing.assert_array_equal(edges(faces), [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]])
