"""The matcher: against known correspondences and bad input."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from helpers import shapes
from helpers.surfaces import assert_valid, described, match_by_position
from meshkin.base.errors import Cancelled, InputError
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import SurfaceMap
from meshkin.geometry.arrays import unit_rows
from meshkin.matching.confidence import misfit
from meshkin.matching.feature_map import FeatureSurface, SearchSettings, map_by_features
from meshkin.matching.pipeline import match_features


def errors(surface_map: SurfaceMap, source: Snapshot, target: Snapshot, snapped: bool = False) -> shapes.Array:
    """Distance of each mapped vertex from its own place; the shapes lie in the same place."""
    points = source.vertices[surface_map.vertex] if snapped else surface_map.pull(source.vertices, source.faces)
    return np.linalg.norm(points - target.vertices, axis=1)


@pytest.fixture(scope="module")
def fine() -> Snapshot:
    return shapes.bumpy(shapes.sphere(80, 40))


def test_a_shape_maps_to_itself(fine: Snapshot) -> None:
    match = match_by_position(fine, fine)
    for surface_map in (match.to_source, match.to_target):
        assert_valid(surface_map, len(fine.vertices), fine)
        np.testing.assert_array_equal(surface_map.vertex, np.arange(len(fine.vertices)))
        assert errors(surface_map, fine, fine).max() < 1e-4
        assert surface_map.confidence.min() > 0.9


def test_permuted_vertices_are_found(fine: Snapshot) -> None:
    order = np.random.default_rng(3).permutation(len(fine.vertices))
    inverse = np.argsort(order)
    shuffled = shapes.snapshot(fine.vertices[order], inverse[fine.faces])
    match = match_by_position(fine, shuffled, noise=0.001)
    assert (match.to_source.vertex == order).mean() > 0.99
    assert (match.to_target.vertex == inverse).mean() > 0.99


def test_points_between_vertices_are_found(fine: Snapshot) -> None:
    coarse = shapes.bumpy(shapes.sphere(31, 17))
    match = match_by_position(coarse, fine)
    assert_valid(match.to_source, len(fine.vertices), coarse)
    assert_valid(match.to_target, len(coarse.vertices), fine)
    between = errors(match.to_source, coarse, fine).mean()
    snapped = errors(match.to_source, coarse, fine, snapped=True).mean()
    assert between < 0.3 * snapped


def test_confidence_orders_errors(fine: Snapshot) -> None:
    """Of vertices with ever worse features, the less trusted are the more wrong; without evidence there is no trust."""
    generator = np.random.default_rng(5)
    features = shapes.smooth_features(fine.vertices)
    noise = np.asarray(generator.choice([0.05, 0.5, 3.0], len(features)))
    blurred = features + noise[:, None].astype(np.float32) * generator.normal(size=features.shape).astype(np.float32)
    to_source = match_features(described(fine, features), described(fine, blurred)).to_source
    error = errors(to_source, fine, fine)
    order = np.argsort(to_source.confidence)
    third = len(order) // 3
    assert error[order[:third]].mean() > 3 * error[order[third : 2 * third]].mean()
    assert error[order[:third]].mean() > 20 * error[order[-third:]].mean()
    assert to_source.confidence[noise == 3.0].mean() < 0.5 * to_source.confidence[noise == 0.05].mean()


def test_unseen_vertices_are_neither_trusted_nor_answers(fine: Snapshot) -> None:
    features = shapes.smooth_features(fine.vertices)
    ones = np.ones(len(features), np.float32)
    is_unseen = np.asarray(fine.vertices[:, 0] > 0.8)
    match = match_features(described(fine, features, np.where(is_unseen, 0, ones)), described(fine, features))
    assert (match.to_target.confidence[is_unseen] == 0).all()
    assert (match.to_target.confidence[~is_unseen] > 0).all()
    is_inside = np.asarray(is_unseen[fine.faces].all(axis=1))
    assert not is_inside[match.to_source.face].any()
    unknown = np.where(is_unseen[:, None], 0, features)
    without_features = match_features(described(fine, unknown), described(fine, features))
    assert (without_features.to_target.confidence[is_unseen] == 0).all()
    untrusted = match_features(described(fine, features, 0 * ones), described(fine, features))
    assert_valid(untrusted.to_source, len(features), fine)
    assert untrusted.to_source.confidence.max() == untrusted.to_target.confidence.max() == 0


def test_loose_vertices_are_no_answer_but_have_one(fine: Snapshot) -> None:
    loose = shapes.snapshot(np.concatenate([fine.vertices, fine.vertices[:50]]), fine.faces)
    match = match_by_position(loose, loose)
    assert_valid(match.to_source, len(loose.vertices), loose)
    assert errors(match.to_source, loose, loose).max() < 1e-4


def test_an_ambiguous_answer_is_trusted_less() -> None:
    """Features that cannot tell left from right leave no margin, and the way back often ends on the other side."""
    ball = shapes.sphere(60, 30)
    generator = np.random.default_rng(4)
    noise = generator.normal(0, 0.05, (2, len(ball.vertices), 48)).astype(np.float32)

    def confidence(sides: list[int]) -> shapes.Array:
        source, target = (
            described(ball, features) for features in shapes.smooth_features(ball.vertices * sides) + noise
        )
        return match_features(source, target).to_source.confidence

    clear, ambiguous = confidence([1, 1, 1]), confidence([1, 0, 1])
    is_far = np.abs(ball.vertices[:, 1]) > 0.5
    assert ambiguous[is_far].mean() < 0.6 * clear[is_far].mean()


def test_samples_agree_with_the_full_search(fine: Snapshot) -> None:
    def noisy(seed: int) -> FeatureSurface:
        noise = np.random.default_rng(seed).normal(0, 0.05, (len(fine.vertices), 48))
        features = unit_rows(shapes.smooth_features(fine.vertices) + noise).astype(np.float32)
        ones = np.ones(len(features), np.float32)
        return FeatureSurface(fine.vertices.astype(np.float64), fine.faces, features, ones)

    full, _ = map_by_features(noisy(0), noisy(1))
    sampled, _ = map_by_features(noisy(0), noisy(1), settings=SearchSettings(samples=300))
    assert (full.vertex == sampled.vertex).mean() > 0.9
    assert errors(sampled, fine, fine).mean() < 1.1 * errors(full, fine, fine).mean()


def test_large_shapes_stay_within_bounds() -> None:
    """20,000 vertices a side: the similarities of all pairs would take 1.6 GB."""
    large = shapes.bumpy(shapes.sphere(200, 100))
    surface = described(large, shapes.smooth_features(large.vertices, channels=16))
    tracemalloc.start()
    match = match_features(surface, surface)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 250e6
    assert errors(match.to_source, large, large).max() < 0.05
    assert errors(match.to_source, large, large).mean() < 1e-3


def test_scale_and_place_change_nothing(fine: Snapshot) -> None:
    features = shapes.smooth_features(fine.vertices)
    small = replace(fine, vertices=fine.vertices * np.float32(1e-3) + np.float32(5e-3))
    of_fine, of_small = (
        match_features(described(shape, features), described(shape, features[::-1])).to_source
        for shape in (fine, small)
    )
    np.testing.assert_array_equal(of_fine.vertex, of_small.vertex)
    np.testing.assert_allclose(of_fine.confidence, of_small.confidence, atol=2e-3)


def test_few_vertices_are_enough() -> None:
    triangle = described(shapes.snapshot(np.eye(3), np.array([[0, 1, 2]])), np.eye(3))
    np.testing.assert_array_equal(match_features(triangle, triangle).to_source.vertex, [0, 1, 2])


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("features-differ", lambda features: features[:, :-1]),
        ("features-mesh", lambda features: features[:-1]),
        ("features-nan", lambda features: np.where(np.arange(len(features))[:, None] == 7, np.nan, features)),
    ],
)
def test_bad_features_are_named(fine: Snapshot, code: str, change: Callable[[shapes.Array], shapes.Array]) -> None:
    features = shapes.smooth_features(fine.vertices)
    ones = np.ones(len(features))
    with pytest.raises(InputError) as failure:
        match_features(described(fine, features), described(fine, change(features), ones))
    assert failure.value.code == code


def test_bad_meshes_are_named(fine: Snapshot) -> None:
    features = shapes.smooth_features(fine.vertices)
    with pytest.raises(InputError) as failure:
        match_features(described(replace(fine, vertices=fine.vertices * np.nan), features), described(fine, features))
    assert failure.value.code == "mesh-nan"


def test_a_match_can_be_cancelled(fine: Snapshot) -> None:
    surface = described(fine, shapes.smooth_features(fine.vertices))
    stages = []

    def report(stage: str, fraction: float) -> None:
        stages.append(stage)
        if len(stages) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        match_features(surface, surface, report)
    assert len(stages) == 3


def test_shapes_too_small_to_be_laid_on_are_never_the_better_fit(fine: Snapshot) -> None:
    assert misfit(match_by_position(fine, fine)) == np.inf
