"""Gradients of barycentric coordinates, and differentials of maps of triangles."""

from __future__ import annotations

import numpy as np
import pytest

from meshkin.geometry.gradients import barycentric_gradients, differentials


def test_coordinates_grow_by_one_from_corner_to_corner() -> None:
    corners = np.random.default_rng(0).normal(size=(20, 3, 3))
    second, third = barycentric_gradients(corners)
    sides = corners[:, 1:] - corners[:, :1]
    assert np.einsum("fd,fsd->fs", second, sides) == pytest.approx(np.tile((1.0, 0), (20, 1)))
    assert np.einsum("fd,fsd->fs", third, sides) == pytest.approx(np.tile((0.0, 1), (20, 1)))
    for gradient in barycentric_gradients(np.ones((1, 3, 3))):
        assert not gradient.any()


def test_differentials_carry_sides_to_sides_and_normals_to_zero() -> None:
    corners, image = np.random.default_rng(0).normal(size=(2, 20, 3, 3))
    carried = differentials(corners, image)
    for side in (1, 2):
        before, after = corners[:, side] - corners[:, 0], image[:, side] - image[:, 0]
        assert np.einsum("fij,fj->fi", carried, before) == pytest.approx(after)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert np.einsum("fij,fj->fi", carried, normals) == pytest.approx(0, abs=1e-9)
