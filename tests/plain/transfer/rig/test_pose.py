"""A target brought into a source's pose through their map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from helpers.shapes import grid, snapshot
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import SurfaceMap
from meshkin.transfer.rig.pose import pose, stretch

Array = NDArray[Any]


def beam(columns: int, rows: int, length: float = 4.0) -> tuple[Array, Array]:
    """A closed tube along X of radius 0.3: vertices and triangles."""
    points, faces = grid(columns, rows)
    x, angle = (points[:, 0] - 0.5) * length, points[:, 1] * 2 * np.pi
    vertices = np.stack([x, 0.3 * np.cos(angle), 0.3 * np.sin(angle)], axis=1)
    seam = np.arange(len(points)).reshape(columns + 1, rows + 1)
    seam[:, -1] = seam[:, 0]
    return vertices, seam.ravel()[faces][:, ::-1]


def bent(points: Array, angle: float, length: float = 4.0) -> Array:
    """The beam rolled up into an arc of so many radians in the XZ plane, its middle line as long as it was."""
    radius = length / angle
    turn, out = points[:, 0] / radius, radius - points[:, 2]
    return np.stack([out * np.sin(turn), points[:, 1], radius - out * np.cos(turn)], axis=1)


def at_vertices(count: int, faces: Array, confidence: Array | float = 1.0) -> SurfaceMap:
    """Every vertex's kin is the vertex of the same number."""
    corner = np.zeros(count, np.int64)
    corner[faces.ravel()] = np.arange(faces.size)
    return SurfaceMap(
        (corner // 3).astype(np.int32),
        np.eye(3, dtype=np.float32)[corner % 3],
        np.arange(count, dtype=np.int32),
        np.broadcast_to(np.float32(confidence), count).copy(),
    )


def off(found: Array, true: Array) -> Array:
    """How far each point is from the truth, once both lie over each other."""
    one, two = found - found.mean(axis=0), true - true.mean(axis=0)
    turn, _ = Rotation.align_vectors(two, one)
    distances: Array = np.linalg.norm(turn.apply(one) - two, axis=1)
    return distances


def bending(angle: float, size: float = 1.0, stray: float = 0.0) -> tuple[Snapshot, Snapshot, Array]:
    """A bent source, ``size`` times as large and turned away, a straight target, and the target truly bent."""
    vertices, faces = beam(60, 20)
    away = Rotation.from_euler("xyz", (20, -30, 140), degrees=True)
    places = away.apply(size * bent(vertices, angle)) + np.array((3, 4, 5))
    places += stray * np.random.default_rng(0).normal(size=places.shape)
    used = np.unique(faces)
    number = np.full(len(vertices), -1)
    number[used] = np.arange(len(used))
    faces = number[faces]
    true = away.apply(bent(vertices, angle))[used]
    return snapshot(places[used], faces), snapshot(vertices[used], faces), true


@pytest.mark.parametrize(("angle", "size"), [(0.01, 1.0), (1.5, 1.0), (3.0, 1.0), (1.5, 2.5), (1.5, 0.1)])
def test_a_bent_beam(angle: float, size: float) -> None:
    source, target, true = bending(angle, size)
    found = pose(source, target, at_vertices(len(true), target.faces))
    assert off(found.vertices, true).max() < 0.04 * 4  # of its length
    assert off(target.vertices, true).max() > 0.2 * angle
    assert found.stretch < 0.05
    turned = found.vertices - found.vertices.mean(axis=0) - true + true.mean(axis=0)
    assert np.abs(turned).max() < 0.2  # as the source is turned in the world
    rest = target.vertices
    assert found.vertices[:, 2].min() == pytest.approx(rest[:, 2].min(), abs=1e-5)
    middles = [(points.min(axis=0) + points.max(axis=0)) / 2 for points in (found.vertices, rest)]
    np.testing.assert_allclose(middles[0][:2], middles[1][:2], atol=1e-5)


def test_vertices_without_confidence_go_with_the_others() -> None:
    source, target, true = bending(1.5)
    confidence = np.where(np.abs(target.vertices[:, 0]) < 1.3, 1.0, 0.0)
    source.vertices[confidence == 0] = 100.0  # nothing there is to be followed
    found = pose(source, target, at_vertices(len(true), target.faces, confidence))
    middle = confidence > 0
    assert off(found.vertices[middle], true[middle]).max() < 0.1
    assert off(found.vertices, true).max() < 0.4  # the ends go on straight
    assert found.stretch < 0.05
    assert not found.known[~middle].any()


def test_noise_and_strays_are_evened_out() -> None:
    source, target, true = bending(1.5, stray=0.05)
    source.vertices[::37] = source.vertices[0]
    found = pose(source, target, at_vertices(len(true), target.faces))
    assert np.quantile(off(found.vertices, true), 0.95) < 0.15
    assert found.stretch < 0.06


def test_a_longer_target_keeps_its_proportions() -> None:
    """Where the source is shorter, the pose comes over, not the length."""
    source, target, _ = bending(1.5)
    long = target.vertices * np.array((1.4, 1, 1), np.float32)
    found = pose(source, snapshot(long, target.faces), at_vertices(len(long), target.faces))
    assert found.stretch < 0.05
    assert off(found.vertices, bent(long.astype(np.float64), 1.5, 5.6)).max() < 0.15


def test_loose_parts_follow_what_they_lie_on() -> None:
    """A button at an end that the source does not have, and whose match means nothing."""
    source, target, _ = bending(1.5)
    button = 0.02 * np.random.default_rng(1).normal(size=(12, 3)) + (1.9, 0, 0.36)
    ring = np.stack([np.arange(12), np.roll(np.arange(12), 1), np.roll(np.arange(12), 2)], axis=1)
    count = len(target.vertices)
    both = snapshot(np.concatenate((target.vertices, button)), np.concatenate((target.faces, ring + count)))
    one = at_vertices(count, target.faces)
    fields = {name: getattr(one, name) for name in SurfaceMap.__dataclass_fields__}
    stray = {name: np.repeat(values[:1], 12, axis=0) for name, values in fields.items()}
    stray["confidence"][:] = 0
    joined = SurfaceMap(**{name: np.concatenate((fields[name], stray[name])) for name in fields})
    found = pose(source, both, joined).vertices.astype(np.float64)
    nearest = np.linalg.norm(both.vertices[:count] - button.mean(axis=0), axis=1).argsort()[:30]
    middle, place = both.vertices[nearest].mean(axis=0), found[nearest].mean(axis=0)
    turn, _ = Rotation.align_vectors(found[nearest] - place, both.vertices[nearest] - middle)
    expected = turn.apply(button - middle) + place
    assert np.linalg.norm(found[count:] - expected, axis=1).max() < 0.03


def test_the_pose_it_has_already() -> None:
    _, target, _ = bending(1.0)
    found = pose(target, target, at_vertices(len(target.vertices), target.faces))
    np.testing.assert_allclose(found.vertices, target.vertices, atol=1e-3)


def test_nothing_is_sure_and_broken_meshes() -> None:
    """No confidence at all, faces without an area, vertices without a face: finite, and nothing is torn."""
    source, target, true = bending(1.5)
    faces = np.concatenate((target.faces, target.faces[:5, [0, 0, 1]]))
    count = len(true)
    lonely = snapshot(np.concatenate((target.vertices, [(0, 0, 1.0)])), faces)
    one = at_vertices(count, target.faces, 0.0)
    fields = {name: getattr(one, name) for name in SurfaceMap.__dataclass_fields__}
    joined = SurfaceMap(**{name: np.concatenate((values, values[:1])) for name, values in fields.items()})
    found = pose(source, lonely, joined)
    assert np.isfinite(found.vertices).all()
    assert off(found.vertices[:-1], true).max() < 0.15
    assert stretch(lonely.vertices, found.vertices, faces) < 0.08
