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

Floats = NDArray[np.float64]
INTRINSIC = [IntrinsicColumns(np.ones(signatures.CHANNELS, bool), signatures.describe)]
"""All columns are geometric features."""


def bust(columns: int, bend: float, waist: float) -> tuple[Snapshot, Floats]:
    """Head and arms of a body, cut off at its waist, and where its vertices lie on the unit sphere that the body was
    made from."""
    whole, places, _ = beast(columns, bend, 0)
    kept = (places[:, 1] > waist)[whole.faces].all(axis=1)
    used, faces = np.unique(whole.faces[kept], return_inverse=True)
    return shapes.snapshot(whole.vertices[used], faces.reshape(-1, 3).astype(np.int32)), places[used]


@pytest.mark.parametrize(
    ("cut", "waist", "most"), [("the target", -0.45, 0.1), ("the source", -0.45, 0.1), ("the target", -2.0, 0.25)]
)
def test_a_bust_is_found_on_a_longer_one_and_on_a_body(cut: str, waist: float, most: float) -> None:
    (longer, there), (shorter, here) = bust(96, 0.0, waist), bust(80, 0.2, 0.05)
    ends = (longer, shorter) if cut == "the target" else (shorter, longer)
    source, target = (described(end, signatures.describe(end, silent)) for end in ends)

    def error(settings: MatchSettings, is_cropped: bool) -> float:
        found = match(source, target, intrinsic=INTRINSIC, settings=settings)
        found = found if cut == "the target" else found.swapped()
        away = there[:, 1] < -0.3
        assert not is_cropped or found.to_target.confidence[away].mean() < 0.1
        return float(np.median(np.linalg.norm(found.to_source.pull(there, longer.faces) - here, axis=1)))

    assert error(MatchSettings(), is_cropped=True) < most
    assert error(MatchSettings(partial_below=0), is_cropped=False) > 2 * most


def test_an_arm_alone_may_be_either_and_the_user_says_which() -> None:
    body, there, _ = beast(96, 0.0, 0)
    whole, places, _ = beast(80, 0.2, 0)
    limb = np.array(LIMBS[1]) / np.linalg.norm(LIMBS[1])
    used, faces = np.unique(whole.faces[(places @ limb > 0.75)[whole.faces].all(axis=1)], return_inverse=True)
    arm, here = shapes.snapshot(whole.vertices[used], faces.reshape(-1, 3).astype(np.int32)), places[used]
    source, target = (described(end, signatures.describe(end, silent)) for end in (body, arm))
    tip = int((here @ limb).argmax())
    hand, other = (int((there @ (limb * (side, 1, 1))).argmax()) for side in (1, -1))

    def found(flip: bool = False, hint: int | None = None) -> tuple[float, Match]:
        """On which side of the body the arm is found, from -1 to 1."""
        pairs = None if hint is None else np.array([[hint, tip]])
        made = match(source, target, pairs=pairs, flip=flip, intrinsic=INTRINSIC)
        at = made.to_source.pull(there, body.faces)
        assert np.abs(at @ (limb * (np.sign(at[:, :1].mean()), 1, 1))).mean() > 0.8
        return float(np.sign(at[:, 0]).mean()), made

    side, guess = found()
    assert abs(side) > 0.95
    assert guess.notes["ambiguous"]
    assert any("two places" in sentence for sentence in guess.notes["sentences"])
    flipped_side, flipped = found(flip=True)
    assert flipped_side * side < -0.9
    assert flipped.notes["flipped"]
    assert flipped.to_source.confidence.mean() > 1.5 * guess.to_source.confidence.mean()
    for hint, wanted in ((hand, 1), (other, -1)):
        said, settled = found(hint=hint)
        assert said * wanted > 0.95
        assert not settled.notes["ambiguous"]
        assert settled.to_source.vertex[tip] == hint


def shells() -> Snapshot:
    """Three open shells beside one another."""
    one, _ = bust(32, 0.0, 0.05)
    count = len(one.vertices)
    moved = [one.vertices + np.float32(5 * k) * np.array([1, 0, 0], np.float32) for k in range(3)]
    return shapes.snapshot(np.concatenate(moved), np.concatenate([one.faces + count * k for k in range(3)]))


@pytest.mark.parametrize("other", ["a ball drawn out", "open shells"])
def test_what_is_not_cut_off_is_not_looked_for(other: str) -> None:
    ball = shapes.sphere(32, 16)
    longer = replace(ball, vertices=(ball.vertices * (1, 1, 6)).astype(np.float32))
    ends = (ball, longer if other == "a ball drawn out" else shells())
    source, target = (described(end, signatures.describe(end, silent)) for end in ends)
    assert not list(crops(source, target, [], np.empty((0, 2), np.int64), silent))
