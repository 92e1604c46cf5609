"""A shape that follows the normals of its views: it finds known bumps, and stays as it is where nothing is new."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from helpers.shapes import sphere
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import Views
from meshkin.features.ray_casting import cast_passes
from meshkin.geometry.mesh import vertex_normals
from meshkin.paint.cameras import rig
from meshkin.paint.shaping import follow_normals

BALL = sphere(32, 16)
HEIGHT = 0.06
"""Of the bumps, in radii."""


def bumps() -> tuple[Snapshot, np.ndarray]:
    """The ball with bumps, and how far they move each vertex."""
    points = BALL.vertices.astype(np.float64)
    place = points / np.linalg.norm(points, axis=1).mean()
    height = np.sin(4 * place[:, 0]) * np.cos(3 * place[:, 2] + 1) + 0.7 * np.sin(5 * place[:, 1] + 2)
    offsets = HEIGHT * np.linalg.norm(points, axis=1).mean() * height[:, None] * place
    return with_vertices(points + offsets), offsets


def with_vertices(points: np.ndarray) -> Snapshot:
    """The ball with other vertices, shaded smoothly."""
    normals = vertex_normals(points, BALL.faces)[BALL.faces].astype(np.float32)
    return replace(BALL, vertices=points.astype(np.float32), normals=normals)


@lru_cache(maxsize=1)
def smooth() -> Snapshot:
    """The ball, shaded smoothly."""
    return with_vertices(BALL.vertices.astype(np.float64))


@lru_cache(maxsize=1)
def cameras() -> Views:
    return rig(BALL, 8, 96)


def normals_of(shape: Snapshot) -> np.ndarray:
    """What the cameras of the ball see of a shape."""
    return cast_passes(shape, cameras()).normal.astype(np.float32)


def seen() -> np.ndarray:
    """Which vertices some camera sees."""
    face = cast_passes(BALL, cameras()).face
    assert face is not None
    found = np.zeros(len(BALL.vertices), bool)
    found[BALL.faces[np.unique(face[face >= 0])]] = True
    return found


def test_it_returns_to_a_shape_whose_normals_it_sees() -> None:
    shape, offsets = bumps()
    found = follow_normals(smooth(), cameras(), normals_of(shape))
    assert found.accepted == 10
    assert found.turned == 0
    shown = seen()
    left = np.linalg.norm(found.offsets - offsets, axis=1)[shown]
    whole = np.linalg.norm(offsets, axis=1)[shown]
    assert np.sqrt((left**2).mean()) < 0.45 * np.sqrt((whole**2).mean())
    outward = vertex_normals(BALL.vertices.astype(np.float64), BALL.faces)
    away = ((found.offsets - offsets) * outward).sum(axis=1)[shown]
    assert np.sqrt((away**2).mean()) < 0.35 * np.sqrt((whole**2).mean())


def test_it_stays_where_the_views_show_nothing_new() -> None:
    """Creases in the shading, too, are nothing new."""
    for shape in (smooth(), BALL):
        found = follow_normals(shape, cameras(), normals_of(shape))
        assert np.abs(found.offsets).max() < 1e-3 * np.ptp(BALL.vertices)


def test_views_that_show_something_else_do_not_count() -> None:
    shape, _ = bumps()
    normals = normals_of(shape)
    random = np.random.default_rng(0).normal(size=normals.shape).astype(np.float32)
    random /= np.linalg.norm(random, axis=-1, keepdims=True)
    mixed = np.where((np.arange(10) % 2 == 0)[:, None, None, None], normals, random)
    assert follow_normals(smooth(), cameras(), mixed).accepted == 5
    nothing = follow_normals(smooth(), cameras(), random)
    assert nothing.accepted == 0
    assert not nothing.offsets.any()


def test_parts_that_share_places_move_together() -> None:
    """Vertices that are split, at a seam or where colors change, stay together."""
    shape, _ = bumps()
    split = replace(
        smooth(),
        vertices=BALL.vertices[BALL.faces].reshape(-1, 3),
        faces=np.arange(3 * len(BALL.faces), dtype=np.int32).reshape(-1, 3),
    )
    whole = follow_normals(smooth(), cameras(), normals_of(shape)).offsets
    apart = follow_normals(split, cameras(), normals_of(shape)).offsets
    assert apart == pytest.approx(whole[BALL.faces].reshape(-1, 3), abs=1e-4)
