"""Vertex groups merged, and meshes with different groups stacked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from helpers import shapes
from meshkin.transfer.weights.groups import WeightedMesh, merge_groups, stack_meshes


def test_groups_of_the_same_name_are_added_up() -> None:
    weights = np.array([[0.5, 0.25, 0.25, 0.0], [0.0, 0.5, 0.5, 0.0]], np.float32)
    merged, names = merge_groups(weights, ["spine", "head", "spine", "eye"], always=2)
    assert names == ["spine", "head"]
    np.testing.assert_array_equal(merged, [[0.75, 0.25], [0.5, 0.5]])
    assert merged.dtype == np.float64


def test_empty_groups_are_kept_if_they_are_among_the_first() -> None:
    weights = np.array([[0.0, 1.0, 0.0, 0.0]], np.float32)
    assert merge_groups(weights, ["a", "b", "c", "d"], always=3)[1] == ["a", "b", "c"]
    assert merge_groups(weights, ["a", "b", "c", "d"], always=0)[1] == ["b"]


def test_stacked_meshes_stand_where_they_stood() -> None:
    """In the first one's frame, each weight in the column of its group's name."""
    points, faces = shapes.grid(1, 1)
    square = shapes.snapshot(np.column_stack((points, np.zeros(4))), faces)
    square = replace(square, location=np.array([1.0, 0, 0]))
    other = replace(square, location=np.array([1.0, 0, 2]))
    one_group, two_groups = np.full((4, 1), 0.5), np.tile([0.25, 0.75], (4, 1))
    surface, names = stack_meshes(
        [WeightedMesh(square, ["spine", "head"], two_groups), WeightedMesh(other, ["eye"], one_group)]
    )
    assert names == ["spine", "head", "eye"]
    above = square.vertices + np.array((0, 0, 2))
    np.testing.assert_array_equal(surface.vertices, np.concatenate((square.vertices, above)))
    np.testing.assert_array_equal(surface.faces, np.concatenate((faces, faces + 4)))
    np.testing.assert_array_equal(surface.weights, [[0.25, 0.75, 0]] * 4 + [[0, 0, 0.5]] * 4)
    assert surface.weights.dtype == np.float32
    shared, names = stack_meshes(
        [WeightedMesh(square, ["spine", "head"], two_groups), WeightedMesh(other, ["head"], one_group)]
    )
    assert names == ["spine", "head"]
    np.testing.assert_array_equal(shared.weights[4:], [[0, 0.5]] * 4)
