"""Shapes that stand upright, brought onto each other although their proportions have little in common."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from helpers.figures import Figure
from helpers.surfaces import described
from meshkin.data.snapshot import Snapshot
from meshkin.geometry.arrays import Floats
from meshkin.matching import pipeline
from meshkin.matching.alignment import Alignment, align
from meshkin.matching.pipeline import match
from meshkin.matching.registration import RegisteredMesh, registered_mesh
from meshkin.matching.upright import features_and_widths, form, upright_placings

NECK, TOP = 0.86, 1.0


def with_a_giant_head(points: Floats) -> Floats:
    """A person whose head is a third of the height and thrice as wide, over arms and legs as short as a child's."""
    above = np.clip((points[:, 2] - NECK) / 0.03, 0, 1)[:, None]
    height = np.interp(points[:, 2], [-0.1, 0, NECK, 1.1], [-0.05, 0, 0.6, 1.2])
    return np.column_stack((points[:, :2] * (1 + 2 * above), height))


def as_a_cartoon(points: Floats) -> Floats:
    """A person whose head is half of the height, and whose legs are a quarter."""
    above = np.clip((points[:, 2] - NECK) / 0.03, 0, 1)[:, None]
    height = np.interp(points[:, 2], [-0.1, 0, 0.5, NECK, 1.1], [-0.05, 0, 0.25, 0.5, 1.2])
    return np.column_stack((points[:, :2] * (1 + 1.5 * above), height))


def registered(shape: Snapshot, points: Floats) -> RegisteredMesh:
    """A shape whose features tell how high up the body its points are, and little else."""
    height = shape.vertices[:, 2]
    features = np.column_stack((np.sin(3 * height), np.cos(3 * height))).astype(np.float32)
    return registered_mesh(points, shape.faces, features - features.mean(axis=0))


def test_slabs_of_the_body_come_to_lie_on_their_like() -> None:
    figure = Figure(arms=90)
    source, target = figure.body(60), figure.body(50, 0.3)
    goals = with_a_giant_head(target.vertices.astype(np.float64))
    truth = with_a_giant_head(source.vertices.astype(np.float64))
    placing = upright_placings(registered(source, source.vertices.astype(np.float64)), registered(target, goals))[0]
    warped = placing.carried(source.vertices.astype(np.float64))
    straight = placing.unwarped().carried(source.vertices.astype(np.float64))
    off, straight_off = (np.abs(places[:, 2] - truth[:, 2]) for places in (warped, straight))
    assert off.mean() < 0.03
    assert straight_off.mean() > 3 * off.mean()
    assert (np.diff(placing.warped, axis=1) >= 0).all()


def test_form_finds_what_features_hold_where_it_is() -> None:
    """Features that tell how high up a shape's points are in space, whatever they belong to."""
    figure = Figure(arms=90)
    source, target = figure.body(60), figure.body(50, 0.3)
    places, goals = (as_a_cartoon(end.vertices.astype(np.float64)) for end in (source, target))
    truth, places = places[:, 2], source.vertices.astype(np.float64)
    cartoon = Snapshot.from_arrays(goals.astype(np.float32), target.faces)
    ends = registered(source, places), registered(cartoon, goals)
    off, misled = (
        np.abs(upright_placings(*ends, describe=describe)[0].carried(places)[:, 2] - truth).mean()
        for describe in (form, features_and_widths)
    )
    assert off < 0.03
    assert misled > 2 * off


def test_feet_tell_which_turn_faces_the_other_way() -> None:
    figure = Figure(arms=90)
    source, target = (
        registered(end, end.vertices.astype(np.float64)) for end in (figure.body(60), figure.body(50, 0.3))
    )

    def with_feet(mesh: RegisteredMesh, length: float) -> RegisteredMesh:
        points = mesh.points.copy()
        points[:, 1] += length * np.clip(1 - points[:, 2] / 0.05, 0, 1)
        return registered_mesh(points, mesh.faces, mesh.features)

    def away(source_feet: float, target_feet: float) -> list[bool]:
        placings = upright_placings(with_feet(source, source_feet), with_feet(target, target_feet))
        return [placing.is_away for placing in placings]  # turned by 0, 180, 90 and 270 degrees

    assert away(-0.1, -0.06) == [False, True, False, False]
    assert away(-0.1, 0.06) == [True, False, False, False]
    assert not any(away(-0.1, 0))  # the target has no feet


def test_two_characters_without_any_feature_in_common_are_matched_by_their_form() -> None:
    """Skinning weights carried over the match: their error is 1.31 if the body is not warped by its form."""
    figure = Figure(arms=90)
    source, target = figure.body(60), figure.body(50, 0.3)
    weights = [figure.weights(end.vertices.astype(np.float64)) for end in (source, target)]
    goals = as_a_cartoon(target.vertices.astype(np.float64)).astype(np.float32)
    random = np.random.default_rng(0)
    ends = [
        described(end, random.normal(size=(len(end.vertices), 4)).astype(np.float32))
        for end in (source, Snapshot.from_arrays(goals, target.faces))
    ]
    carried = match(ends[0], ends[1]).to_source.pull(weights[0], source.faces)
    assert np.abs(carried - weights[1]).sum(axis=1).mean() < 0.3


@pytest.mark.parametrize("feet", [0.12, 0.0])
def test_between_unlike_bodies_a_map_is_trusted_if_it_is_clear_which_way_it_faces(
    feet: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No feature is alike. Without feet, what is turned around lies as well."""

    def of_one_symmetry(*arguments: Any) -> Alignment:
        return replace(align(*arguments), several=(False, False), ambiguous=False)

    monkeypatch.setattr(pipeline, "align", of_one_symmetry)
    figure, random = Figure(arms=90), np.random.default_rng(0)
    bodies, ends = (figure.body(60), figure.body(50, 0.3)), []
    for shape in bodies:
        points = shape.vertices.astype(np.float64)
        placed = as_a_cartoon(points) if shape is bodies[1] else points.copy()
        placed[:, 1] -= feet * np.clip(1 - points[:, 2] / 0.05, 0, 1)
        rows = random.normal(size=(len(points), 4)).astype(np.float32)
        ends.append(described(Snapshot.from_arrays(placed.astype(np.float32), shape.faces), rows))
    result = match(ends[0], ends[1])
    confidence, (source, target) = result.to_source.confidence, (shape.vertices[:, 0] for shape in bodies)
    if feet:
        keeps_side = np.sign(source[result.to_source.vertex]) == np.sign(target)
        assert keeps_side[np.abs(target) > 0.1].mean() > 0.9
        assert confidence.mean() > 0.7
    else:
        assert [warning["code"] for warning in result.notes["warnings"]] == ["turn-guessed"]
        assert confidence.max() <= 0.5


def test_a_giant_head_takes_nothing_of_the_shoulders() -> None:
    """Skinning weights carried over the match; the same pair without a warp mixes head, chest and arms."""
    figure = Figure(arms=90)
    source, target = figure.body(60), figure.body(50, 0.3)
    weights = [figure.weights(end.vertices.astype(np.float64)) for end in (source, target)]
    giant = Snapshot.from_arrays(with_a_giant_head(target.vertices.astype(np.float64)).astype(np.float32), target.faces)
    ends = []
    for shape, placed in ((source, source), (target, giant)):
        height = shape.vertices[:, 2]
        vague = np.column_stack((np.sin(3 * height), np.cos(3 * height), 0.3 * np.abs(shape.vertices[:, 0])))
        ends.append(described(placed, vague.astype(np.float32)))
    result = match(ends[0], ends[1])
    carried = result.to_source.pull(weights[0], source.faces)
    assert np.abs(carried - weights[1]).sum(axis=1).mean() < 0.2
