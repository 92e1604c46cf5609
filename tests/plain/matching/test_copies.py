"""Copies: shapes that are the same but for where they are and how their vertices are numbered."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import meshkin
from helpers import shapes
from helpers.beasts import beast
from meshkin.data.snapshot import Snapshot
from meshkin.matching.copies import match_copy

BODY = beast(48, 0.2, 0)[0]
TURN = Rotation.from_euler("xyz", (70, 20, 130), degrees=True)


def with_shells(gap: float = 0.0) -> Snapshot:
    """A body inside another that touches it, wound the other way: two vertices at every place."""
    inner = BODY.vertices - gap * BODY.vertices
    vertices, faces = shapes.joined((BODY.vertices, BODY.faces), (inner, BODY.faces[:, ::-1]))
    return shapes.snapshot(vertices, faces)


def moved(shape: Snapshot) -> shapes.Array:
    return np.asarray(2.5 * TURN.apply(shape.vertices) + (3, -2, 1), np.float32)


def shuffled(shape: Snapshot) -> tuple[Snapshot, shapes.Array]:
    """A shape moved, turned and scaled, vertices and faces in another order; and the old number of each vertex."""
    generator = np.random.default_rng(0)
    order = generator.permutation(len(shape.vertices))
    number = np.argsort(order)
    faces = number[shape.faces[generator.permutation(len(shape.faces))]]
    return shapes.snapshot(moved(shape)[order], np.roll(faces, 1, axis=1)), order


@pytest.mark.parametrize("shape", [BODY, with_shells(), with_shells(0.01)])
def test_copies_are_matched_vertex_by_vertex(shape: Snapshot) -> None:
    """Also where two vertices lie at one place: each has its own neighbors and faces its own way."""
    copy, order = shuffled(shape)
    match = meshkin.match(shape, copy)
    np.testing.assert_array_equal(match.to_source.vertex, order)
    np.testing.assert_array_equal(match.to_target.vertex[order], np.arange(len(order)))
    np.testing.assert_allclose(match.to_source.pull(shape.vertices, shape.faces), shape.vertices[order], atol=1e-6)
    assert (match.to_source.confidence == 1).all()
    assert not match.notes["warnings"]


def test_the_order_of_vertices_tells_how_a_round_shape_lies() -> None:
    ball = shapes.sphere(16, 8)
    copy = shapes.snapshot(moved(ball), ball.faces)
    match = match_copy(ball, copy)
    assert match is not None
    np.testing.assert_array_equal(match.to_source.vertex, np.arange(len(ball.vertices)))


def test_a_shape_that_lies_on_itself_in_several_ways_is_no_sure_copy() -> None:
    """Unless it stands as the other does."""
    low, high = shapes.sheet(4), shapes.sheet(4, 0)
    box = shapes.snapshot(*shapes.joined(low, (high[0] * (1, 2, 0.5), high[1])))
    prism = shapes.snapshot(
        np.array([(x, y, z) for x in (-1.0, 1.0) for y in (-2.0, 2.0) for z in (-3.0, 3.0)]),
        np.array([[0, 1, 2], [1, 3, 2], [4, 6, 5], [5, 6, 7], [0, 4, 1], [1, 4, 5], [2, 3, 6], [3, 7, 6]]),
    )
    assert match_copy(prism, shuffled(prism)[0]) is None
    order = np.random.default_rng(0).permutation(len(box.vertices))
    upright = shapes.snapshot(2 * box.vertices[order] + 1, np.argsort(order)[box.faces])
    match = match_copy(box, upright)
    assert match is not None
    assert np.abs(match.to_source.pull(box.vertices, box.faces) - box.vertices[order]).max() < 1e-5


def test_a_copy_may_be_cut_otherwise() -> None:
    """Unwelded faces, each cut into three."""
    corners = BODY.vertices[BODY.faces]
    fine = np.concatenate((corners, corners.mean(axis=1, keepdims=True)), axis=1).reshape(-1, 3)
    start = 4 * np.arange(len(corners))[:, None]
    faces = np.concatenate([start + np.array(face) for face in ((0, 1, 3), (1, 2, 3), (2, 0, 3))])
    match = match_copy(BODY, shapes.snapshot(2 * TURN.apply(fine), faces))
    assert match is not None
    assert np.abs(match.to_source.pull(BODY.vertices, BODY.faces) - fine).max() < 1e-3
    assert np.abs(match.to_target.pull(fine, faces) - BODY.vertices).max() < 1e-3


@pytest.mark.parametrize("change", ["posed", "mirrored", "rough", "longer"])
def test_what_is_not_a_copy_is_none(change: str) -> None:
    other = {
        "posed": beast(48, 0.25, 0)[0].vertices,
        "mirrored": BODY.vertices * (-1, 1, 1),
        "rough": BODY.vertices + np.random.default_rng(0).normal(0, 0.003, BODY.vertices.shape),
        "longer": BODY.vertices * (1, 1, 1.05),
    }[change]
    faces = BODY.faces[:, ::-1] if change == "mirrored" else BODY.faces
    assert match_copy(BODY, shapes.snapshot(other, faces)) is None
    assert match_copy(BODY, shuffled(shapes.snapshot(other, faces))[0]) is None
