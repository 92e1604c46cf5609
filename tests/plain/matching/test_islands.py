"""A limb that was matched with another limb is matched again where it belongs, and is a guess."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.figures import Figure
from helpers.surfaces import described
from meshkin.data.surface_map import Match
from meshkin.matching import pipeline
from meshkin.matching.laid_maps import match_laid
from meshkin.matching.pipeline import match

SOURCE, TARGET = Figure(arms=70).body(60), Figure(arms=50).body(55, 0.4)


def is_left_hand(vertices: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which vertices (V, 3) of a figure lie at the end of the left arm, (V,)."""
    return np.asarray(vertices[:, 0] > 0.3)


def exchanged(*arguments: Any, **options: Any) -> Match:
    """The match in which the target's left hand is answered by the right one."""
    result = match_laid(*arguments, **options)
    hand = np.flatnonzero(is_left_hand(TARGET.vertices))
    twins = np.linalg.norm(TARGET.vertices[None] - TARGET.vertices[hand][:, None] * (-1, 1, 1), axis=2).argmin(axis=1)
    rows = result.to_source.at(twins)
    return Match(result.to_source.with_rows(hand, rows), result.to_target, result.source_faces, result.target_faces)


def test_a_hand_on_the_other_hand_is_brought_back(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = [
        Figure(arms=arms).weights(end.vertices.astype(np.float64)).astype(np.float32)
        for arms, end in ((70, SOURCE), (50, TARGET))
    ]
    ends = described(SOURCE, weights[0]), described(TARGET, weights[1])
    right = match(*ends).to_source
    monkeypatch.setattr(pipeline, "match_laid", exchanged)
    brought_back = match(*ends).to_source
    hand = is_left_hand(TARGET.vertices)
    assert hand.sum() > 50
    answers = brought_back.pull(SOURCE.vertices, SOURCE.faces)
    assert (answers[hand, 0] > 0).all()
    far = np.linalg.norm(answers - right.pull(SOURCE.vertices, SOURCE.faces), axis=1)
    assert far[hand].mean() < 0.05
    assert far[~hand].max() < 0.01
    assert brought_back.confidence[hand].max() <= 0.5
    assert (brought_back.confidence == right.confidence)[~hand].mean() > 0.98
