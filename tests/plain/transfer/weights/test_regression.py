"""Skinning weights learned from features."""

from __future__ import annotations

import numpy as np

from helpers import shapes
from helpers.figures import Figure
from meshkin.transfer.weights.regression import compare_methods, predict_weights

FIGURE = Figure()
BODY, OTHER = FIGURE.body(50), FIGURE.body(44, 0.3)
WEIGHTS = FIGURE.weights(BODY.vertices.astype(np.float64))


def features(places: shapes.Array, noise: float = 0.0) -> shapes.Array:
    generator = np.random.default_rng(1)
    values = shapes.smooth_features(4 * np.asarray(places, np.float64), 64)
    return values + noise * generator.standard_normal(values.shape).astype(np.float32)


def test_weights_are_read_off_features_on_another_topology() -> None:
    found = predict_weights(features(BODY.vertices), features(OTHER.vertices), WEIGHTS, BODY)
    truth = FIGURE.weights(OTHER.vertices.astype(np.float64))
    assert found.shape == truth.shape
    assert (found > 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert np.abs(found - truth).sum(axis=1).mean() < 0.15
    again = predict_weights(features(BODY.vertices), features(OTHER.vertices), WEIGHTS, BODY)
    np.testing.assert_array_equal(found, again)


def test_the_better_way_is_chosen_by_cross_validation() -> None:
    """Features that say the bone outright but also a lot of noise favor learning; the mere place favors copying."""
    generator = np.random.default_rng(0)
    hints = (WEIGHTS @ generator.standard_normal((WEIGHTS.shape[1], 24))).astype(np.float32)
    noisy = np.hstack((2 * hints, 2 * generator.standard_normal((len(hints), 40)))).astype(np.float32)
    learned = compare_methods(noisy, WEIGHTS, BODY)
    assert learned.learned_better
    assert learned.learned_error < 0.7 * learned.copied_error
    codes = generator.standard_normal((len(BODY.vertices), 64)).astype(np.float32)
    blind = compare_methods(codes, WEIGHTS, BODY)
    assert blind.learned_error > 1
    assert not blind.learned_better


def test_vertices_without_weight_are_not_learned_from() -> None:
    weights = WEIGHTS.copy()
    weights[BODY.vertices[:, 2] < 0.3] = 0
    found = predict_weights(features(BODY.vertices), features(OTHER.vertices), weights, BODY)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert not np.isnan(found).any()
