"""Maps whose parts lie on the wrong side, or on the other side of the body, are repaired."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers import shapes
from helpers.beasts import LIMBS, beast
from helpers.surfaces import described, described_beast, errors_to_source
from meshkin.matching import alignment
from meshkin.matching.laying import LayingSettings
from meshkin.matching.map_repair import repaired
from meshkin.matching.part_laying import PartLayingSettings
from meshkin.matching.pipeline import MatchSettings, match
from meshkin.matching.registration import RegistrationSettings
from meshkin.matching.stray_ends import StrayEndSettings
from meshkin.matching.upright import UprightSettings
from meshkin.spectral.eigenbasis import SpectralMesh
from meshkin.spectral.functional_map import PointMaps
from meshkin.symmetry import candidate_maps
from meshkin.symmetry.candidate_maps import Candidate, MeshPair, symmetric_maps
from meshkin.symmetry.mirrors import Mirror, find_mirrors

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
NOT_LAID = MatchSettings(
    laying=LayingSettings(
        upright=UprightSettings(turns=()),
        parts=PartLayingSettings(least_density=np.inf),
        registration=RegistrationSettings(
            radii=(), lengths=(), fine_radii=(), fine_lengths=(), final_radius=0.02, final_feature_weight=0.0
        ),
    ),
    ends=StrayEndSettings(together=0),
)
"""The first map alone: laying the shapes onto each other would repair it, too."""


@pytest.mark.parametrize("limbs", [(1, 2), (3, 4)])
def test_a_limb_whose_sides_are_exchanged_is_repaired(limbs: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the cut between a shape's sides goes through its arms, not between them."""
    source, source_places = described_beast(64, 0.0, 0.05)
    target, target_places = described_beast(52, 0.2, 0.05)

    def on_limbs(places: Floats) -> Flags:
        axes = np.array([LIMBS[limb] for limb in limbs])
        return np.asarray((places @ (axes / np.linalg.norm(axes, axis=1, keepdims=True)).T).max(axis=1) > 0.96)

    def spoilt_mirrors(
        source_mesh: SpectralMesh, target_mesh: SpectralMesh, *others: Any
    ) -> tuple[list[Mirror], list[Mirror]]:
        mirrors = find_mirrors(source_mesh, target_mesh, *others)
        for mirror in mirrors[0]:
            mirror.side[on_limbs(source_places[source_mesh.vertex])] *= -1
        return mirrors

    def wrong_share() -> float:
        error = errors_to_source(match(source, target, settings=NOT_LAID), source_places, target_places)
        return float((error[on_limbs(target_places)] > 0.5).mean())

    monkeypatch.setattr(alignment, "find_mirrors", spoilt_mirrors)
    assert wrong_share() < 0.05
    monkeypatch.setattr(alignment, "repaired", lambda pair, candidates, *others: candidates[0])
    assert wrong_share() > 0.5


def test_front_and_back_that_features_do_not_tell_are_not_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the trunk of someone who sits with drawn-up knees."""
    source, source_places, _ = beast(64, 0.0, 0.05)
    target, target_places, _ = beast(52, 0.2, 0.05)

    def on_trunk(places: Floats) -> Flags:
        axes = np.array(LIMBS) / np.linalg.norm(LIMBS, axis=1, keepdims=True)
        return np.asarray((places @ axes.T).max(axis=1) < 0.9)

    def features_of(places: Floats) -> NDArray[np.float32]:
        described_by = (np.abs(places[:, 0]), places[:, 1], places[:, 2] * ~on_trunk(places))
        return shapes.smooth_features(np.column_stack(described_by))

    def rough_places(pair: MeshPair) -> tuple[Floats, Floats]:
        rough_source, rough_target = pair.rough
        return (
            source_places[pair.source.vertex][rough_source.vertex],
            target_places[pair.target.vertex][rough_target.vertex],
        )

    def spoilt_maps(pair: MeshPair, *others: Any) -> PointMaps:
        maps = symmetric_maps(pair, *others)
        source_trunk, target_trunk = (on_trunk(places) for places in rough_places(pair))
        rough_source, rough_target = pair.rough
        return (
            np.where(target_trunk, rough_source.opposite[maps[0]], maps[0]),
            np.where(source_trunk, rough_target.opposite[maps[1]], maps[1]),
        )

    wrong_shares: list[float] = []

    def watched_repair(pair: MeshPair, candidates: list[Candidate], *others: Any) -> Candidate:
        best = repaired(pair, candidates, *others)
        answers, asked = rough_places(pair)
        for candidate in (candidates[0], best):
            error = np.linalg.norm(answers[candidate.maps[0]] - asked, axis=1)
            wrong_shares.append(float((error[on_trunk(asked)] > 0.5).mean()))
        return best

    monkeypatch.setattr(candidate_maps, "symmetric_maps", spoilt_maps)
    monkeypatch.setattr(alignment, "repaired", watched_repair)
    match(described(source, features_of(source_places)), described(target, features_of(target_places)))
    assert wrong_shares[0] > 0.2
    assert wrong_shares[1] < 0.05
