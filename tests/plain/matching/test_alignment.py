"""Left and right are kept where features do not tell them; flipping, point pairs, intrinsic channels."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import shapes
from helpers.surfaces import described, described_beast, errors_to_source
from meshkin.base.errors import Cancelled, InputError
from meshkin.data.surface_map import Match
from meshkin.features.joint import IntrinsicColumns
from meshkin.matching.laying import LayingSettings
from meshkin.matching.pipeline import MatchSettings, match, match_features
from meshkin.matching.upright import UprightSettings
from meshkin.symmetry import candidate_maps


def test_sides_are_kept_where_features_do_not_tell_them() -> None:
    source, source_places = described_beast(64, 0.0, 0.1)
    target, target_places = described_beast(52, 0.6, 0.1)

    def flipped_share(result: Match) -> float:
        error = errors_to_source(result, source_places, target_places)
        mirrored_error = errors_to_source(result, source_places * (-1, 1, 1), target_places)
        return float((mirrored_error < error - 0.1).mean())

    aligned = match(source, target)
    assert flipped_share(match_features(source, target)) > 0.2
    assert flipped_share(aligned) < 0.02
    assert np.median(errors_to_source(aligned, source_places, target_places)) < 0.1


FROM_THE_MAP = MatchSettings(laying=LayingSettings(upright=UprightSettings(turns=())))
"""The shapes are not laid onto each other as they stand, but only from the map that was found first."""


def test_sides_that_orientation_leaves_open_are_told_by_features(monkeypatch: pytest.MonkeyPatch) -> None:
    source, source_places = described_beast(64, 0.0, 0.1, 0.15)
    target, target_places = described_beast(52, 0.6, 0.1, 0.15)
    monkeypatch.setattr(candidate_maps, "kept_orientation", lambda *meshes_and_map: 0.5)
    result = match(source, target, settings=FROM_THE_MAP)
    assert np.median(errors_to_source(result, source_places, target_places)) < 0.1
    assert result.notes["ambiguous"]


def test_flipped_is_the_mirrored_answer() -> None:
    source, source_places = described_beast(64, 0.0, 0.1)
    target, target_places = described_beast(52, 0.6, 0.1)
    flipped = match(source, target, flip=True)
    assert np.median(errors_to_source(flipped, source_places * (-1, 1, 1), target_places)) < 0.1
    assert flipped.notes["flipped"]
    assert flipped.notes["orientation"] < flipped.notes["orientation_flipped"]
    plain = match(source, target)
    assert (plain.notes["sided"], plain.notes["ambiguous"], plain.notes["sentences"]) == (True, False, [])


def test_one_point_pair_tells_the_sides_and_is_kept_exactly() -> None:
    source, source_places = described_beast(64, 0.0, 0.1)
    target, target_places = described_beast(52, 0.6, 0.1)
    left = int(target_places[:, 0].argmax())
    right = int(np.linalg.norm(source_places - target_places[left] * (-1, 1, 1), axis=1).argmin())
    result = match(source, target, pairs=np.array([[right, left]]))  # says that left is right
    assert np.median(errors_to_source(result, source_places * (-1, 1, 1), target_places)) < 0.1
    assert (result.to_source.vertex[left], result.to_target.vertex[right]) == (right, left)
    assert (result.to_source.barycentric[left].max(), result.to_source.confidence[left]) == (1, 1)


def test_point_pairs_help_where_features_fail() -> None:
    source, source_places = described_beast(64, 0.0, 3, lopsided=True)
    target, target_places = described_beast(52, 0.6, 3, lopsided=True)
    picked = np.random.default_rng(0).permutation(len(target_places))[:12]
    nearest = [np.linalg.norm(source_places - target_places[vertex], axis=1).argmin() for vertex in picked]
    alone, guided = (
        errors_to_source(match(source, target, pairs=pairs), source_places, target_places)
        for pairs in (None, np.column_stack((nearest, picked)))
    )
    assert guided.mean() < 0.7 * alone.mean()


@pytest.mark.parametrize("pair", [(0, 10**6), (-1, 0), (10**6, 0)])
def test_point_pairs_must_name_vertices(pair: tuple[int, int]) -> None:
    surface, _ = described_beast(40, 0.0, 0.1)
    with pytest.raises(InputError, match="has no vertex") as caught:
        match(surface, surface, pairs=np.array([pair]))
    assert caught.value.code == "pairs-vertex"


def test_intrinsic_channels_count_as_far_as_the_shapes_are_alike() -> None:
    """Channels that are misleading between different shapes do not spoil the match when they are said to be so."""
    source, places = described_beast(64, 0.0, 0.1, lopsided=True)
    wide = shapes.snapshot(source.snapshot.vertices * (2.5, 1, 1), source.snapshot.faces)
    wrong = 3 * shapes.smooth_features(places), 3 * shapes.smooth_features(np.roll(places, 1, axis=1))
    features = [np.hstack((source.features, channels)).astype(np.float32) for channels in wrong]
    is_wrong = np.arange(features[0].shape[1]) >= source.features.shape[1]
    columns = IntrinsicColumns(is_wrong, lambda shape, report: pytest.fail("nothing is cropped"))
    misled, warned = (
        errors_to_source(
            match(described(source.snapshot, features[0]), described(wide, features[1]), intrinsic=intrinsic),
            places,
            places,
        ).mean()
        for intrinsic in ([], [columns])
    )
    assert warned < 0.5 * misled


def test_refining_smooths_what_noise_tears() -> None:
    source, source_places = described_beast(64, 0.0, 0.5, lopsided=True)
    target, target_places = described_beast(52, 0.6, 0.5, lopsided=True)
    smooth, noisy = (
        errors_to_source(matcher(source, target), source_places, target_places).mean()
        for matcher in (match, match_features)
    )
    assert smooth < 0.5 * noisy


def test_the_same_input_gives_the_same_map() -> None:
    surface, _ = described_beast(40, 0.3, 0.1)
    first, second = (match(surface, surface) for _ in range(2))
    np.testing.assert_array_equal(first.to_source.vertex, second.to_source.vertex)


def test_telling_the_sides_can_be_cancelled() -> None:
    surface, _ = described_beast(40, 0.3, 0.1)

    def report(stage: str, fraction: float) -> None:
        if stage == "Telling left from right" and fraction > 0.1:
            raise Cancelled()

    with pytest.raises(Cancelled):
        match(surface, surface, report)
