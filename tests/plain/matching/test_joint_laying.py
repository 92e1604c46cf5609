"""Matches that start from joints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from helpers import shapes
from helpers.figures import Figure
from helpers.surfaces import described
from meshkin.data.surface_map import Match
from meshkin.matching.pipeline import match
from meshkin.matching.surfaces import DescribedSurface

Array = shapes.Array
STANDS = 1.7 * Rotation.from_euler("xz", (90, 40), degrees=True).as_matrix()
"""How the target stands: it lies on its back, is turned, and larger."""
SPREAD, LOWERED = 80, 20
"""Angles of the arms, degrees."""


def lowered(points: Array, weights: Array) -> Array:
    """Points (P, 3) of the figure with spread arms, posed as the other one by their weights (P, B)."""
    names, result = Figure(arms=SPREAD).names, points.copy()
    for side, sign in ((".L", 1), (".R", -1)):
        shoulder = np.array([0.11 * sign, 0, 0.80])
        turn = Rotation.from_euler("y", sign * (SPREAD - LOWERED), degrees=True)
        share = weights[:, [names.index(f"{bone}{side}") for bone in ("upperarm", "forearm")]].sum(axis=1)
        result += share[:, None] * (turn.apply(points - shoulder) + shoulder - points)
    return result


@pytest.fixture(scope="module")
def ends() -> tuple[DescribedSurface, DescribedSurface]:
    """Two figures, the source posed onto the joints of the target, with features that tell nothing."""
    source, target = Figure(arms=SPREAD).body(60), Figure(arms=LOWERED).body(55, 0.4)
    points = source.vertices.astype(np.float64)
    posed = lowered(points, Figure(arms=SPREAD).weights(points)) @ STANDS.T + 0.02
    lies = shapes.snapshot((target.vertices @ STANDS.T).astype(np.float32), target.faces)
    same = [np.ones((len(shape.vertices), 1), np.float32) for shape in (source, target)]
    return replace(described(source, same[0]), posed=posed), described(lies, same[1])


def on_own_bone(result: Match, source: DescribedSurface, target: DescribedSurface) -> float:
    """How much of the target's weights comes over."""
    given = Figure(arms=SPREAD).weights(source.snapshot.vertices.astype(np.float64))
    true = Figure(arms=LOWERED).weights(target.snapshot.vertices.astype(np.float64) @ np.linalg.inv(STANDS).T)
    return float(np.minimum(result.to_source.pull(given, source.snapshot.faces), true).sum(axis=1).mean())


def test_joints_lead_a_match_that_nothing_else_could(ends: tuple[DescribedSurface, DescribedSurface]) -> None:
    result = match(*ends)
    assert on_own_bone(result, *ends) > 0.95
    assert result.to_source.confidence.mean() > 0.8
    assert result.notes["by_joints"]
    assert not result.notes["ambiguous"]
    assert on_own_bone(match(replace(ends[0], posed=None), ends[1]), *ends) < 0.9


def test_point_pairs_count_beside_joints(ends: tuple[DescribedSurface, DescribedSurface]) -> None:
    rows = [int(end.snapshot.vertices[:, 0].argmax()) for end in ends]
    result = match(*ends, pairs=np.array([rows]))
    assert result.notes["by_joints"]
    assert result.to_source.vertex[rows[1]] == rows[0]
    assert on_own_bone(result, *ends) > 0.9


def test_the_other_answer_is_not_led_by_joints(ends: tuple[DescribedSurface, DescribedSurface]) -> None:
    flipped = match(*ends, flip=True)
    assert "by_joints" not in flipped.notes
    alone = match(replace(ends[0], posed=None), ends[1], flip=True)
    np.testing.assert_array_equal(flipped.to_source.vertex, alone.to_source.vertex)
