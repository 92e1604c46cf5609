"""A head on a neck is found, and laid closely on another one."""

from __future__ import annotations

import numpy as np

from helpers.maps import vertex_map
from helpers.shapes import Array, snapshot, sphere
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import SurfaceMap
from meshkin.geometry.closest_points import closest_points
from meshkin.matching.close_up_part import necked_parts
from meshkin.matching.close_up_partners import Mesh
from meshkin.matching.close_ups import with_close_ups


def snowman(columns: int, rows: int) -> tuple[Snapshot, Array]:
    """A body with a head that has a nose and two bumps, and 1 for each vertex of the head, else 0 (V,)."""
    ball = sphere(columns, rows)
    height = ball.vertices[:, 2].astype(np.float64)
    angle = np.arctan2(ball.vertices[:, 1], ball.vertices[:, 0])
    along = np.arccos(np.clip(-height, -1, 1)) / np.pi  # 0 at the foot, 1 at the crown
    body, head = along < 0.62, along >= 0.62
    local = np.where(body, along / 0.62, (along - 0.62) / 0.38)
    radius = np.where(body, np.sin(np.pi * (0.04 + 0.88 * local) * (local > 0)), 0.0)
    radius += np.where(head, 0.5 * np.sin(np.pi * np.clip(0.16 + 0.84 * local, 0, 1)), 0.0)
    level = np.where(body, -1.2 * np.cos(np.pi * local), 1.55 - 0.55 * np.cos(np.pi * (0.1 + 0.9 * local)))

    def bump(at: float, up: float, size: float, wide: float) -> Array:
        return size * np.exp(-((angle - at) ** 2 + 9 * (local - up) ** 2) / wide**2) * head

    radius = radius + bump(0.0, 0.5, 0.2, 0.25) + bump(0.9, 0.6, 0.1, 0.3) + bump(-1.1, 0.35, 0.12, 0.3)
    places = np.stack([radius * np.cos(angle), radius * np.sin(angle), level], axis=1)
    return snapshot(places, ball.faces), np.where(head, 1.0, 0.0)


def mesh_of(shape: Snapshot) -> Mesh:
    return shape.vertices.astype(np.float64), shape.faces


def rough(domain: Mesh, surface: Mesh) -> SurfaceMap:
    """A map that is off by up to a tenth of the body's width, smoothly."""
    points = domain[0]
    off = 0.08 * np.stack([np.sin(3 * points[:, 2]), np.cos(4 * points[:, 0]), np.sin(5 * points[:, 1] + 1)], axis=1)
    near = closest_points(points + off, *surface)
    return SurfaceMap.at_points(near.face, near.barycentric, np.full(len(points), 0.8), *surface)


def test_the_head_is_found_at_the_neck() -> None:
    shape, is_head = snowman(60, 90)
    part = necked_parts(*mesh_of(shape))[0]
    assert ((part.distance < 1) == (is_head > 0)).mean() > 0.9


def test_a_ball_has_no_head() -> None:
    assert necked_parts(*mesh_of(sphere())) == []


def test_a_head_is_laid_on_closely() -> None:
    """Between two meshes of one surface, a map that was off finds the nose; the body's map stays as it is."""
    (source, _), (target, is_head) = snowman(60, 90), snowman(44, 70)
    meshes = mesh_of(source), mesh_of(target)
    before = rough(meshes[1], meshes[0]), rough(meshes[0], meshes[1])
    after = with_close_ups(*meshes, *before)
    errors = [np.linalg.norm(found.pull(*meshes[0]) - target.vertices, axis=1) for found in (before[0], after[0])]
    inside = is_head > 0
    assert errors[1][inside].mean() < 0.4 * errors[0][inside].mean()
    low = target.vertices[:, 2] < 0
    np.testing.assert_array_equal(after[0].face[low], before[0].face[low])
    there = np.linalg.norm(after[1].pull(*meshes[1]) - source.vertices, axis=1)
    was = np.linalg.norm(before[1].pull(*meshes[1]) - source.vertices, axis=1)
    assert there[source.vertices[:, 2] > 1.2].mean() < 0.5 * was[source.vertices[:, 2] > 1.2].mean()


def test_a_map_that_is_no_motion_of_the_head_stays() -> None:
    """A head whose vertices are sent anywhere is not laid on."""
    shape, _ = snowman(44, 70)
    mesh = mesh_of(shape)
    anywhere = vertex_map(np.random.default_rng(0).permutation(len(shape.vertices)), shape.faces)
    found, _ = with_close_ups(mesh, mesh, anywhere, anywhere)
    assert found is anywhere
