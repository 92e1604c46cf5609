"""Results that are poor are said to be: a map at random stands in the cache in place of the one that was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.creatures import creature, vertex_positions
from helpers.main_job import MATCHED, paint
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.data.surface_map import Match, SurfaceMap
from meshkin.workflow.doubts import match_remarks


def at_random(surface_map: SurfaceMap, generator: np.random.Generator) -> SurfaceMap:
    """The same points, each given to another vertex, and hardly trusted."""
    order = generator.permutation(len(surface_map.face))
    return replace(surface_map.at(order), confidence=np.full(len(order), 0.2, np.float32))


def spoil(report: workflow.Report) -> None:
    """Replace the map of a match by one at random, between unlike bodies, whose sides are a guess."""
    path = Path(report.data["map"])
    match, generator = Match.load(path), np.random.default_rng(0)
    guess = {"code": "sides-guessed", "message": "Left and right are a guess."}
    notes = {**match.notes, "warnings": [guess], "sentences": [guess["message"], "Another remark."], "strain": 0.1}
    maps = at_random(match.to_source, generator), at_random(match.to_target, generator)
    Match(*maps, match.source_faces, match.target_faces, notes).save(path)


def codes(report: workflow.Report) -> set[str]:
    return {warning.code for warning in report.warnings}


@pytest.mark.parametrize(("form_distance", "told"), [(None, False), (0.5, True)])
def test_a_guess_between_unlike_bodies_is_told_as_poor(form_distance: float | None, told: bool) -> None:
    """Half the confidence is not, where another answer is as good between bodies that look alike."""
    triangle = np.array([[0, 1, 2]], np.int32)
    surface_map = SurfaceMap.at_points(np.zeros(3, np.int64), np.eye(3), np.full(3, 0.45), np.eye(3), triangle)
    match = Match(surface_map, surface_map, triangle, triangle, {"ambiguous": True, "form_distance": form_distance})
    codes = {remark.code for remark in match_remarks(match) if isinstance(remark, workflow.ResultWarning)}
    assert ("low-confidence" in codes) == told


@pytest.mark.slow
def test_a_map_at_random_is_told_by_every_job() -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.03, subdivisions=3)
    paint(source)
    source.shape_key_add(name="Basis")
    key = source.shape_key_add(name="grin")
    places = vertex_positions(source)
    bulge = places * (1 + 0.5 * np.exp(-4 * (places[:, :1] - 1) ** 2))
    key.data.foreach_set("co", bulge.astype(np.float32).ravel())
    options = MATCHED.changed(texture_size=64, texture_threshold=0.5)
    matched = finish(workflow.match(source, target, options))
    assert not matched.warnings, matched.lines()
    assert not matched.summary().endswith("warnings.")
    spoil(matched)
    told = finish(workflow.match(source, target, options))
    assert codes(told) == {"low-confidence", "sides-guessed"}
    assert told.data["confidence"] == pytest.approx(0.2)
    assert [line for line in told.details if "remark" in line or "guess" in line] == ["Another remark."]
    report = finish(workflow.transfer(source, target, ["texture", "weights", "shape_keys"], options))
    of_weights = {"low-confidence", "sides-guessed", "unlike-bodies"}
    assert codes(report) >= {*of_weights, "texture-filled", "texture-torn", "surface-folded"}
    assert report.data["confidence"] == pytest.approx(0.2)
    assert report.lines()[0].endswith(f", with {len(report.warnings)} warnings.")
    assert report.lines()[1 : 1 + len(report.warnings)] == [warning.message for warning in report.warnings]
    assert any("“grin”" in warning.message for warning in report.warnings)
