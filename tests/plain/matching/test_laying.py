"""Surfaces laid onto each other in space and features together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from helpers import shapes
from helpers.figures import Figure
from helpers.surfaces import described
from meshkin.base.errors import Cancelled
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match
from meshkin.matching import pipeline
from meshkin.matching.alignment import Alignment, align
from meshkin.matching.laying import LayingSettings
from meshkin.matching.pipeline import MatchSettings, match
from meshkin.matching.surfaces import DescribedSurface

Array = shapes.Array


def vague(shape: Snapshot, places: Array) -> DescribedSurface:
    """A shape with features that tell its parts apart only roughly, and left from right not at all."""
    height = (places[:, 2] - places[:, 2].min()) / np.ptp(places[:, 2])
    features = np.column_stack((np.sin(3 * height), np.cos(3 * height), 0.3 * places[:, 1], 0.3 * np.abs(places[:, 0])))
    return described(shape, features.astype(np.float32))


def moved(shape: Snapshot, matrix: Array) -> Snapshot:
    return shapes.snapshot((shape.vertices @ matrix.T).astype(np.float32), shape.faces)


def errors(result: Match, source: Snapshot, places: Array) -> Array:
    """How far each target vertex's answer lies from where it should, in heights of the source."""
    answers = result.to_source.pull(source.vertices.astype(np.float64), source.faces)
    return np.asarray(np.linalg.norm(answers - places, axis=1) / np.ptp(source.vertices[:, 2]))


@pytest.mark.parametrize("turn", [0, 90, 180])
def test_a_character_of_shells_is_found_whichever_way_it_faces(turn: float) -> None:
    """Head, body and limbs in pieces of their own, stretched, and turned about the vertical axis."""
    figure = Figure(arms=60)
    source, target = figure.body(60), figure.body(50, 0.4)
    nose = shapes.sphere(8, 6)
    parts = [
        Snapshot.from_arrays(
            np.concatenate((shape.vertices, 0.03 * nose.vertices + (0, -0.1, 0.92))),
            np.concatenate((_cut(shape), nose.faces + len(shape.vertices))),
        )
        for shape in (source, target)
    ]
    matrix = Rotation.from_euler("z", turn, degrees=True).as_matrix() @ np.diag((1.2, 1.1, 0.8))
    places = parts[1].vertices.astype(np.float64)
    ends = vague(parts[0], parts[0].vertices), vague(moved(parts[1], matrix), places)
    result = match(*ends)
    assert np.median(errors(result, parts[0], places)) < 0.02
    assert np.quantile(errors(result, parts[0], places), 0.95) < 0.08


def _cut(shape: Snapshot) -> Array:
    """The faces of a figure without those that join its head and its limbs to the trunk."""
    x, _, z = shape.vertices[shape.faces].mean(axis=1).T
    joints = (np.abs(np.abs(x) - 0.2) < 0.02) | (np.abs(z - 0.45) < 0.015) | (np.abs(z - 0.83) < 0.015)
    return np.asarray(shape.faces[~joints])


def test_limbs_keep_to_their_ends() -> None:
    """Arms in another pose reach their tips, and the answers go both ways."""
    source, target = Figure(arms=70).body(60), Figure(arms=50).body(55, 0.4)
    figures = Figure(arms=70), Figure(arms=50)
    weights = [
        figure.weights(end.vertices.astype(np.float64)) for figure, end in zip(figures, (source, target), strict=True)
    ]
    described_ends = [
        described(end, rows.astype(np.float32)) for end, rows in zip((source, target), weights, strict=True)
    ]
    result = match(described_ends[0], described_ends[1])
    for surface_map, own, other, faces in (
        (result.to_source, weights[1], weights[0], source.faces),
        (result.to_target, weights[0], weights[1], target.faces),
    ):
        assert np.abs(surface_map.pull(other, faces) - own).sum(axis=1).mean() < 0.2
    tip = int(np.abs(target.vertices[:, 0]).argmax())
    reached = result.to_source.pull(source.vertices, source.faces)[tip]
    assert abs(reached[0]) > 0.95 * np.abs(source.vertices[:, 0]).max()


def test_confidence_falls_where_the_source_has_nothing_alike() -> None:
    figure = Figure()
    source, body = figure.body(45), figure.body(40, 0.3)
    ball = shapes.sphere(10, 8)
    tail = 0.1 * ball.vertices + (0, 0.9, 0.5)
    target = Snapshot.from_arrays(
        np.concatenate((body.vertices, tail)), np.concatenate((body.faces, ball.faces + len(body.vertices)))
    )
    ends = [described(end, shapes.smooth_features(end.vertices)) for end in (source, target)]
    confidence = match(ends[0], ends[1]).to_source.confidence
    own = np.arange(len(confidence)) < len(body.vertices)
    assert confidence[own].mean() > 0.6
    assert confidence[~own].mean() < 0.7 * confidence[own].mean()


def test_a_coarser_mesh_stands_in_for_a_large_one() -> None:
    source, target = Figure(arms=60).body(60), Figure(arms=50).body(50, 0.3)
    ends = vague(source, source.vertices), vague(target, target.vertices)
    answers = [
        match(*ends, settings=MatchSettings(laying=LayingSettings(fine=count))).to_source.pull(
            source.vertices.astype(np.float64), source.faces
        )
        for count in (20_000, 1_500)
    ]
    assert np.linalg.norm(answers[0] - answers[1], axis=1).mean() < 0.02


def test_it_can_be_cancelled() -> None:
    body = Figure().body(30)

    def stop(stage: str, fraction: float) -> None:
        if stage == "Laying the surfaces on each other" and fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        match(vague(body, body.vertices), vague(body, body.vertices), stop)


def test_the_better_of_two_maps_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lying body is found through a map alone. The first one leads astray (0.05 by itself), another one does not."""
    source, target = Figure(arms=70).body(40), Figure(arms=50).body(36, 0.4)
    places = target.vertices.astype(np.float64)
    lying = moved(target, Rotation.from_euler("xz", (80, 35), degrees=True).as_matrix())

    def weak(shape: Snapshot, own: Array) -> DescribedSurface:
        known = vague(shape, own)
        return replace(known, features=np.column_stack((known.features, 0.3 * own[:, 0])).astype(np.float32))

    def with_wrong_map(*arguments: Any) -> Alignment:
        right = align(*arguments)
        return replace(right, to_target=right.to_target[::-1], others=(right.to_target,))

    monkeypatch.setattr(pipeline, "align", with_wrong_map)
    result = match(weak(source, source.vertices), weak(lying, places))
    assert np.median(errors(result, source, places)) < 0.02
