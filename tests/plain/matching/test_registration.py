"""A map made finer by laying one surface onto the other."""

from __future__ import annotations

import igl
import numpy as np
import pytest

from helpers import shapes
from helpers.figures import Figure
from meshkin.base.errors import Cancelled
from meshkin.data.surface_map import SurfaceMap
from meshkin.matching.registration import RegistrationSettings, register

Array = shapes.Array


def nearest(points: Array, vertices: Array, faces: Array, confidence: float = 0.8) -> SurfaceMap:
    _, face, at = igl.point_mesh_squared_distance(points, vertices.astype(np.float64), faces.astype(np.int64))
    corners = [np.ascontiguousarray(vertices.astype(np.float64)[faces[face, k]]) for k in range(3)]
    shares = np.clip(igl.barycentric_coordinates(at, *corners), 0, 1).astype(np.float32)
    vertex = np.take_along_axis(faces[face], shares.argmax(axis=1)[:, None], axis=1)[:, 0]
    return SurfaceMap(face.astype(np.int32), shares, vertex, np.full(len(points), confidence, np.float32))


def test_limbs_that_come_out_too_short_reach_their_ends() -> None:
    """Arms that the map draws toward the body by up to a tenth of its height, as smooth functions do."""
    figure = Figure(arms=70)
    source, target = figure.body(60), figure.body(45, 0.4)
    surface = source.vertices.astype(np.float64), source.faces
    true = target.vertices.astype(np.float64)
    reach = np.clip((np.abs(true[:, 0]) - 0.2) / 0.3, 0, 1)[:, None]
    elbow = np.array([0.3, 0, 0.74]) * np.sign(true[:, :1]) ** [1, 0, 0]
    found = nearest(true + 0.4 * reach * (elbow - true), *surface)
    found.confidence[:] = 0.9 - 0.7 * reach[:, 0]
    finer = register((true, target.faces), surface, found)
    before, after = (np.linalg.norm(one.pull(*surface) - true, axis=1) for one in (found, finer))
    hands = reach[:, 0] > 0.5
    assert before[hands].mean() > 0.03
    assert after[hands].mean() < 0.4 * before[hands].mean()
    assert after.mean() < 0.6 * before.mean()  # what is left is mostly how far apart the two meshes of one body lie
    np.testing.assert_array_equal(finer.confidence, found.confidence)
    np.testing.assert_allclose(finer.barycentric.sum(axis=1), 1, atol=1e-6)
    assert (finer.vertex[:, None] == source.faces[finer.face]).any(axis=1).all()


def test_what_nothing_is_known_of_keeps_its_map() -> None:
    """Vertices without features, a loose vertex; a tail that the source has not hinders nobody."""
    figure = Figure()
    source, body = figure.body(45), figure.body(40, 0.3)
    surface = source.vertices.astype(np.float64), source.faces
    ball = shapes.sphere(10, 8)
    tail = 0.1 * ball.vertices + (0, 0.9, 0.5)
    vertices = np.concatenate((body.vertices, tail, [[0, 0, 3]])).astype(np.float64)
    faces = np.concatenate((body.faces, ball.faces + len(body.vertices)))
    found = nearest(vertices, *surface)
    unknown = np.arange(len(vertices)) % 7 == 0
    found.confidence[unknown] = 0
    finer = register((vertices, faces), surface, found)
    kept = unknown | (np.arange(len(vertices)) == len(vertices) - 1)
    for field in ("face", "barycentric", "vertex"):
        np.testing.assert_array_equal(getattr(finer, field)[kept], getattr(found, field)[kept])
    assert np.linalg.norm(finer.pull(*surface) - vertices, axis=1)[: len(body.vertices)].max() < 0.03


def test_a_coarser_mesh_is_laid_on_in_place_of_a_large_one() -> None:
    figure = Figure()
    source, target = figure.body(45), figure.body(60, 0.3)
    ends = tuple((one.vertices.astype(np.float64), one.faces) for one in (target, source))
    found = nearest(0.95 * ends[0][0] + (0, 0, 0.02), *ends[1])
    whole = register(*ends, found).pull(*ends[1])
    coarse = register(*ends, found, settings=RegistrationSettings(most_vertices=1000)).pull(*ends[1])
    assert np.linalg.norm(coarse - whole, axis=1).mean() < 0.01


def test_it_can_be_cancelled() -> None:
    body = Figure().body(30)
    end = body.vertices.astype(np.float64), body.faces

    def stop(stage: str, fraction: float) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        register(end, end, nearest(end[0], *end), stop)
