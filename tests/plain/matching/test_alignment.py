"""Left and right: mirror maps found from features that do not tell the sides, and maps that keep them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers import shapes
from helpers.beasts import LIMBS, beast
from helpers.surfaces import described
from meshkin.base.errors import Cancelled, InputError
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match
from meshkin.features.joint import IntrinsicColumns
from meshkin.matching import alignment as align
from meshkin.matching import candidate_maps
from meshkin.matching import symmetry as mirror
from meshkin.matching.pipeline import match, match_features
from meshkin.spectral.eigenbasis import SpectralMesh, spectral_mesh, with_features
from meshkin.spectral.functional_map import PointMaps

Floats = NDArray[np.float64]


def tick() -> None:
    """Nobody asks how far it is."""


def coarse(shape: Snapshot, features: NDArray[np.float32]) -> SpectralMesh:
    centerd = features - features.mean(axis=0)
    one, _ = spectral_mesh(shape.vertices, shape.faces)
    return with_features(one, centerd / np.sqrt((centerd**2).sum(axis=1).mean()))


@pytest.mark.parametrize("bend", [0.0, 0.25])
def test_a_shapes_own_mirror_is_found_in_any_pose(bend: float) -> None:
    shape, places, features = beast(64, bend, 0.1)
    one = coarse(shape, features)
    found = mirror.find_mirrors(one, one, tick)[0][0]
    here = places[one.vertex]
    rough = here[mirror.rough_of(one).vertex]
    assert np.median(np.linalg.norm(rough[found.twin] - rough * (-1, 1, 1), axis=1)) < 0.1
    clear = np.abs(here[:, 0]) > 0.2
    agree = (found.side[clear] > 0) == (here[clear, 0] > 0)
    assert max(agree.mean(), 1 - agree.mean()) > 0.98


def test_a_shape_borrows_the_others_mirror() -> None:
    clear, _, features = beast(64, 0.0, 0.1)
    noisy, places, blurred = beast(52, 0.3, 0.4)
    one, two = coarse(clear, features), coarse(noisy, blurred)
    found = mirror.find_mirrors(one, two, tick)[1][0]
    here = places[two.vertex]
    away = np.abs(here[:, 0]) > 0.2
    agree = (found.side[away] > 0) == (here[away, 0] > 0)
    assert max(agree.mean(), 1 - agree.mean()) > 0.95


def test_no_mirror_is_made_up_where_features_tell_the_sides() -> None:
    shape, _, features = beast(64, 0.5, 0.02, lopsided=True)
    one = coarse(shape, features)
    assert mirror.find_mirrors(one, one, tick) == ([], [])


@pytest.mark.parametrize("kind", ["table", "vase", "ball"])
def test_several_symmetries_are_told_and_matched_plainly(kind: str) -> None:
    ball = shapes.sphere(64, 32)
    x, y, z = ball.vertices.astype(np.float64).T
    size = {"table": (1, 0.6, 0.35), "vase": (0.5, 0.5, 1), "ball": (1, 1, 1)}[kind]
    told = {"table": (abs(x), abs(y), z), "vase": (np.hypot(x, y), z, z), "ball": (0 * x, 0 * x, 0 * x)}[kind]
    features = shapes.smooth_features(np.column_stack(told))
    features += np.random.default_rng(0).normal(0, 0.1, features.shape)
    shape = shapes.snapshot(ball.vertices * size, ball.faces)
    found = match(described(shape, features), described(shape, features))
    assert found.notes["ambiguous"]
    assert not found.notes["sided"]
    assert found.notes["several_symmetries"] == [shape.name] * 2
    assert "point pairs" in found.notes["sentences"][0]
    assert found.to_source.confidence.mean() <= 0.5


def test_sides_are_kept_where_features_do_not_tell_them() -> None:
    source, there, source_features = beast(64, 0.0, 0.1)
    target, here, target_features = beast(52, 0.6, 0.1)

    def wrong(found: object) -> tuple[float, float]:
        error = np.linalg.norm(there[found.to_source.vertex] - here, axis=1)
        other = np.linalg.norm(there[found.to_source.vertex] * (-1, 1, 1) - here, axis=1)
        return float((other < error - 0.1).mean()), float(np.median(error))

    flips, error = wrong(match(described(source, source_features), described(target, target_features)))
    plain, _ = wrong(match_features(described(source, source_features), described(target, target_features)))
    assert plain > 0.2
    assert flips < 0.02
    assert error < 0.1


def test_sides_that_orientation_leaves_open_are_told_by_features(monkeypatch: pytest.MonkeyPatch) -> None:
    source, there, one = beast(64, 0.0, 0.1, 0.15)
    target, here, two = beast(52, 0.6, 0.1, 0.15)
    monkeypatch.setattr(candidate_maps, "kept_orientation", lambda *meshes_and_map: 0.5)
    found = match(described(source, one), described(target, two))
    error = np.linalg.norm(there[found.to_source.vertex] - here, axis=1)
    assert np.median(error) < 0.1
    assert found.notes["ambiguous"]


@pytest.mark.parametrize("limbs", [(1, 2), (3, 4)])
def test_a_limb_whose_sides_are_exchanged_is_mended(limbs: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the cut between a shape's sides goes through its arms, not between them."""
    source, here, one = beast(64, 0.0, 0.05)
    target, there, two = beast(52, 0.2, 0.05)
    find = align.find_mirrors

    def on_limbs(places: Floats) -> NDArray[np.bool_]:
        axes = np.array([LIMBS[limb] for limb in limbs])
        return np.asarray((places @ (axes / np.linalg.norm(axes, axis=1, keepdims=True)).T).max(axis=1) > 0.96)

    def spoilt(first: SpectralMesh, second: SpectralMesh, *others: object) -> tuple[list[mirror.Mirror], ...]:
        found = find(first, second, *others)
        for each in found[0]:
            each.side[on_limbs(here[first.vertex])] *= -1
        return found

    def wrong() -> float:
        found = match(described(source, one), described(target, two))
        error = np.linalg.norm(here[found.to_source.vertex] - there, axis=1)
        return float((error[on_limbs(there)] > 0.5).mean())

    monkeypatch.setattr(align, "find_mirrors", spoilt)
    assert wrong() < 0.05
    monkeypatch.setattr(align, "repaired", lambda pair, candidates, *others: candidates[0])
    assert wrong() > 0.5


def test_front_and_back_that_features_do_not_tell_are_not_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the trunk of someone who sits with drawn-up knees."""
    source, here, _ = beast(64, 0.0, 0.05)
    target, there, _ = beast(52, 0.2, 0.05)

    def on_trunk(places: Floats) -> NDArray[np.bool_]:
        axes = np.array(LIMBS) / np.linalg.norm(LIMBS, axis=1, keepdims=True)
        return np.asarray((places @ axes.T).max(axis=1) < 0.9)

    def features_of(places: Floats) -> NDArray[np.float32]:
        told = np.column_stack((np.abs(places[:, 0]), places[:, 1], places[:, 2] * ~on_trunk(places)))
        return shapes.smooth_features(told)

    fold = candidate_maps.symmetric_maps

    def spoilt(pair: candidate_maps.MeshPair, *others: object) -> PointMaps:
        maps = fold(pair, *others)
        ends = pair.rough
        trunks = [
            on_trunk(places[shape.vertex][end.vertex])
            for places, shape, end in zip((here, there), (pair.source, pair.target), ends, strict=True)
        ]
        turned = [end.opposite for end in ends]
        return (
            np.where(trunks[1], turned[0][maps[0]], maps[0]),
            np.where(trunks[0], turned[1][maps[1]], maps[1]),
        )

    repair, wrong = align.repaired, []

    def watched(
        pair: candidate_maps.MeshPair, candidates: list[candidate_maps.Candidate], *others: object
    ) -> candidate_maps.Candidate:
        best = repair(pair, candidates, *others)
        source, target = pair.rough
        answers, asked = here[pair.source.vertex][source.vertex], there[pair.target.vertex][target.vertex]
        for found in (candidates[0], best):
            error = np.linalg.norm(answers[found.maps[0]] - asked, axis=1)
            wrong.append((error[on_trunk(asked)] > 0.5).mean())
        return best

    monkeypatch.setattr(candidate_maps, "symmetric_maps", spoilt)
    monkeypatch.setattr(align, "repaired", watched)
    match(described(source, features_of(here)), described(target, features_of(there)))
    assert wrong[0] > 0.2
    assert wrong[1] < 0.05


def error_to(found: Match, there: Floats, here: Floats) -> Floats:
    return np.asarray(np.linalg.norm(there[found.to_source.vertex] - here, axis=1))


def test_flipped_is_the_mirrored_answer() -> None:
    source, there, source_features = beast(64, 0.0, 0.1)
    target, here, target_features = beast(52, 0.6, 0.1)
    found = match(described(source, source_features), described(target, target_features), flip=True)
    assert np.median(error_to(found, there * (-1, 1, 1), here)) < 0.1
    assert found.notes["flipped"]
    assert found.notes["orientation"] < found.notes["orientation_flipped"]
    plain = match(described(source, source_features), described(target, target_features))
    assert (plain.notes["sided"], plain.notes["ambiguous"], plain.notes["sentences"]) == (True, False, [])


def test_one_point_pair_tells_the_sides_and_is_kept_exactly() -> None:
    source, there, source_features = beast(64, 0.0, 0.1)
    target, here, target_features = beast(52, 0.6, 0.1)
    left = int(here[:, 0].argmax())
    right = int(np.linalg.norm(there - here[left] * (-1, 1, 1), axis=1).argmin())
    pairs = np.array([[right, left]])  # says that left is right
    found = match(described(source, source_features), described(target, target_features), pairs=pairs)
    assert np.median(error_to(found, there * (-1, 1, 1), here)) < 0.1
    assert (found.to_source.vertex[left], found.to_target.vertex[right]) == (right, left)
    assert (found.to_source.barycentric[left].max(), found.to_source.confidence[left]) == (1, 1)


def test_point_pairs_help_where_features_fail() -> None:
    source, there, source_features = beast(64, 0.0, 3, lopsided=True)
    target, here, target_features = beast(52, 0.6, 3, lopsided=True)
    picked = np.random.default_rng(0).permutation(len(here))[:12]
    pairs = np.array([(np.linalg.norm(there - here[one], axis=1).argmin(), one) for one in picked])
    alone, guided = (
        error_to(match(described(source, source_features), described(target, target_features), pairs=some), there, here)
        for some in (None, pairs)
    )
    assert guided.mean() < 0.7 * alone.mean()


@pytest.mark.parametrize("pair", [(0, 10**6), (-1, 0), (10**6, 0)])
def test_point_pairs_must_name_vertices(pair: tuple[int, int]) -> None:
    shape, _, features = beast(40, 0.0, 0.1)
    with pytest.raises(InputError, match="has no vertex") as caught:
        match(described(shape, features), described(shape, features), pairs=np.array([pair]))
    assert caught.value.code == "pairs-vertex"


def test_intrinsic_channels_count_as_far_as_the_shapes_are_alike() -> None:
    """Channels that are misleading between different shapes do not spoil the match when they are said to be so."""
    source, there, source_features = beast(64, 0.0, 0.1, lopsided=True)
    wide = shapes.snapshot(source.vertices * (2.5, 1, 1), source.faces)
    wrong = 3 * shapes.smooth_features(there), 3 * shapes.smooth_features(np.roll(there, 1, axis=1))
    features = [np.hstack((source_features, part)).astype(np.float32) for part in wrong]
    mask = np.arange(features[0].shape[1]) >= source_features.shape[1]
    told = IntrinsicColumns(mask, lambda shape, report: pytest.fail("nothing is cropped"))
    errors = [
        error_to(
            match(described(source, features[0]), described(wide, features[1]), intrinsic=intrinsic), there, there
        ).mean()
        for intrinsic in ([], [told])
    ]
    assert errors[1] < 0.5 * errors[0]


def test_refining_smooths_what_noise_tears() -> None:
    source, there, source_features = beast(64, 0.0, 0.5, lopsided=True)
    target, here, target_features = beast(52, 0.6, 0.5, lopsided=True)
    maps = [
        one(described(source, source_features), described(target, target_features)) for one in (match, match_features)
    ]
    errors = [np.linalg.norm(there[found.to_source.vertex] - here, axis=1).mean() for found in maps]
    assert errors[0] < 0.5 * errors[1]


def test_the_same_input_gives_the_same_map() -> None:
    source, _, features = beast(40, 0.3, 0.1)
    one, two = (match(described(source, features), described(source, features)) for _ in range(2))
    np.testing.assert_array_equal(one.to_source.vertex, two.to_source.vertex)


def test_telling_the_sides_can_be_cancelled() -> None:
    source, _, features = beast(40, 0.3, 0.1)

    def report(stage: str, fraction: float) -> None:
        if stage == "Telling left from right" and fraction > 0.1:
            raise Cancelled()

    with pytest.raises(Cancelled):
        match(described(source, features), described(source, features), report)
