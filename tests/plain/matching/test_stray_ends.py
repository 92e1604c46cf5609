"""Ends that hang beside another part, or touch it, stay with their own limb, and are a guess."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers import shapes
from helpers.figures import Figure
from helpers.surfaces import described
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match
from meshkin.matching import pipeline
from meshkin.matching.laid_maps import match_laid
from meshkin.matching.pipeline import MatchSettings, match
from meshkin.matching.stray_ends import StrayEndSettings
from meshkin.matching.surfaces import DescribedSurface


def tailed(end: float) -> Figure:
    """A figure with a tail that hangs down behind the left leg, to the height ``end``."""
    figure = Figure()
    root, bend = np.array([0, 0.07, 0.54]), np.array([0, 0.115, 0.48])
    figure.bones["tail"] = root, bend, 0.024
    figure.bones["tail.end"] = bend, np.array([0.05, 0.115, end]), 0.024
    return figure


def on_tail(figure: Figure, shape: Snapshot) -> shapes.Array:
    """The share of a figure's tail in each vertex, (V,)."""
    return np.asarray(figure.weights(shape.vertices.astype(np.float64))[:, -2:].sum(axis=1))


def vague(shape: Snapshot, tail: shapes.Array) -> DescribedSurface:
    """A shape with features that tell heights, and the tail from all else a little."""
    x, y, z = shape.vertices.astype(np.float64).T
    features = np.column_stack((np.sin(3 * z), np.cos(3 * z), 0.3 * y, 0.3 * np.abs(x), 0.5 * tail))
    return described(shape, features.astype(np.float32))


def test_the_end_of_a_longer_tail_does_not_go_to_the_leg_that_it_hangs_beside() -> None:
    long, short = tailed(0.1), tailed(0.36)
    source, target = long.body(60), short.body(55, 0.4)
    tails = on_tail(long, source), on_tail(short, target)
    result = match(vague(source, tails[0]), vague(target, tails[1]))
    reached = result.to_target.pull(tails[1], target.faces)
    end = (tails[0] > 0.5) & (source.vertices[:, 2] < 0.25)
    assert reached[end].mean() > 0.9
    assert reached[tails[0] > 0.5].mean() > 0.7
    assert reached[tails[0] < 0.5].mean() < 0.02
    assert result.to_source.pull(tails[0], source.faces)[tails[1] > 0.5].mean() > 0.9
    confidence = result.to_target.confidence
    assert confidence[end].mean() < 0.6 < confidence[tails[0] < 0.5].mean()


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


def described_ends() -> tuple[DescribedSurface, DescribedSurface]:
    """Source and target with their weights as features."""
    ends = ((70, SOURCE), (50, TARGET))
    weights = [Figure(arms=arms).weights(end.vertices.astype(np.float64)).astype(np.float32) for arms, end in ends]
    return described(SOURCE, weights[0]), described(TARGET, weights[1])


def test_a_hand_on_the_other_hand_is_brought_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = described_ends()
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


def test_a_hand_that_stays_on_the_other_hand_is_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "match_laid", exchanged)
    staying = MatchSettings(ends=StrayEndSettings(unlike=0.01))
    result = match(*described_ends(), settings=staying).to_source
    hand = is_left_hand(TARGET.vertices)
    crossed = hand & (result.pull(SOURCE.vertices, SOURCE.faces)[:, 0] < 0)
    assert crossed.sum() > 50
    assert result.confidence[crossed].mean() < 0.5 < result.confidence[~hand].mean()
