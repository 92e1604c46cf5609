"""A target brought into a source's pose through their map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from helpers.maps import vertex_map
from helpers.shapes import grid, snapshot
from meshkin.data.snapshot import Snapshot
from meshkin.transfer.rig.pose import mean_stretch, transfer_pose

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


def off(points: Array, true: Array) -> Array:
    """How far each point is from the truth, once both lie over each other."""
    centered, goals = points - points.mean(axis=0), true - true.mean(axis=0)
    turn, _ = Rotation.align_vectors(goals, centered)
    distances: Array = np.linalg.norm(turn.apply(centered) - goals, axis=1)
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
    posed = transfer_pose(source, target, vertex_map(np.arange(len(true)), target.faces))
    assert off(posed.vertices, true).max() < 0.04 * 4  # of its length
    assert off(target.vertices, true).max() > 0.2 * angle
    assert posed.stretch < 0.05
    turned = posed.vertices - posed.vertices.mean(axis=0) - true + true.mean(axis=0)
    assert np.abs(turned).max() < 0.2  # as the source is turned in the world
    rest = target.vertices
    assert posed.vertices[:, 2].min() == pytest.approx(rest[:, 2].min(), abs=1e-5)
    middles = [(points.min(axis=0) + points.max(axis=0)) / 2 for points in (posed.vertices, rest)]
    np.testing.assert_allclose(middles[0][:2], middles[1][:2], atol=1e-5)


def test_vertices_without_confidence_go_with_the_others() -> None:
    source, target, true = bending(1.5)
    confidence = np.where(np.abs(target.vertices[:, 0]) < 1.3, 1.0, 0.0)
    source.vertices[confidence == 0] = 100.0  # nothing there is to be followed
    posed = transfer_pose(source, target, vertex_map(np.arange(len(true)), target.faces, confidence))
    middle = confidence > 0
    assert off(posed.vertices[middle], true[middle]).max() < 0.1
    assert off(posed.vertices, true).max() < 0.4  # the ends go on straight
    assert posed.stretch < 0.05
    assert not posed.known[~middle].any()


def test_noise_and_strays_are_evened_out() -> None:
    source, target, true = bending(1.5, stray=0.05)
    source.vertices[::37] = source.vertices[0]
    posed = transfer_pose(source, target, vertex_map(np.arange(len(true)), target.faces))
    assert np.quantile(off(posed.vertices, true), 0.95) < 0.15
    assert posed.stretch < 0.06


def test_a_longer_target_keeps_its_proportions() -> None:
    """Where the source is shorter, the pose comes over, not the length."""
    source, target, _ = bending(1.5)
    long = target.vertices * np.array((1.4, 1, 1), np.float32)
    posed = transfer_pose(source, snapshot(long, target.faces), vertex_map(np.arange(len(long)), target.faces))
    assert posed.stretch < 0.05
    assert off(posed.vertices, bent(long.astype(np.float64), 1.5, 5.6)).max() < 0.15


def test_loose_parts_follow_what_they_lie_on() -> None:
    """A button at an end that the source does not have, and whose match means nothing."""
    source, target, _ = bending(1.5)
    button = 0.02 * np.random.default_rng(1).normal(size=(12, 3)) + (1.9, 0, 0.36)
    ring = np.stack([np.arange(12), np.roll(np.arange(12), 1), np.roll(np.arange(12), 2)], axis=1)
    count = len(target.vertices)
    both = snapshot(np.concatenate((target.vertices, button)), np.concatenate((target.faces, ring + count)))
    vertex = np.concatenate((np.arange(count), np.zeros(12, np.int64)))
    to_source = vertex_map(vertex, target.faces, np.arange(count + 12) < count)
    posed = transfer_pose(source, both, to_source).vertices.astype(np.float64)
    nearest = np.linalg.norm(both.vertices[:count] - button.mean(axis=0), axis=1).argsort()[:30]
    middle, place = both.vertices[nearest].mean(axis=0), posed[nearest].mean(axis=0)
    turn, _ = Rotation.align_vectors(posed[nearest] - place, both.vertices[nearest] - middle)
    expected = turn.apply(button - middle) + place
    assert np.linalg.norm(posed[count:] - expected, axis=1).max() < 0.03


def test_the_pose_it_has_already() -> None:
    _, target, _ = bending(1.0)
    posed = transfer_pose(target, target, vertex_map(np.arange(len(target.vertices)), target.faces))
    np.testing.assert_allclose(posed.vertices, target.vertices, atol=1e-3)


def test_nothing_is_sure_and_broken_meshes() -> None:
    """No confidence at all, faces without an area, vertices without a face: finite, and nothing is torn."""
    source, target, true = bending(1.5)
    faces = np.concatenate((target.faces, target.faces[:5, [0, 0, 1]]))
    count = len(true)
    lonely = snapshot(np.concatenate((target.vertices, [(0, 0, 1.0)])), faces)
    to_source = vertex_map(np.append(np.arange(count), 0), target.faces, 0.0)
    posed = transfer_pose(source, lonely, to_source)
    assert np.isfinite(posed.vertices).all()
    assert off(posed.vertices[:-1], true).max() < 0.15
    assert mean_stretch(lonely.vertices, posed.vertices, faces) < 0.08
