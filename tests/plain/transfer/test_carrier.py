"""Points carried through a map: exactly at the vertices, smoothly between, never through the body."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers import baking, shapes
from helpers.textured import known_map
from meshkin.base.errors import InputError
from meshkin.data.snapshot import Snapshot
from meshkin.transfer.carrier import CarrierSettings, PointCarrier, check_match

Array = shapes.Array


@pytest.fixture(scope="module")
def ball() -> Snapshot:
    return baking.ball()


def points_in(shape: Snapshot, count: int) -> tuple[Array, Array]:
    """Triangles and barycentric coordinates of points all over a shape."""
    generator = np.random.default_rng(0)
    return generator.integers(0, len(shape.faces), count), generator.dirichlet((1, 1, 1), count).astype(np.float32)


def positions(shape: Snapshot, face: Array, weights: Array) -> Array:
    return np.asarray(np.einsum("nk,nkd->nd", weights, shape.vertices.astype(np.float64)[shape.faces[face]]))


def test_the_same_mesh_is_carried_to_itself(ball: Snapshot) -> None:
    face, weights = points_in(ball, 3000)
    carrier = PointCarrier(ball, ball, known_map(ball, ball).to_source)
    points = carrier.correspondence(face, weights)
    carried = positions(ball, points.source_face, points.source_weights)
    np.testing.assert_allclose(carried, positions(ball, face, weights), atol=1e-5)
    assert not carrier.torn.any()
    np.testing.assert_allclose(carrier.mapped_vertices, ball.vertices, atol=1e-6)


def test_another_mesh_of_the_surface_is_carried_near_to_the_same_place(ball: Snapshot) -> None:
    other = baking.with_margin(shapes.bumpy(shapes.sphere(37, 29)))
    face, weights = points_in(other, 3000)
    carrier = PointCarrier(ball, other, known_map(ball, other).to_source)
    there, there_weights = carrier.carry(face, weights)
    away = np.linalg.norm(positions(ball, there, there_weights) - positions(other, face, weights), axis=1)
    assert np.quantile(away, 0.99) < 0.03


def test_torn_triangles_follow_their_surest_corner(ball: Snapshot) -> None:
    match = known_map(ball, ball)
    vertex = 400
    far = np.linalg.norm(ball.vertices + ball.vertices[vertex], axis=1).argmin()
    face, barycentric = match.to_source.face.copy(), match.to_source.barycentric.copy()
    face[vertex], barycentric[vertex] = match.to_source.face[far], match.to_source.barycentric[far]
    confidence = np.full(len(ball.vertices), 0.5, np.float32)
    confidence[vertex] = 0.1
    to_source = replace(match.to_source, face=face, barycentric=barycentric, confidence=confidence)
    carrier = PointCarrier(ball, ball, to_source)
    around = (ball.faces == vertex).any(axis=1)
    np.testing.assert_array_equal(carrier.torn, around)
    rows = np.flatnonzero(around)
    middle = np.full((len(rows), 3), 1 / 3, np.float32)
    there, weights = carrier.carry(rows, middle)
    away = np.linalg.norm(positions(ball, there, weights) - positions(ball, rows, middle), axis=1)
    assert away.max() < 0.2  # the size of a triangle, not of the body
    assert (carrier.confidence(rows, middle) == 0).all()
    assert not PointCarrier(ball, ball, to_source, CarrierSettings(torn_stretch=1000)).torn.any()


def test_a_map_of_other_meshes_is_refused(ball: Snapshot) -> None:
    match = known_map(ball, ball)
    check_match(ball, ball, match)
    for source, target in ((shapes.sphere(8, 4), ball), (ball, shapes.sphere(8, 4))):
        with pytest.raises(InputError) as failure:
            check_match(source, target, match)
        assert failure.value.code == "map-other-mesh"
