"""A map made more precise by laying one surface onto the other."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import shapes
from helpers.figures import Figure
from meshkin.base.errors import Cancelled
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import SurfaceMap
from meshkin.geometry.closest_points import closest_points
from meshkin.matching.registration import Mesh, RegistrationSettings, register

Array = shapes.Array


def mesh_of(shape: Snapshot) -> Mesh:
    return shape.vertices.astype(np.float64), shape.faces


def map_to_nearest(points: Array, vertices: Array, faces: Array, confidence: float = 0.8) -> SurfaceMap:
    """The map of points to the nearest points of a surface."""
    closest = closest_points(points, vertices, faces)
    return SurfaceMap.at_points(closest.face, closest.barycentric, np.full(len(points), confidence), vertices, faces)


def test_limbs_that_come_out_too_short_reach_their_ends() -> None:
    """Arms that the map draws toward the body by up to a tenth of its height, as smooth functions do."""
    figure = Figure(arms=70)
    source, target = figure.body(60), figure.body(45, 0.4)
    surface = mesh_of(source)
    true = target.vertices.astype(np.float64)
    reach = np.clip((np.abs(true[:, 0]) - 0.2) / 0.3, 0, 1)[:, None]
    elbow = np.array([0.3, 0, 0.74]) * np.sign(true[:, :1]) ** [1, 0, 0]
    short = map_to_nearest(true + 0.4 * reach * (elbow - true), *surface)
    short.confidence[:] = 0.9 - 0.7 * reach[:, 0]
    registered = register((true, target.faces), surface, short)
    before, after = (np.linalg.norm(each.pull(*surface) - true, axis=1) for each in (short, registered))
    is_hand = reach[:, 0] > 0.5
    assert before[is_hand].mean() > 0.03
    assert after[is_hand].mean() < 0.4 * before[is_hand].mean()
    assert after.mean() < 0.6 * before.mean()  # what is left is mostly how far apart the two meshes of one body lie
    np.testing.assert_array_equal(registered.confidence, short.confidence)
    np.testing.assert_allclose(registered.barycentric.sum(axis=1), 1, atol=1e-6)
    assert (registered.vertex[:, None] == source.faces[registered.face]).any(axis=1).all()


def test_what_nothing_is_known_of_keeps_its_map() -> None:
    """Vertices without features, a loose vertex; a tail that the source has not hinders nobody."""
    figure = Figure()
    source, body = figure.body(45), figure.body(40, 0.3)
    surface = mesh_of(source)
    ball = shapes.sphere(10, 8)
    tail = 0.1 * ball.vertices + (0, 0.9, 0.5)
    vertices = np.concatenate((body.vertices, tail, [[0, 0, 3]])).astype(np.float64)
    faces = np.concatenate((body.faces, ball.faces + len(body.vertices)))
    original = map_to_nearest(vertices, *surface)
    is_unknown = np.arange(len(vertices)) % 7 == 0
    original.confidence[is_unknown] = 0
    registered = register((vertices, faces), surface, original)
    is_kept = is_unknown | (np.arange(len(vertices)) == len(vertices) - 1)
    for field in ("face", "barycentric", "vertex"):
        np.testing.assert_array_equal(getattr(registered, field)[is_kept], getattr(original, field)[is_kept])
    assert np.linalg.norm(registered.pull(*surface) - vertices, axis=1)[: len(body.vertices)].max() < 0.03


def test_a_coarser_mesh_is_laid_on_in_place_of_a_large_one() -> None:
    figure = Figure()
    source, target = mesh_of(figure.body(45)), mesh_of(figure.body(60, 0.3))
    original = map_to_nearest(0.95 * target[0] + (0, 0, 0.02), *source)
    whole = register(target, source, original).pull(*source)
    coarse = register(target, source, original, settings=RegistrationSettings(most_vertices=1000)).pull(*source)
    assert np.linalg.norm(coarse - whole, axis=1).mean() < 0.01


def test_it_can_be_cancelled() -> None:
    body = mesh_of(Figure().body(30))

    def stop(stage: str, fraction: float) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        register(body, body, map_to_nearest(body[0], *body), stop)
