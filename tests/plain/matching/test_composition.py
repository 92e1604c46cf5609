"""Maps put one after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers import shapes
from helpers.maps import vertex_map
from helpers.surfaces import assert_valid, match_by_position
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match, SurfaceMap
from meshkin.matching.composition import Surface, compose_maps, compose_matches


def identity(shape: Snapshot) -> SurfaceMap:
    """Every vertex to itself."""
    return vertex_map(np.arange(len(shape.vertices)), shape.faces)


def surface(shape: Snapshot) -> Surface:
    return shape.vertices, shape.faces


@pytest.fixture(scope="module")
def trio() -> tuple[Snapshot, Snapshot, Snapshot]:
    """One surface sampled three ways: coarse, middling, fine."""
    coarse, middling, fine = (shapes.bumpy(shapes.sphere(*size)) for size in ((31, 17), (50, 27), (80, 40)))
    return coarse, middling, fine


def test_the_identity_changes_nothing(trio: tuple[Snapshot, ...]) -> None:
    coarse, _, fine = trio
    to_coarse = match_by_position(coarse, fine).to_source
    for composed in (
        compose_maps(identity(fine), surface(fine), to_coarse, surface(coarse)),
        compose_maps(to_coarse, surface(coarse), identity(coarse), surface(coarse)),
    ):
        assert_valid(composed, len(fine.vertices), coarse)
        before, after = (each.pull(coarse.vertices, coarse.faces) for each in (to_coarse, composed))
        assert np.abs(after - before).max() < 1e-4
        np.testing.assert_allclose(composed.confidence, to_coarse.confidence, atol=1e-6)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_through_a_third_shape_as_good_as_its_parts(trio: tuple[Snapshot, ...], order: tuple[int, ...]) -> None:
    """All three are the same surface, so a point's own place is its truth."""
    middle, source, target = (trio[index] for index in order)
    first, second = match_by_position(middle, source), match_by_position(middle, target)
    composed = compose_matches(first, second, middle.vertices, source.vertices, target.vertices)
    assert_valid(composed.to_source, len(target.vertices), source)
    assert_valid(composed.to_target, len(source.vertices), target)
    np.testing.assert_array_equal(composed.source_faces, source.faces)
    np.testing.assert_array_equal(composed.target_faces, target.faces)

    def error(surface_map: SurfaceMap, domain: Snapshot, image: Snapshot) -> float:
        points = surface_map.pull(image.vertices, image.faces)
        return float(np.linalg.norm(points - domain.vertices, axis=1).mean())

    of_parts = error(second.to_source, target, middle) + error(first.to_target, middle, source)
    assert error(composed.to_source, target, source) < 1.5 * of_parts


def test_a_set_is_consistent_even_where_it_is_wrong() -> None:
    """One shape of a set is matched mirrored: by way of the set one still comes back to where one began."""
    middle, source, target = (shapes.sphere(*size) for size in ((50, 27), (31, 17), (60, 33)))
    mirrored = replace(source, vertices=source.vertices * np.array([-1, 1, 1], np.float32))
    wrong = match_by_position(middle, mirrored)
    second = match_by_position(middle, target)
    composed = compose_matches(wrong, second, middle.vertices, source.vertices, target.vertices)

    def round_trip_error(match: Match) -> float:
        """Target to source, over the reference back to the target."""
        back = compose_maps(wrong.to_source, surface(middle), second.to_target, surface(target))
        round_trip = compose_maps(match.to_source, surface(source), back, surface(target))
        points = round_trip.pull(target.vertices, target.faces)
        return float(np.linalg.norm(points - target.vertices, axis=1).mean())

    assert round_trip_error(composed) < 0.05
    assert round_trip_error(match_by_position(source, target)) > 0.5


def test_doubt_adds_up(trio: tuple[Snapshot, ...]) -> None:
    coarse, _, fine = trio
    to_coarse = match_by_position(coarse, fine).to_source
    half_sure = replace(to_coarse, confidence=np.full(len(fine.vertices), 0.5, np.float32))
    also_half_sure = vertex_map(np.arange(len(coarse.vertices)), coarse.faces, 0.5)
    composed = compose_maps(half_sure, surface(coarse), also_half_sure, surface(coarse))
    np.testing.assert_allclose(composed.confidence, 0.25)


def test_a_torn_triangle_goes_to_one_of_its_sides() -> None:
    """Two far apart patches: a point between corners that went to different ones goes to the nearer corner's."""
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float64)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    both = np.vstack((square, square + np.array([50, 0, 0])))
    both_faces = np.vstack((faces, faces + 4)).astype(np.int32)
    ones = np.ones(4, np.float32)
    corner = np.eye(3, dtype=np.float32)[[0, 1, 2, 2]]  # corners 0 and 3 stay, 1 and 2 go to the second patch
    torn = SurfaceMap(np.array([0, 2, 2, 1], np.int32), corner, both_faces[[0, 2, 2, 1], [0, 1, 2, 2]], ones)
    point = SurfaceMap(np.zeros(1, np.int32), np.array([[0.6, 0.4, 0.0]], np.float32), np.zeros(1, np.int32), ones[:1])
    composed = compose_maps(point, (square, faces), torn, (both, both_faces))
    np.testing.assert_allclose(composed.pull(both, both_faces)[0], square[0], atol=1e-6)
