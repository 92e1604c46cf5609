"""The matcher: against known correspondences, brute force, and bad input."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from helpers import shapes
from helpers.surfaces import described
from meshkin.base.errors import Cancelled, InputError
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match, SurfaceMap
from meshkin.geometry.arrays import unit_rows
from meshkin.matching import feature_search
from meshkin.matching.feature_map import FeatureSurface, SearchSettings, map_by_features
from meshkin.matching.pipeline import match_features


def matched(source: Snapshot, target: Snapshot, noise: float = 0.0, seed: int = 0) -> Match:
    """The match by smooth features of position, with noise of that deviation."""
    generator = np.random.default_rng(seed)
    features = [shapes.smooth_features(shape.vertices) for shape in (source, target)]
    features = [one + generator.normal(0, noise, one.shape).astype(np.float32) for one in features]
    return match_features(described(source, features[0]), described(target, features[1]))


def errors(found: SurfaceMap, source: Snapshot, target: Snapshot, snapped: bool = False) -> shapes.Array:
    """Distance of each mapped vertex from its own place; the shapes lie in the same place."""
    points = source.vertices[found.vertex] if snapped else found.pull(source.vertices, source.faces)
    return np.linalg.norm(points - target.vertices, axis=1)


def assert_valid(found: SurfaceMap, count: int, source: Snapshot) -> None:
    assert found.face.dtype == np.int32
    assert found.vertex.dtype == np.int32
    assert found.barycentric.dtype == found.confidence.dtype == np.float32
    assert found.face.shape == found.vertex.shape == found.confidence.shape == (count,)
    assert 0 <= found.face.min() <= found.face.max() < len(source.faces)
    assert (found.barycentric >= 0).all()
    np.testing.assert_allclose(found.barycentric.sum(axis=1), 1, atol=1e-6)
    assert (source.faces[found.face] == found.vertex[:, None]).any(axis=1).all()
    assert 0 <= found.confidence.min() <= found.confidence.max() <= 1


@pytest.fixture(scope="module")
def fine() -> Snapshot:
    return shapes.bumpy(shapes.sphere(80, 40))


def test_a_shape_maps_to_itself(fine: Snapshot) -> None:
    found = matched(fine, fine)
    for one in (found.to_source, found.to_target):
        assert_valid(one, len(fine.vertices), fine)
        np.testing.assert_array_equal(one.vertex, np.arange(len(fine.vertices)))
        assert errors(one, fine, fine).max() < 1e-4
        assert one.confidence.min() > 0.9


def test_permuted_vertices_are_found(fine: Snapshot) -> None:
    order = np.random.default_rng(3).permutation(len(fine.vertices))
    inverse = np.argsort(order)
    shuffled = shapes.snapshot(fine.vertices[order], inverse[fine.faces])
    found = matched(fine, shuffled, noise=0.001)
    assert (found.to_source.vertex == order).mean() > 0.99
    assert (found.to_target.vertex == inverse).mean() > 0.99


def test_points_between_vertices_are_found(fine: Snapshot) -> None:
    coarse = shapes.bumpy(shapes.sphere(31, 17))
    found = matched(coarse, fine)
    assert_valid(found.to_source, len(fine.vertices), coarse)
    assert_valid(found.to_target, len(coarse.vertices), fine)
    between = errors(found.to_source, coarse, fine).mean()
    snapped = errors(found.to_source, coarse, fine, snapped=True).mean()
    assert between < 0.3 * snapped


def test_confidence_orders_errors(fine: Snapshot) -> None:
    """Of vertices with ever worse features, the less trusted are the more wrong; without evidence there is no trust."""
    generator = np.random.default_rng(5)
    features = shapes.smooth_features(fine.vertices)
    noise = generator.choice([0.05, 0.5, 3.0], len(features))
    blurred = features + noise[:, None].astype(np.float32) * generator.normal(size=features.shape).astype(np.float32)
    found = match_features(described(fine, features), described(fine, blurred)).to_source
    wrong = errors(found, fine, fine)
    order = np.argsort(found.confidence)
    third = len(order) // 3
    assert wrong[order[:third]].mean() > 3 * wrong[order[third : 2 * third]].mean()
    assert wrong[order[:third]].mean() > 20 * wrong[order[-third:]].mean()
    assert found.confidence[noise == 3.0].mean() < 0.5 * found.confidence[noise == 0.05].mean()


def test_unseen_vertices_are_neither_trusted_nor_answers(fine: Snapshot) -> None:
    features = shapes.smooth_features(fine.vertices)
    ones = np.ones(len(features), np.float32)
    unseen = fine.vertices[:, 0] > 0.8
    found = match_features(described(fine, features, np.where(unseen, 0, ones)), described(fine, features))
    assert (found.to_target.confidence[unseen] == 0).all()
    assert (found.to_target.confidence[~unseen] > 0).all()
    inside = unseen[fine.faces].all(axis=1)
    assert not inside[found.to_source.face].any()
    unknown = np.where(unseen[:, None], 0, features)
    blank = match_features(described(fine, unknown), described(fine, features))
    assert (blank.to_target.confidence[unseen] == 0).all()
    nothing = match_features(described(fine, features, 0 * ones), described(fine, features))
    assert_valid(nothing.to_source, len(features), fine)
    assert nothing.to_source.confidence.max() == nothing.to_target.confidence.max() == 0


def test_loose_vertices_are_no_answer_but_have_one(fine: Snapshot) -> None:
    loose = shapes.snapshot(np.concatenate([fine.vertices, fine.vertices[:50]]), fine.faces)
    found = matched(loose, loose)
    assert_valid(found.to_source, len(loose.vertices), loose)
    assert errors(found.to_source, loose, loose).max() < 1e-4


def test_an_ambiguous_answer_is_trusted_less() -> None:
    """Features that cannot tell left from right leave no margin, and the way back often ends on the other side."""
    ball = shapes.sphere(60, 30)
    generator = np.random.default_rng(4)
    noise = generator.normal(0, 0.05, (2, len(ball.vertices), 48)).astype(np.float32)
    sure, unsure = (
        match_features(
            *(described(ball, features) for features in shapes.smooth_features(ball.vertices * sides) + noise)
        ).to_source.confidence
        for sides in ([1, 1, 1], [1, 0, 1])
    )
    far = np.abs(ball.vertices[:, 1]) > 0.5
    assert unsure[far].mean() < 0.6 * sure[far].mean()


def test_blocks_equal_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    queries, references = (unit_rows(generator.normal(size=(count, 8))).astype(np.float32) for count in (301, 257))
    places = generator.uniform(5, 6, (257, 3))
    monkeypatch.setattr(feature_search, "SIMILARITY_BLOCK", 257 * 10)
    index, best, rival = feature_search.most_similar(queries, references, places, 0.4)
    similarity = queries @ references.T
    np.testing.assert_array_equal(index, similarity.argmax(axis=1))
    np.testing.assert_allclose(best, similarity.max(axis=1), rtol=1e-6)
    near = np.linalg.norm(places[index][:, None] - places[None], axis=2) <= 0.4
    np.testing.assert_allclose(rival, np.where(near, -1, similarity).max(axis=1), rtol=1e-6)


def test_precise_points_equal_brute_force() -> None:
    """Where all triangles touch the given vertex, the answer is the nearest point of all triangles."""
    generator = np.random.default_rng(1)
    references = generator.normal(size=(9, 5)).astype(np.float32)
    faces = np.array([[8, k, (k + 1) % 8] for k in range(8)])
    queries = generator.normal(size=(200, 5)).astype(np.float32)
    _, weights, squares = feature_search.precise_points(queries, np.full(200, 8), references, faces)
    shares = np.stack(np.meshgrid(*[np.linspace(0, 1, 60)] * 2), axis=-1).reshape(-1, 2)
    shares = shares[shares.sum(axis=1) <= 1]
    shares = np.concatenate([1 - shares.sum(axis=1, keepdims=True), shares], axis=1)
    points = np.einsum("sk,fkd->fsd", shares, references[faces].astype(np.float64)).reshape(-1, 5)
    brute = ((queries[:, None] - points[None]) ** 2).sum(axis=2).min(axis=1)
    assert (squares <= brute + 1e-5).all()
    assert (squares >= brute - 0.05).all()
    assert (weights >= 0).all()


def test_proxies_agree_with_the_full_search(fine: Snapshot) -> None:
    sides = []
    for seed in range(2):
        noise = np.random.default_rng(seed).normal(0, 0.05, (len(fine.vertices), 48))
        features = unit_rows(shapes.smooth_features(fine.vertices) + noise).astype(np.float32)
        ones = np.ones(len(features), np.float32)
        sides.append(FeatureSurface(fine.vertices.astype(np.float64), fine.faces, features, ones))
    full, _ = map_by_features(*sides)
    quick, _ = map_by_features(*sides, settings=SearchSettings(samples=300))
    assert (full.vertex == quick.vertex).mean() > 0.9
    assert errors(quick, fine, fine).mean() < 1.1 * errors(full, fine, fine).mean()


def test_proxies_are_even_and_keep_both_sides_of_a_thin_sheet() -> None:
    points, faces = shapes.grid(60, 60)
    sheet = np.concatenate([np.pad(points, ((0, 0), (0, 1)), constant_values=z) for z in (0.0, 0.002)])
    both = np.concatenate([faces[:, ::-1], faces + len(points)])
    sample = feature_search.sample_evenly(sheet, both, np.arange(len(sheet)), 400)
    assert 300 <= len(sample) <= 400
    assert abs((sample < len(points)).mean() - 0.5) < 0.02
    gaps = np.linalg.norm(sheet[:, None] - sheet[sample][None], axis=2).min(axis=1)
    assert gaps.max() < 3 / np.sqrt(200)


def test_large_shapes_stay_within_bounds() -> None:
    """20,000 vertices a side: the similarities of all pairs would take 1.6 GB."""
    large = shapes.bumpy(shapes.sphere(200, 100))
    features = shapes.smooth_features(large.vertices, channels=16)
    tracemalloc.start()
    found = match_features(described(large, features), described(large, features))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 250e6
    assert errors(found.to_source, large, large).max() < 0.05
    assert errors(found.to_source, large, large).mean() < 1e-3


def test_scale_and_place_change_nothing(fine: Snapshot) -> None:
    features = shapes.smooth_features(fine.vertices)
    small = replace(fine, vertices=fine.vertices * np.float32(1e-3) + np.float32(5e-3))
    here, there = (
        match_features(described(shape, features), described(shape, features[::-1])).to_source
        for shape in (fine, small)
    )
    np.testing.assert_array_equal(here.vertex, there.vertex)
    np.testing.assert_allclose(here.confidence, there.confidence, atol=2e-3)


def test_few_vertices_are_enough() -> None:
    triangle = shapes.snapshot(np.eye(3), np.array([[0, 1, 2]]))
    found = match_features(described(triangle, np.eye(3)), described(triangle, np.eye(3)))
    np.testing.assert_array_equal(found.to_source.vertex, [0, 1, 2])


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("features-differ", lambda features: features[:, :-1]),
        ("features-mesh", lambda features: features[:-1]),
        ("features-nan", lambda features: np.where(np.arange(len(features))[:, None] == 7, np.nan, features)),
    ],
)
def test_bad_features_are_named(fine: Snapshot, code: str, change) -> None:
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
    features = shapes.smooth_features(fine.vertices)
    stages = []

    def report(stage: str, fraction: float) -> None:
        stages.append(stage)
        if len(stages) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        match_features(described(fine, features), described(fine, features), report)
    assert len(stages) == 3
