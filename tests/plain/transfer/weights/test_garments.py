"""Garments: whether a mesh is one, and clothes whose true weights are known."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import shapes
from helpers.figures import Figure
from meshkin.transfer.weights.garment_map import map_garment
from meshkin.transfer.weights.garments import is_garment
from meshkin.transfer.weights.skinning import weights_through_map


@pytest.mark.parametrize(("gap", "mean", "wrong"), [(0.0, 0.012, 0.0), (0.05, 0.02, 0.001), (0.08, 0.032, 0.005)])
def test_clothes_take_the_weights_of_what_they_lie_on(gap: float, mean: float, wrong: float) -> None:
    """Also where the other leg is nearer. The bounds include what the two coarse meshes cost (0.01)."""
    figure = Figure()
    body = figure.body(90)
    suit, truth = figure.clothes(gap, 82)
    assert is_garment(body, suit)
    weights = figure.weights(body.vertices.astype(np.float64))
    to_source = map_garment(body, suit).to_body
    error = np.abs(weights_through_map(weights, body, suit, to_source, garment=True).weights - truth).sum(axis=1)
    assert error.mean() <= mean
    assert (error > 1).mean() <= wrong


@pytest.mark.parametrize(("legs", "arms"), [(0.075, 25), (0.05, 35)])
def test_folds_belong_to_what_they_fold_with(legs: float, arms: float) -> None:
    """Under the arms and between the legs the normals of several places go through a point of the cloth."""
    figure = Figure(legs, arms)
    body = figure.body(200)
    suit, truth = figure.clothes(0.05, 82)
    weights = figure.weights(body.vertices.astype(np.float64))
    carried = weights_through_map(weights, body, suit, map_garment(body, suit).to_body, garment=True).weights
    error = np.abs(carried - truth).sum(axis=1)
    assert error.mean() <= 0.009
    assert (error > 1).mean() <= 0.001


@pytest.mark.parametrize("gap", [0.03])
def test_thick_cloth_is_the_same_on_both_sides(gap: float) -> None:
    """A pipe around an arm, open at both ends and thick: its inside faces the arm, and is not distrusted for that."""
    figure = Figure(arms=60)
    body = figure.body()
    head, tail, radius = figure.bones["upperarm.L"]
    outer, faces = tube(head, tail, radius + gap + 0.01)
    inner, _ = tube(head, tail, radius + gap)
    count = len(outer)
    rim = [
        np.stack((ring, np.roll(ring, -1), np.roll(ring, -1) + count, ring + count), axis=1)[:, corners]
        for ring in (np.arange(24)[::-1], np.arange(count - 24, count))
        for corners in ([0, 1, 2], [0, 2, 3])
    ]
    sleeve = shapes.snapshot(np.concatenate((outer, inner)), np.concatenate((faces, faces[:, ::-1] + count, *rim)))
    weights = figure.weights(body.vertices.astype(float))
    for garment in (sleeve, shapes.snapshot(sleeve.vertices, sleeve.faces[:, ::-1])):
        to_source = map_garment(body, garment).to_body
        middle = np.tile(np.repeat(np.arange(count // 24) > 3, 24), 2)
        assert (to_source.confidence[middle] > 0.4).mean() > 0.9
        carried = weights_through_map(weights, body, garment, to_source, garment=True).weights
        assert np.abs(carried[:count] - carried[count:]).sum(axis=1)[middle[:count]].max() < 0.2


def test_small_parts_follow_one_bone_and_lost_ones_their_neighbors() -> None:
    figure = Figure()
    body = figure.body()
    ball = shapes.sphere(12, 8)
    eye = 0.015 * ball.vertices + (0.02, -0.06, 0.93)
    button = 0.01 * ball.vertices + (0.0, -0.105, 0.66)  # between spine and chest
    far = 0.3 * ball.vertices + (3, 0, 0.9)
    count = len(ball.vertices)
    vertices, faces = (
        np.concatenate((body.vertices, eye, button, far)),
        np.concatenate([body.faces, *(ball.faces + len(body.vertices) + count * part for part in range(3))]),
    )
    target = shapes.snapshot(vertices, faces)
    weights = figure.weights(body.vertices.astype(float))
    carried = weights_through_map(weights, body, target, map_garment(body, target).to_body, garment=True).weights
    parts = np.split(carried[len(body.vertices) :], 3)
    np.testing.assert_array_equal(parts[0][:, figure.names.index("head")], 1)
    assert (parts[1] == parts[1][0]).all()
    np.testing.assert_allclose(parts[2].sum(axis=1), 1, atol=1e-6)
    assert figure.names[parts[2].sum(axis=0).argmax()].endswith(("head", ".L"))


def test_what_is_a_garment() -> None:
    figure = Figure()
    body = figure.body()
    ball = shapes.sphere(12, 8)
    eye = shapes.snapshot(0.015 * ball.vertices + (0.02, -0.05, 0.93), ball.faces)
    assert is_garment(body, eye)
    assert is_garment(body, figure.clothes(0.02)[0])
    assert not is_garment(body, Figure(arms=80).body(60))
    taller = shapes.snapshot(body.vertices * (0.9, 1, 1.1), body.faces)
    assert not is_garment(body, taller)
    astride, child = Figure(legs=0.15).body(), Figure(arms=10).body(60)
    assert not is_garment(astride, shapes.snapshot(child.vertices * 0.35, child.faces))  # stands between the legs
    moved = figure.clothes(0.02)[0]
    moved.location[:] = (1, 0, 0)
    assert not is_garment(body, moved)


def tube(head: shapes.Array, tail: shapes.Array, radius: float) -> tuple[shapes.Array, shapes.Array]:
    """A pipe from head to tail, 15 rings of 24 vertices, facing outwards."""
    along = (tail - head) / np.linalg.norm(tail - head)
    across = np.cross(along, (0, 1, 0))
    angle = np.arange(24) * 2 * np.pi / 24
    ring = np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * np.cross(along, across)
    rings = np.linspace(0, 1, 15)[:, None, None] * (tail - head) + head + radius * ring
    number = np.arange(15 * 24).reshape(15, 24)
    a, b = number[:-1], np.roll(number[:-1], -1, axis=1)
    c, d = np.roll(number[1:], -1, axis=1), number[1:]
    faces = np.concatenate([np.stack((a, b, c), -1).reshape(-1, 3), np.stack((a, c, d), -1).reshape(-1, 3)])
    return rings.reshape(-1, 3), faces
