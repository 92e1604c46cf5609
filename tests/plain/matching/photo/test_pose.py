"""From which side a picture shows a surface, and points between its vertices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers import shapes
from helpers.surfaces import described
from meshkin.data.photo_map import PhotoMap
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import frame, ring_directions
from meshkin.features.ray_casting import cast_passes
from meshkin.geometry.closest_points import closest_points
from meshkin.matching.photo.cell_matching import match_cells
from meshkin.matching.photo.pose import rank_poses
from meshkin.matching.photo.settings import CellMatchSettings, DisplacementSettings
from meshkin.matching.photo.shown_surface import FramedObject, ShownViews
from meshkin.transfer.texture.photo_placement import place_in_photo

CELLS = 96


def creature() -> Snapshot:
    """A long body that is its own mirror image in x, with a head at -Y."""
    ball = shapes.sphere(40, 24)
    x, y, z = ball.vertices.T
    height = 0.5 * z + 0.6 * np.clip(-y - 0.5, 0, None)
    return shapes.snapshot(np.column_stack((0.4 * x, 1.2 * y, height)).astype(np.float32), ball.faces)


def picture(
    shape: Snapshot, features: NDArray[np.float32], azimuth: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
    """What a camera at an elevation of 10 degrees sees: features (n, n, C), where, and the direction toward it."""
    x, y, z = ring_directions([(10, 1)])[0]
    turn = np.radians(azimuth)
    direction = np.array((x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn), z))
    views = frame(shape.vertices, direction[None], CELLS)
    face = cast_passes(shape, views).face
    assert face is not None
    shares = views.barycentric(0, shape.vertices[shape.faces], face[0])
    grid = np.zeros((CELLS, CELLS, features.shape[1]), np.float32)
    grid[face[0] >= 0] = np.einsum("pk,pkc->pc", shares, features[shape.faces[face[0][face[0] >= 0]]])
    return grid, face[0] >= 0, direction


def both_ways(grid: NDArray[np.float32], inside: NDArray[np.bool_]) -> list[FramedObject]:
    return [FramedObject(grid[:, ::step], inside[:, ::step]) for step in (1, -1)]


@pytest.mark.parametrize("azimuth", [0, 90, 135, 315])
def test_the_side_is_found_although_left_and_right_look_alike(azimuth: int) -> None:
    shape = creature()
    features = shapes.smooth_features(shape.vertices * (0, 1, 1))  # nothing tells left from right
    grid, inside, direction = picture(shape, features, azimuth + 5)
    noise = np.random.default_rng(azimuth).normal(0, 0.1, grid.shape).astype(np.float32)
    surface = described(shape, features)
    best, other = rank_poses(both_ways(np.asarray(grid + noise, np.float32), inside), surface)
    assert best.direction @ direction > np.cos(np.radians(4))
    assert not best.is_mirrored
    assert best.score >= other.score
    assert other.is_mirrored or best.direction @ other.direction < 0.51
    photo = FramedObject(grid, inside)
    shown = best.view.project(0, shape.vertices)[0] / best.view.resolution
    assert np.abs(shown.min(axis=0) - photo.places.min(axis=0)).max() < 0.03
    assert np.abs(shown.max(axis=0) - photo.places.max(axis=0)).max() < 0.03


def test_a_mirrored_picture_of_what_is_not_symmetric_is_told() -> None:
    shape = creature()
    hump = np.clip(shape.vertices[:, :1] - 0.15, 0, None) * np.clip(shape.vertices[:, 2:] + 0.2, 0, None)
    shape = shapes.snapshot((shape.vertices + 3 * hump * (1, 0, 1)).astype(np.float32), shape.faces)
    features = shapes.smooth_features(shape.vertices)
    surface = described(shape, features)
    grid, inside, _ = picture(shape, features, 20)
    assert not rank_poses(both_ways(grid, inside), surface)[0].is_mirrored
    assert rank_poses(both_ways(grid[:, ::-1], inside[:, ::-1]), surface)[0].is_mirrored


def test_points_are_finer_than_vertices() -> None:
    shape = shapes.bumpy(shapes.sphere(40, 20))
    features = shapes.smooth_features(shape.vertices)
    grid, inside, direction = picture(shape, features, 30)
    truth, _, _ = picture(shape, shape.vertices.astype(np.float32), 30)
    view = frame(shape.vertices, direction[None], CELLS)
    match = match_cells(FramedObject(grid, inside), described(shape, features), view)
    of_vertex = np.linalg.norm(shape.vertices[match.vertex] - truth[inside], axis=1)
    of_point = np.linalg.norm(match.points - truth[inside], axis=1)
    assert np.median(of_point) < 0.3 * np.median(of_vertex)


def test_a_head_that_is_turned_is_found_where_it_is() -> None:
    """The photograph's neck is bent down: its cells lie elsewhere than in the view, and neighbors go together."""
    shape = creature()
    features = shapes.smooth_features(shape.vertices)
    noise = np.random.default_rng(0).normal(0, 0.4, (CELLS, CELLS, features.shape[1]))
    x, y, z = shape.vertices.T
    bent = shapes.snapshot(np.column_stack((x, y, z - 0.5 * np.clip(-y - 0.4, 0, None))), shape.faces)
    grid, inside, direction = picture(bent, features, 90)
    truth, _, _ = picture(bent, shape.vertices.astype(np.float32), 90)
    photo = FramedObject(np.asarray(grid + noise, np.float32), inside)
    view = frame(shape.vertices, direction[None], CELLS)
    match = match_cells(photo, described(shape, features), view)
    stiff = replace(CellMatchSettings(), displacement=DisplacementSettings(reach=0))
    unmoved = match_cells(photo, described(shape, features), view, settings=stiff)
    head = truth[inside][:, 1] < -0.8
    errors = [np.linalg.norm(each.points - truth[inside], axis=1)[head] for each in (match, unmoved)]
    assert np.median(errors[0]) < 0.5 * np.median(errors[1])


def test_two_parts_that_touch_nowhere_do_not_share_a_point() -> None:
    """Two equal sheets, one before the other: the mean of both would lie between them, on neither."""
    places, faces = shapes.sheet(12)
    half = places[:, 0] < np.median(places[:, 0])
    behind = places + np.where(half, 0.0, 0.3)[:, None] * (0, 0, 1) - np.array((0, 0, 0.15))
    pair = shapes.snapshot(*shapes.joined((places, faces), (behind, faces)))
    features = shapes.smooth_features(pair.vertices * (1, 1, 0))
    view = frame(pair.vertices, np.array([[0.0, 0.2, 1.0]]) / np.hypot(0.2, 1), CELLS)
    shown = ShownViews(described(pair, features)).show(view)
    match = match_cells(shown.picture, described(pair, features), view)
    assert np.sqrt(closest_points(match.points, pair.vertices, pair.faces).square.max()) < 0.02


def test_a_mirrored_photo_shows_as_much_of_the_surface() -> None:
    """The map of a photo that was matched as its mirror image, and where that shows each vertex."""
    shape = creature()
    _, inside, direction = picture(shape, shapes.smooth_features(shape.vertices), 20)
    views = frame(shape.vertices, direction[None], CELLS)
    face = cast_passes(shape, views).face
    assert face is not None
    barycentric = np.zeros((CELLS, CELLS, 3), np.float32)
    barycentric[inside] = views.barycentric(0, shape.vertices[shape.faces], face[0])
    points = np.column_stack((shape.vertices.astype(np.float64), np.ones(len(shape.vertices))))
    camera = np.asarray(np.linalg.lstsq(points, views.project(0, shape.vertices)[0], rcond=None)[0], np.float64)
    plain = PhotoMap(
        mask=inside,
        face=face[0],
        barycentric=barycentric,
        confidence=inside.astype(np.float32),
        faces=shape.faces,
        camera=camera,
        photo=np.zeros((CELLS, CELLS, 3), np.uint8),
        poses=np.array([(*direction, 0, 0.9), (*-direction, 0, 0.5)]),
    )
    mirrored = PhotoMap(
        mask=inside[:, ::-1],
        face=face[0][:, ::-1],
        barycentric=barycentric[:, ::-1],
        confidence=plain.confidence[:, ::-1],
        faces=shape.faces,
        camera=camera * (-1, 1) + np.outer((0, 0, 0, 1), (CELLS, 0)),
        photo=plain.photo,
        poses=plain.poses + np.array((0, 0, 0, 1, 0)),
    )
    for photo_map in (plain, mirrored):
        assert photo_map.view_direction @ direction < 0
    one, two = (place_in_photo(photo_map, shape) for photo_map in (plain, mirrored))
    assert one.seen.mean() > 0.3
    assert (one.seen == two.seen).mean() > 0.98
    both = one.seen & two.seen
    np.testing.assert_allclose(one.positions[both, 0], CELLS - two.positions[both, 0], atol=1.5)
