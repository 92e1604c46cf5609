"""The shared basis: reconstruction, order, signs, and colors that mean the same on every shape."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from meshkin.spectral import pca


def low_rank(rows: int, channels: int, rank: int, seed: int, offset: float = 0.0) -> NDArray[np.float32]:
    """Features in one ``rank``-dimensional subspace (the same for every seed) around one mean."""
    plane = np.random.default_rng(99).normal(size=(rank, channels))
    values = np.random.default_rng(seed).normal(offset, 1, (rows, rank)) * np.arange(rank, 0, -1)
    return (values @ plane + np.random.default_rng(98).normal(size=channels)).astype(np.float32)


def test_what_lies_in_a_subspace_is_given_back_whole() -> None:
    shapes = [low_rank(9000, 40, 6, 1), low_rank(300, 40, 6, 2, 1.0)]
    basis = pca.basis(shapes, 6)
    for shape in shapes:
        restored = pca.project(basis, shape) @ basis.components.T + basis.mean
        assert restored == pytest.approx(shape, abs=1e-3)


def test_the_basis_is_orthonormal_ordered_and_has_fixed_signs() -> None:
    basis = pca.basis([low_rank(500, 30, 8, 1)], 10)
    assert basis.components.T @ basis.components == pytest.approx(np.eye(10), abs=1e-10)
    assert (np.diff(basis.scale) <= 1e-9).all()
    assert basis.scale[8:] == pytest.approx(0, abs=1e-3)
    assert (basis.components[np.abs(basis.components).argmax(axis=0), np.arange(10)] > 0).all()
    again = pca.basis([low_rank(500, 30, 8, 1)[::-1]], 8)
    assert again.components == pytest.approx(basis.components[:, :8], abs=1e-5)


def test_agrees_with_singular_values() -> None:
    features = np.random.default_rng(0).normal(size=(400, 12)) * np.arange(1, 13)
    basis = pca.basis([features], 12)
    _, values, _ = np.linalg.svd(features - features.mean(axis=0))
    assert basis.scale == pytest.approx(values / np.sqrt(400), rel=1e-6)
    assert pca.project(basis, features).std(axis=0) == pytest.approx(basis.scale, rel=1e-4)


def test_every_shape_counts_the_same_however_many_vertices() -> None:
    large, small = np.zeros((5000, 3)), np.zeros((50, 3))
    large[:, 0], small[:, 1] = np.linspace(0.9, 1.1, 5000), np.linspace(4, 6, 50)
    basis = pca.basis([large, small], 3)
    assert basis.mean == pytest.approx([0.5, 2.5, 0])
    assert abs(basis.components[1, 0]) > abs(basis.components[0, 0])


def test_components_are_no_more_than_channels_or_the_limit() -> None:
    assert pca.basis([np.ones((5, 2))]).components.shape == (2, 2)
    assert pca.basis([np.random.default_rng(0).normal(size=(50, 300))], 1000).components.shape == (300, 256)


def test_vertices_about_which_nothing_is_known_do_not_take_part() -> None:
    features = low_rank(200, 10, 3, 1)
    holes = np.concatenate((features, np.zeros((300, 10), np.float32)))
    with_holes, without = pca.basis([holes], 3), pca.basis([features], 3)
    assert with_holes.components == pytest.approx(without.components, abs=1e-6)
    assert not pca.project(with_holes, holes)[200:].any()


@pytest.mark.parametrize("features", [np.full((7, 5), 3.0), np.zeros((7, 5)), np.zeros((0, 5)), np.ones((1, 5))])
def test_features_that_do_not_vary(features: NDArray[np.float64]) -> None:
    basis = pca.basis([features], 4)
    projected = pca.project(basis, features)
    assert projected.shape == (len(features), 4)
    assert projected == pytest.approx(np.zeros_like(projected), abs=1e-6)
    assert pca.colors([projected])[0] == pytest.approx(np.full((len(features), 3), 0.5))


def test_half_precision_features_do_as_well() -> None:
    features = low_rank(500, 20, 4, 3) / 10
    one, two = pca.basis([features], 4), pca.basis([features.astype(np.float16)], 4)
    assert two.components == pytest.approx(one.components, abs=1e-2)
    assert np.isfinite(pca.project(two, features.astype(np.float16))).all()


def test_equal_features_have_equal_colors_on_every_shape() -> None:
    one = low_rank(400, 20, 5, 1)
    two = np.concatenate((one[50:80], low_rank(100, 20, 5, 2, 2.0)))
    basis = pca.basis([one, two], 3)
    first, second = pca.colors([pca.project(basis, one), pca.project(basis, two)])
    assert second[:30] == pytest.approx(first[50:80], abs=1e-6)
    for colors in (first, second):
        assert colors.dtype == np.float32
        assert colors.min() >= 0
        assert colors.max() <= 1
    assert (np.ptp(np.concatenate((first, second)), axis=0) == 1).all()


def test_an_outlier_does_not_flatten_the_colors() -> None:
    projected = np.random.default_rng(0).normal(size=(1000, 3))
    projected[0] = 1e6
    assert pca.colors([projected])[0].std() > 0.15


def test_fewer_than_three_channels_give_gray_in_the_others() -> None:
    painted = pca.colors([np.linspace(0, 1, 50)[:, None]])[0]
    assert painted.shape == (50, 3)
    assert np.ptp(painted[:, 0]) == 1
    assert painted[:, 1:] == pytest.approx(0.5)
