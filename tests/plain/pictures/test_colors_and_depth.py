"""The albedo's mean color, and the scale and shift of a photograph's depth."""

from __future__ import annotations

import numpy as np
import pytest

from meshkin.base.color import srgb_to_linear
from meshkin.data.photo_map import PhotoMap
from meshkin.pictures.depth_fitting import fit_depth, fit_to_match
from meshkin.pictures.mean_color import with_mean_of


@pytest.mark.parametrize("seed", range(4))
def test_the_mean_color_inside_the_mask_stays(seed: int) -> None:
    random = np.random.default_rng(seed)
    photo = (255 * random.random((30, 40, 3)) ** (0.4 + seed)).astype(np.uint8)
    albedo = (random.random((30, 40, 3)) ** 2).astype(np.float32)
    mask = np.zeros((30, 40), bool)
    mask[4:20, 5:30] = True
    for inside in (mask, None):
        found = with_mean_of(albedo, photo, inside)
        assert found.min() >= 0
        assert found.max() <= 1
        rows = mask if inside is not None else np.ones_like(mask)
        means = [srgb_to_linear(each[rows].astype(np.float64)).mean(axis=0) for each in (found, photo / 255)]
        np.testing.assert_allclose(means[0], means[1], rtol=1e-4)
    assert np.isfinite(with_mean_of(np.zeros_like(albedo), photo, mask)).all()
    black = with_mean_of(albedo, np.zeros_like(photo), mask)
    np.testing.assert_allclose(black, 0, atol=1e-4)


@pytest.mark.parametrize("wrong", [0.0, 0.2, 0.4])
def test_depth_is_fitted_among_wrong_points(wrong: float) -> None:
    random = np.random.default_rng(1)
    predicted = random.random(3000)
    true = 2.5 * predicted + 0.7 + 0.01 * random.normal(size=3000)
    rows = random.random(3000) < wrong
    true[rows] = random.random(rows.sum()) * 6 - 1
    fit = fit_depth(predicted, true, np.ones(3000))
    assert fit is not None
    assert fit.scale == pytest.approx(2.5, rel=0.02)
    assert fit.shift == pytest.approx(0.7, abs=0.02)
    assert fit.inliers > 0.9 * (1 - wrong)


def test_depth_that_fits_nothing() -> None:
    rising = np.linspace(0, 1, 200)
    assert fit_depth(rising, -rising, np.ones(200)) is None
    assert fit_depth(np.full(200, 0.5), rising, np.ones(200)) is None
    assert fit_depth(rising[:5], rising[:5], np.ones(5)) is None
    assert fit_depth(rising, rising, np.zeros(200)) is None
    assert fit_depth(np.full(200, np.nan), rising, np.ones(200)) is None


@pytest.mark.parametrize("mirrored", [False, True])
def test_depth_is_counted_from_the_nearest_point(mirrored: bool) -> None:
    """A slope that runs away from a camera that looks along +Y."""
    size = 20
    row, column = np.mgrid[:size, :size]
    vertices = np.stack((column / size, row / 5, 1 - row / size), axis=-1).reshape(-1, 3)
    faces = np.column_stack((np.arange(size * size),) * 3).astype(np.int32)
    mask = np.ones((size, size), bool)
    barycentric = np.zeros((size, size, 3), np.float32)
    barycentric[..., 0] = 1
    camera = np.array([[size, 0], [0, 0], [0, -size], [0, size]], np.float64)
    if mirrored:
        camera[:, 0] = (-size, 0, 0, size)
    photo_map = PhotoMap(
        mask,
        np.arange(size * size, dtype=np.int32).reshape(size, size),
        barycentric,
        np.ones((size, size), np.float32),
        faces,
        camera,
        np.zeros((size, size, 3), np.uint8),
        np.array([[0, -1, 0, mirrored, 0.9], [0, 1, 0, 0, 0.8]], np.float64),
    )
    np.testing.assert_allclose(photo_map.view_direction / np.linalg.norm(photo_map.view_direction), (0, 1, 0))
    fit = fit_to_match((row / 40).astype(np.float32), photo_map, vertices)
    assert fit is not None
    assert fit.scale == pytest.approx(8)
    assert fit.shift == pytest.approx(0, abs=1e-6)
