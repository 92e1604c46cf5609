"""Bodies of one base mesh: they differ in shape, but not in the numbers of their vertices."""

from __future__ import annotations

import numpy as np
import pytest

import meshkin
from helpers import shapes
from helpers.beasts import beast
from meshkin.data.snapshot import Snapshot
from meshkin.matching.base_meshes import match_of_base_mesh, with_parts_of_base_meshes

BODY, BENT = (beast(48, bend, 0)[0] for bend in (0.0, 0.4))


def cut_otherwise(shape: Snapshot, count: int) -> Snapshot:
    """A shape of which some pairs of triangles are cut along the other diagonal, as bent quads are."""
    faces = shape.faces.copy()
    for edge in np.random.default_rng(0).permutation(len(faces))[:count]:
        a, b, c = faces[edge]
        other = next((row for row, face in enumerate(faces) if row != edge and {a, c} <= set(face)), None)
        if other is not None:
            d = next(corner for corner in faces[other] if corner not in (a, c))
            faces[edge], faces[other] = (a, b, d), (b, c, d)
    assert (faces != shape.faces).any(axis=1).sum() > count
    return shapes.snapshot(shape.vertices, faces)


def with_ball(body: Snapshot, place: tuple[float, float, float], columns: int) -> Snapshot:
    """A body with a ball beside it, which is a part of its own and comes first."""
    ball = shapes.sphere(columns, 12)
    vertices, faces = shapes.joined((0.1 * ball.vertices + place, ball.faces), (body.vertices, body.faces))
    return shapes.snapshot(vertices, faces)


def test_bodies_of_one_topology_are_matched_vertex_by_vertex() -> None:
    match = meshkin.match(BODY, cut_otherwise(BENT, 30))
    everything = np.arange(len(BODY.vertices))
    np.testing.assert_array_equal(match.to_source.vertex, everything)
    np.testing.assert_array_equal(match.to_target.vertex, everything)
    assert (match.to_source.confidence == 1).all()
    assert "same topology" in match.notes["sentences"][0]


def test_a_mirror_image_has_its_left_elsewhere() -> None:
    mirrored = shapes.snapshot(BENT.vertices * (-1, 1, 1), BENT.faces)
    assert match_of_base_mesh(BODY, mirrored) is None


def test_other_meshes_are_not_of_one_base() -> None:
    order = np.random.default_rng(0).permutation(len(BENT.vertices))
    shuffled = shapes.snapshot(BENT.vertices[order], np.argsort(order)[BENT.faces])
    assert match_of_base_mesh(BODY, shuffled) is None
    assert match_of_base_mesh(BODY, beast(40, 0.4, 0)[0]) is None


def test_a_body_keeps_its_vertices_whatever_it_wears() -> None:
    source, target = with_ball(BODY, (0, 0, 2.5), 16), with_ball(BENT, (0, 0, 2.5), 20)
    body, other = (len(shape.vertices) - len(BODY.vertices) for shape in (source, target))
    match = meshkin.match(source, target)
    own = np.arange(len(BODY.vertices))
    np.testing.assert_array_equal(match.to_source.vertex[other:], body + own)
    np.testing.assert_array_equal(match.to_target.vertex[body:], other + own)
    assert (match.to_source.confidence[other:] == 1).all()
    assert not (match.to_source.confidence[:other] == 1).all()


def test_point_pairs_and_flip_come_first() -> None:
    assert meshkin.match(BODY, BENT, pairs=[(10, 200)]).to_source.vertex[200] == 10
    assert meshkin.match(BODY, BENT, flip=True).notes["flipped"]


@pytest.mark.parametrize("far", [False, True])
def test_the_map_tells_parts_of_one_topology_apart(far: bool) -> None:
    """Two balls are known by where they are; one at another place is another thing."""
    left, right = (-1.5, 0.0, 0.0), (1.5, 0.0, 0.0)
    source = with_ball(with_ball(BODY, left, 16), right, 16)
    target = with_ball(with_ball(BENT, right, 16), (0.0, 1.5, 1.5) if far else left, 16)
    match = meshkin.match(source, target)
    again = with_parts_of_base_meshes(match, source, target)
    ball = len(shapes.sphere(16, 12).vertices)
    first, second = again.to_source.vertex[:ball], again.to_source.vertex[ball : 2 * ball]
    np.testing.assert_array_equal(second, np.arange(ball))  # what lies to the right comes second here, first there
    assert far != np.array_equal(first, np.arange(ball, 2 * ball))
