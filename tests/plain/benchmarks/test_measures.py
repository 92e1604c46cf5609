"""The benchmarks' error measures, against analytic answers."""

from __future__ import annotations

import numpy as np
import pytest

import measures
from helpers import shapes
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import SurfaceMap

SIZE = 100 / np.sqrt(4 * np.pi)
"""What a unit length is on the unit sphere, in hundredths of the square root of its area."""


@pytest.fixture(scope="module")
def ball() -> Snapshot:
    return shapes.sphere(64, 32)


def onto(shape: Snapshot, vertex: shapes.Array) -> SurfaceMap:
    """The map that takes the vertices of the domain to these vertices."""
    face_of = np.empty(len(shape.vertices), np.int32)
    face_of[shape.faces.ravel()] = np.repeat(np.arange(len(shape.faces)), 3)
    face = face_of[vertex]
    barycentric = (shape.faces[face] == vertex[:, None]).astype(np.float32)
    return SurfaceMap(face, barycentric, vertex.astype(np.int32), np.ones(len(vertex), np.float32))


def nearest_to(shape: Snapshot, places: shapes.Array) -> shapes.Array:
    return np.argmax(places @ shape.vertices.T, axis=1)


def test_geodesics_on_a_sphere(ball: Snapshot) -> None:
    distances = measures.geodesics(ball.vertices, ball.faces, np.array([0, 700]))
    truth = np.arccos(np.clip(ball.vertices[[0, 700]] @ ball.vertices.T, -1, 1)) * SIZE
    assert np.abs(distances - truth).max() < 0.05 * np.pi * SIZE
    larger = measures.geodesics(ball.vertices * 50, ball.faces, np.array([0]))
    np.testing.assert_allclose(larger[0], distances[0], atol=0.5)


def test_loose_parts_are_a_straight_line_apart(ball: Snapshot) -> None:
    count = len(ball.vertices)
    vertices = np.concatenate([ball.vertices, ball.vertices + np.array([5, 0, 0]), [[9, 9, 9]]])
    faces = np.concatenate([ball.faces, ball.faces + count])
    distances = measures.geodesics(vertices, faces, np.array([3, 2 * count]))
    straight = np.linalg.norm(vertices - vertices[3], axis=1) * SIZE / np.sqrt(2)
    np.testing.assert_allclose(distances[0, count:], straight[count:], rtol=0.01)
    assert distances[0, :count].max() > 1.2 * straight[:count].max()
    assert np.isfinite(distances).all()


def test_errors_and_sides(ball: Snapshot) -> None:
    truth = np.arange(len(ball.vertices))
    twin = nearest_to(ball, ball.vertices * (1, -1, 1))
    quarter = onto(ball, nearest_to(ball, ball.vertices[:, [1, 0, 2]] * (-1, 1, 1)))
    exact = measures.geodesic_errors(onto(ball, truth), truth, ball.vertices, ball.faces)
    np.testing.assert_allclose(exact, 0, atol=1e-4)
    assert measures.share_within(exact) == 1
    equator = np.abs(ball.vertices[:, 2]) < 0.01
    turned = measures.geodesic_errors(quarter, np.where(equator, truth, -1), ball.vertices, ball.faces)
    np.testing.assert_allclose(turned[equator], np.pi / 2 * SIZE, rtol=0.06)
    assert np.isnan(turned[~equator]).all()
    assert measures.share_within(turned) == 0
    distances = measures.geodesics(ball.vertices, ball.faces, truth)
    apart = distances[truth, twin]
    crossed = np.where(np.arange(len(truth)) % 4 == 0, twin, truth)
    errors, mirrored = (
        measures.geodesic_errors(onto(ball, crossed), right, ball.vertices, ball.faces, distances)
        for right in (truth, twin)
    )
    assert measures.share_on_wrong_side(errors, mirrored, apart) == pytest.approx(0.25, abs=0.02)
    assert measures.share_on_wrong_side(exact, apart, apart) == 0


def test_orientation_and_energy(ball: Snapshot) -> None:
    identity = onto(ball, np.arange(len(ball.vertices)))
    mirror = onto(ball, nearest_to(ball, ball.vertices * (1, -1, 1)))
    assert measures.orientation_share(identity, ball.faces, ball.vertices, ball.faces) == 1
    assert measures.orientation_share(mirror, ball.faces, ball.vertices, ball.faces) < 0.02
    for found in (identity, mirror):
        for scale in (1, 20):
            energy = measures.dirichlet_energy(found, ball.vertices, ball.faces, ball.vertices * scale, ball.faces)
            assert energy == pytest.approx(1, abs=0.05)
    torn = onto(ball, np.random.default_rng(0).permutation(len(ball.vertices)))
    assert measures.dirichlet_energy(torn, ball.vertices, ball.faces, ball.vertices, ball.faces) > 10


def test_psnr() -> None:
    truth = np.zeros((4, 4, 3))
    where = np.eye(4, dtype=bool)
    assert measures.psnr(truth + 0.1, truth, where) == pytest.approx(20)
    assert measures.psnr(truth, truth, where) == np.inf
