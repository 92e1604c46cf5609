"""Neighbors, connected parts and the links between them."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.shapes import icosphere
from meshkin.geometry.adjacency import (
    bridges,
    connected_components,
    loose_parts,
    opposite_triangles,
    triangle_components,
)


def test_bridges_are_the_shortest_that_suffice() -> None:
    triangle = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    vertices = np.concatenate([triangle + np.array((away, 0, 0)) for away in (0, 3, 9)])
    links = bridges(vertices, np.arange(9).reshape(3, 3))
    assert {tuple(sorted(link)) for link in links.tolist()} == {(1, 3), (4, 6)}


def test_each_triangle_of_a_ball_has_three_neighbors_and_one_part() -> None:
    _, faces = icosphere(1)
    across = opposite_triangles(faces)
    for corner in range(3):
        shared = (faces[across[:, corner]][:, :, None] == faces[:, None]).any(axis=(1,))
        np.testing.assert_array_equal(shared.sum(axis=1), 2)
        assert not shared[:, corner].any()  # the neighbor across the edge that the corner does not belong to
    assert triangle_components(across).max() == 0
    two = opposite_triangles(np.concatenate((faces, faces + faces.max() + 1)))
    np.testing.assert_array_equal(triangle_components(two), np.repeat([0, 1], len(faces)))
    np.testing.assert_array_equal(opposite_triangles(faces[:1]), [[-1, -1, -1]])
    assert opposite_triangles(np.zeros((0, 3), np.int32)).shape == (0, 3)


def test_connected_components_of_links() -> None:
    np.testing.assert_array_equal(connected_components(np.array([[3, 1], [1, 3], [4, 0]]), 5), [0, 1, 2, 1, 0])
    np.testing.assert_array_equal(connected_components(np.zeros((0, 2), np.int64), 3), [0, 1, 2])


def test_loose_parts_go_across_seams() -> None:
    vertices, faces = icosphere(1)
    split = vertices[faces].reshape(-1, 3)
    points = np.concatenate((split, 2 * split + 9, [(99.0, 0, 0)]))
    parts = loose_parts(points, np.arange(2 * len(split)).reshape(-1, 3))
    np.testing.assert_array_equal(parts.of_vertex, np.repeat([0, 1, 2], (len(split), len(split), 1)))
    assert parts.diagonals == pytest.approx(np.linalg.norm(np.ptp(vertices, axis=0)) * np.array((1, 2, 0)))
