"""From which side a picture shows a surface, and points between its vertices."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers import shapes
from helpers.surfaces import described
from meshkin.data.photo_map import PhotoMap
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import frame, ring_directions
from meshkin.features.ray_casting import cast_passes
from meshkin.matching.photo.cell_matching import match_cells
from meshkin.matching.photo.pose import CellPicture, rank_poses, shrink
from meshkin.transfer.texture.photo_placement import place_in_photo

CELLS = 96


def creature() -> Snapshot:
    """A long body that is its own mirror image in x, with a head at -Y."""
    ball = shapes.sphere(60, 40)
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


def both_ways(grid: NDArray[np.float32], inside: NDArray[np.bool_]) -> list[CellPicture]:
    return [shrink(grid[:, ::step], inside[:, ::step], 32) for step in (1, -1)]


@pytest.mark.parametrize("azimuth", [0, 90, 135, 315])
def test_the_side_is_found_although_left_and_right_look_alike(azimuth: int) -> None:
    shape = creature()
    features = shapes.smooth_features(shape.vertices * (0, 1, 1))  # nothing tells left from right
    grid, inside, direction = picture(shape, features, azimuth + 5)
    noise = np.random.default_rng(azimuth).normal(0, 0.1, grid.shape).astype(np.float32)
    surface = described(shape, features)
    best, other = rank_poses(both_ways(np.asarray(grid + noise, np.float32), inside), surface)
    assert best.direction @ direction > np.cos(np.radians(30))
    assert not best.is_mirrored
    assert best.score >= other.score
    assert other.is_mirrored or best.direction @ other.direction < 0.51
    positions = (np.argwhere(inside)[:, ::-1] + 0.5) / CELLS
    shown = np.column_stack((shape.vertices.astype(np.float64), np.ones(len(shape.vertices)))) @ best.camera
    assert np.abs(shown.min(axis=0) - positions.min(axis=0)).max() < 0.12
    assert np.abs(shown.max(axis=0) - positions.max(axis=0)).max() < 0.12


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
    grid, inside, _ = picture(shape, features, 30)
    truth, _, _ = picture(shape, shape.vertices.astype(np.float32), 30)
    surface = described(shape, features)
    positions = (np.argwhere(inside)[:, ::-1] + 0.5) / CELLS
    match = match_cells(grid[inside], positions, surface)
    of_vertex = np.linalg.norm(shape.vertices[match.vertex] - truth[inside], axis=1)
    of_point = np.linalg.norm(match.points - truth[inside], axis=1)
    assert np.median(of_point) < 0.6 * np.median(of_vertex)


def test_two_parts_that_touch_nowhere_do_not_share_a_point() -> None:
    """Two equal sheets close to each other: the mean of both would lie between them, on neither."""
    places, faces = shapes.sheet(12)
    pair = shapes.snapshot(*shapes.joined((places, faces), (places + np.array((0, 0, 0.02)), faces)))
    vertices = pair.vertices
    features = shapes.smooth_features(vertices)
    wanted = np.arange(0, len(vertices), 3)
    match = match_cells(features[wanted], np.random.default_rng(0).random((len(wanted), 2)), described(pair, features))
    height = match.points[:, 2] - vertices[0, 2]
    np.testing.assert_allclose(np.minimum(np.abs(height), np.abs(height - 0.02)), 0, atol=1e-6)


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
