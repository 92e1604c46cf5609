"""Part of a body against a whole one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers import shapes
from helpers.beasts import LIMBS, beast
from helpers.surfaces import described
from meshkin.base.progress import silent
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match
from meshkin.features.extractors.geometric import signatures
from meshkin.features.joint import IntrinsicColumns
from meshkin.matching.partial import crops
from meshkin.matching.pipeline import MatchSettings, match
from meshkin.matching.surfaces import DescribedSurface

Floats = NDArray[np.float64]
INTRINSIC = [IntrinsicColumns(np.ones(signatures.channels(), bool), signatures.describe)]
"""All columns are geometric features."""


def part_of(whole: Snapshot, places: Floats, is_kept: NDArray[np.bool_]) -> tuple[Snapshot, Floats]:
    """The triangles of a shape whose vertices are all kept, and the places of its vertices."""
    used, faces = np.unique(whole.faces[is_kept[whole.faces].all(axis=1)], return_inverse=True)
    return shapes.snapshot(whole.vertices[used], faces.reshape(-1, 3).astype(np.int32)), places[used]


def bust(columns: int, bend: float, waist: float) -> tuple[Snapshot, Floats]:
    """Head and arms of a body, cut off at its waist, and where its vertices lie on the unit sphere that the body was
    made from."""
    whole, places, _ = beast(columns, bend, 0)
    return part_of(whole, places, places[:, 1] > waist)


def with_geometric_features(shape: Snapshot) -> DescribedSurface:
    return described(shape, signatures.describe(shape, silent))


@pytest.mark.parametrize(
    ("cut", "waist", "most"), [("the target", -0.45, 0.1), ("the source", -0.45, 0.1), ("the target", -2.0, 0.25)]
)
def test_a_bust_is_found_on_a_longer_one_and_on_a_body(cut: str, waist: float, most: float) -> None:
    (longer, longer_places), (shorter, shorter_places) = bust(96, 0.0, waist), bust(80, 0.2, 0.05)
    ends = (longer, shorter) if cut == "the target" else (shorter, longer)
    source, target = (with_geometric_features(shape) for shape in ends)

    def error_and_confidence(settings: MatchSettings) -> tuple[float, float]:
        """The median error, and the mean confidence of what the shorter one does not have."""
        result = match(source, target, intrinsic=INTRINSIC, settings=settings)
        result = result if cut == "the target" else result.swapped()
        places = result.to_source.pull(longer_places, longer.faces)
        error = float(np.median(np.linalg.norm(places - shorter_places, axis=1)))
        return error, float(result.to_target.confidence[longer_places[:, 1] < -0.3].mean())

    error, confidence = error_and_confidence(MatchSettings())
    _, confidence_of_wholes = error_and_confidence(MatchSettings(partial_below=0))
    assert error < most
    assert confidence < 0.1
    assert confidence_of_wholes > 2 * confidence


def test_an_arm_alone_may_be_either_and_the_user_says_which() -> None:
    body, body_places, _ = beast(96, 0.0, 0)
    whole, places, _ = beast(80, 0.2, 0)
    limb = np.array(LIMBS[1]) / np.linalg.norm(LIMBS[1])
    arm, arm_places = part_of(whole, places, places @ limb > 0.75)
    source, target = with_geometric_features(body), with_geometric_features(arm)
    tip = int((arm_places @ limb).argmax())
    hand, other_hand = (int((body_places @ (limb * (side, 1, 1))).argmax()) for side in (1, -1))

    def side_and_match(flip: bool = False, hint: int | None = None) -> tuple[float, Match]:
        """On which side of the body the arm is found, from -1 to 1, and the match."""
        pairs = None if hint is None else np.array([[hint, tip]])
        result = match(source, target, pairs=pairs, flip=flip, intrinsic=INTRINSIC)
        at = result.to_source.pull(body_places, body.faces)
        assert np.abs(at @ (limb * (np.sign(at[:, :1].mean()), 1, 1))).mean() > 0.8
        return float(np.sign(at[:, 0]).mean()), result

    side, guess = side_and_match()
    assert abs(side) > 0.95
    assert guess.notes["ambiguous"]
    assert any("two places" in sentence for sentence in guess.notes["sentences"])
    flipped_side, flipped = side_and_match(flip=True)
    assert flipped_side * side < -0.9
    assert flipped.notes["flipped"]
    assert flipped.to_source.confidence.mean() > 1.5 * guess.to_source.confidence.mean()
    for hint, wanted_side in ((hand, 1), (other_hand, -1)):
        hinted_side, hinted = side_and_match(hint=hint)
        assert hinted_side * wanted_side > 0.95
        assert not hinted.notes["ambiguous"]
        assert hinted.to_source.vertex[tip] == hint


def shells() -> Snapshot:
    """Three open shells beside one another."""
    shell, _ = bust(32, 0.0, 0.05)
    count = len(shell.vertices)
    moved = [shell.vertices + np.float32(5 * k) * np.array([1, 0, 0], np.float32) for k in range(3)]
    return shapes.snapshot(np.concatenate(moved), np.concatenate([shell.faces + count * k for k in range(3)]))


@pytest.mark.parametrize("other", ["a ball drawn out", "open shells"])
def test_what_is_not_cut_off_is_not_looked_for(other: str) -> None:
    ball = shapes.sphere(32, 16)
    longer = replace(ball, vertices=(ball.vertices * (1, 1, 6)).astype(np.float32))
    source = with_geometric_features(ball)
    target = with_geometric_features(longer if other == "a ball drawn out" else shells())
    assert not list(crops(source, target, [], np.empty((0, 2), np.int64), silent))
