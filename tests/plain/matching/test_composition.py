"""Maps put one after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers import shapes
from helpers.surfaces import described
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match, SurfaceMap
from meshkin.matching.composition import compose_maps, compose_matches
from meshkin.matching.pipeline import match_features


def matched(source: Snapshot, target: Snapshot, noise: float = 0.0) -> Match:
    """The match by smooth features of position, with noise of that deviation."""
    generator = np.random.default_rng(0)
    features = [shapes.smooth_features(shape.vertices) for shape in (source, target)]
    features = [one + generator.normal(0, noise, one.shape).astype(np.float32) for one in features]
    return match_features(described(source, features[0]), described(target, features[1]))


def identity(shape: Snapshot) -> SurfaceMap:
    """Every vertex to itself."""
    face = np.zeros(len(shape.vertices), np.int32)
    corner = np.zeros_like(face)
    for index in range(3):
        face[shape.faces[:, index]] = np.arange(len(shape.faces))
        corner[shape.faces[:, index]] = index
    rows = np.arange(len(face), dtype=np.int32)
    return SurfaceMap(face, np.eye(3, dtype=np.float32)[corner], rows, np.ones(len(face), np.float32))


@pytest.fixture(scope="module")
def trio() -> tuple[Snapshot, Snapshot, Snapshot]:
    """One surface sampled three ways: coarse, middling, fine."""
    one, two, three = (shapes.bumpy(shapes.sphere(*size)) for size in ((31, 17), (50, 27), (80, 40)))
    return one, two, three


def assert_valid(found: SurfaceMap, count: int, shape: Snapshot) -> None:
    assert found.face.dtype == found.vertex.dtype == np.int32
    assert found.barycentric.dtype == found.confidence.dtype == np.float32
    assert found.face.shape == found.vertex.shape == found.confidence.shape == (count,)
    assert 0 <= found.face.min() <= found.face.max() < len(shape.faces)
    assert found.barycentric.min() >= 0
    np.testing.assert_allclose(found.barycentric.sum(axis=1), 1, atol=1e-6)
    assert (shape.faces[found.face] == found.vertex[:, None]).any(axis=1).all()
    assert 0 <= found.confidence.min() <= found.confidence.max() <= 1


def test_the_identity_changes_nothing(trio: tuple[Snapshot, ...]) -> None:
    coarse, _, fine = trio
    found = matched(coarse, fine).to_source
    for joined in (
        compose_maps(identity(fine), (fine.vertices, fine.faces), found, (coarse.vertices, coarse.faces)),
        compose_maps(found, (coarse.vertices, coarse.faces), identity(coarse), (coarse.vertices, coarse.faces)),
    ):
        assert_valid(joined, len(fine.vertices), coarse)
        before, after = (one.pull(coarse.vertices, coarse.faces) for one in (found, joined))
        assert np.abs(after - before).max() < 1e-4
        np.testing.assert_allclose(joined.confidence, found.confidence, atol=1e-6)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_through_a_third_shape_as_good_as_its_parts(trio: tuple[Snapshot, ...], order: tuple[int, ...]) -> None:
    """All three are the same surface, so a point's own place is its truth."""
    middle, source, target = (trio[index] for index in order)
    first, second = matched(middle, source), matched(middle, target)
    joined = compose_matches(first, second, middle.vertices, source.vertices, target.vertices)
    assert_valid(joined.to_source, len(target.vertices), source)
    assert_valid(joined.to_target, len(source.vertices), target)
    np.testing.assert_array_equal(joined.source_faces, source.faces)
    np.testing.assert_array_equal(joined.target_faces, target.faces)

    def error(found: SurfaceMap, asking: Snapshot, answering: Snapshot) -> float:
        places = found.pull(answering.vertices, answering.faces)
        return float(np.linalg.norm(places - asking.vertices, axis=1).mean())

    parts = error(second.to_source, target, middle) + error(first.to_target, middle, source)
    assert error(joined.to_source, target, source) < 1.5 * parts


def test_a_set_is_consistent_even_where_it_is_wrong() -> None:
    """One shape of a set is matched mirrored: by way of the set one still comes back to where one began."""
    middle, source, target = (shapes.sphere(*size) for size in ((50, 27), (31, 17), (60, 33)))
    mirrored = replace(source, vertices=source.vertices * np.array([-1, 1, 1], np.float32))
    wrong = matched(middle, mirrored)
    second = matched(middle, target)
    joined = compose_matches(wrong, second, middle.vertices, source.vertices, target.vertices)

    def around(between: Match) -> float:
        """Target to source, over the reference back to the target."""
        back = compose_maps(
            wrong.to_source, (middle.vertices, middle.faces), second.to_target, (target.vertices, target.faces)
        )
        there = compose_maps(between.to_source, (source.vertices, source.faces), back, (target.vertices, target.faces))
        places = there.pull(target.vertices, target.faces)
        return float(np.linalg.norm(places - target.vertices, axis=1).mean())

    assert around(joined) < 0.05
    assert around(matched(source, target)) > 0.5


def test_doubt_adds_up(trio: tuple[Snapshot, ...]) -> None:
    coarse, _, fine = trio
    found = matched(coarse, fine).to_source
    half = SurfaceMap(found.face, found.barycentric, found.vertex, np.full(len(found.face), 0.5, np.float32))
    doubtful = identity(coarse)
    doubtful = SurfaceMap(doubtful.face, doubtful.barycentric, doubtful.vertex, doubtful.confidence / 2)
    joined = compose_maps(half, (coarse.vertices, coarse.faces), doubtful, (coarse.vertices, coarse.faces))
    np.testing.assert_allclose(joined.confidence, 0.25)


def test_a_torn_triangle_goes_to_one_of_its_sides() -> None:
    """Two far apart patches: a point between corners that went to different ones goes to the nearer corner's."""
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float64)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    both = np.vstack((square, square + np.array([50, 0, 0])))
    both_faces = np.vstack((faces, faces + 4)).astype(np.int32)
    ones = np.ones(4, np.float32)
    image = np.array([0, 0, 2, 2], np.int32)  # corners 0 and 3 stay, 1 and 2 go to the second patch
    corner = np.eye(3, dtype=np.float32)[[0, 1, 2, 2]]
    torn = SurfaceMap(np.array([0, 2, 2, 1], np.int32), corner, both_faces[[0, 2, 2, 1], [0, 1, 2, 2]], ones)
    asked = SurfaceMap(image[:1], np.array([[0.6, 0.4, 0.0]], np.float32), np.zeros(1, np.int32), ones[:1])
    joined = compose_maps(asked, (square, faces), torn, (both, both_faces))
    place = joined.pull(both, both_faces)[0]
    np.testing.assert_allclose(place, square[0], atol=1e-6)
