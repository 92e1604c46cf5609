"""Equal rows, joined: against brute force, and for moved and cut meshes."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from helpers.shapes import icosphere
from meshkin.geometry.welding import place_numbers, weld, welded_corners


@given(st.integers(0, 2**32 - 1), st.integers(0, 200), st.integers(1, 9), st.sampled_from([np.float32, np.float64]))
@settings(max_examples=100, deadline=None)
def test_equal_rows_have_one_number(seed: int, count: int, width: int, kind: type[np.floating[Any]]) -> None:
    rows = np.random.default_rng(seed).choice([0.0, -0.0, 0.1, -2.5, 1e-30], (count, width)).astype(kind)
    first, place = weld(rows)
    np.testing.assert_array_equal(rows[first][place], rows)
    seen: dict[tuple[float, ...], int] = {}
    expected = [seen.setdefault(tuple(row), len(seen)) for row in rows.tolist()]  # -0.0 == 0.0
    np.testing.assert_array_equal(place, expected)
    np.testing.assert_array_equal(first, [expected.index(number) for number in range(len(seen))])


def test_a_turned_mesh_has_the_same_numbers() -> None:
    vertices, faces = icosphere(2)
    split = vertices[faces].reshape(-1, 3)
    turned = (vertices @ Rotation.from_euler("xyz", (1, 2, 3)).as_matrix().T)[faces].reshape(-1, 3)
    np.testing.assert_array_equal(weld(split)[1], weld(turned)[1])
    assert weld(split)[1].max() + 1 == len(vertices)


def test_place_numbers_compare_in_single_precision() -> None:
    rows = np.array([[1.0, 2], [1 + 1e-12, 2], [1 + 1e-5, 2]])
    np.testing.assert_array_equal(place_numbers(rows), [0, 0, 1])
    np.testing.assert_array_equal(weld(rows)[1], [0, 1, 2])


def test_polygons_share_vertices_at_one_place_but_where_they_cannot() -> None:
    square, doubled, neighbor, folded = [0, 1, 2, 3], [3, 2, 1, 0], [1, 2, 4], [5, 6, 5]
    place = np.array([*square, *doubled, *neighbor, *folded])
    vertex = welded_corners(place, np.array([4, 4, 3, 3]))
    np.testing.assert_array_equal(vertex[[0, 1, 2, 3]], square)
    np.testing.assert_array_equal(vertex[8:11], neighbor)
    apart = vertex[[4, 5, 6, 7, 11, 12, 13]]  # the second of two faces at one place, and one with a place twice
    assert len(np.unique(apart)) == len(apart)
    assert not np.isin(apart, place).any()
