"""Joints moved with the surface around them."""

from __future__ import annotations

from dataclasses import replace

import igl
import numpy as np
from scipy.spatial.transform import Rotation

from helpers import shapes
from helpers.figures import Figure
from helpers.maps import vertex_map
from helpers.rest_skeletons import rest_skeleton
from meshkin.data.surface_map import SurfaceMap
from meshkin.transfer.rig.interior import move_inside
from meshkin.transfer.rig.joints import fit_joints
from meshkin.transfer.rig.limbs import check_joints

FIGURE = Figure()
BODY = FIGURE.body(50)


def test_joints_go_where_the_body_goes() -> None:
    """A taller, thinner, turned body: heads and tails follow exactly, rolls follow the turn."""
    skeleton = rest_skeleton(FIGURE)
    weights = FIGURE.weights(BODY.vertices.astype(np.float64))
    turn = Rotation.from_euler("z", 50, degrees=True)
    stretch = np.array((0.9, 0.9, 1.2))
    target = shapes.snapshot(turn.apply(BODY.vertices * stretch), BODY.faces)
    fitted = fit_joints(skeleton, weights, BODY, target, vertex_map(np.arange(len(BODY.vertices)), BODY.faces))
    np.testing.assert_allclose(fitted.heads, turn.apply(skeleton.heads * stretch), atol=2e-3)
    np.testing.assert_allclose(fitted.tails, turn.apply(skeleton.tails * stretch), atol=2e-3)
    assert not fitted.moved.any()
    along = fitted.tails - fitted.heads
    np.testing.assert_allclose(np.einsum("bd,bd->b", along, fitted.axes), 0, atol=1e-9)
    assert np.degrees(np.arccos(np.einsum("bd,bd->b", fitted.axes, turn.apply(skeleton.axes)))).max() < 12


def test_bones_lie_in_a_copy_as_in_the_source() -> None:
    """Also where they lie outside of the body, and one side is longer than the other."""
    figure = rest_skeleton(FIGURE)
    skeleton = replace(figure, tails=figure.tails + np.where(figure.tails[:, :1] > 0.05, (0.3, 0.1, 0), 0))
    weights = FIGURE.weights(BODY.vertices.astype(np.float64))
    turn = Rotation.from_euler("zx", (50, 20), degrees=True)
    target = shapes.snapshot(3 * turn.apply(BODY.vertices) + (1, 0, 2), BODY.faces)
    vertex_to_vertex = vertex_map(np.arange(len(BODY.vertices)), BODY.faces)
    fitted = fit_joints(skeleton, weights, BODY, target, vertex_to_vertex)
    checked = check_joints(skeleton, fitted, weights, (BODY, target), (vertex_to_vertex, vertex_to_vertex))
    np.testing.assert_allclose(checked.fitted.heads, 3 * turn.apply(skeleton.heads) + (1, 0, 2), atol=1e-5)
    np.testing.assert_allclose(checked.fitted.tails, 3 * turn.apply(skeleton.tails) + (1, 0, 2), atol=1e-5)
    np.testing.assert_allclose(checked.fitted.axes, turn.apply(skeleton.axes), atol=1e-5)
    assert not checked.copied.any()
    assert not checked.outside.any()


def test_a_wrong_map_still_gives_bones_inside_of_equal_sides() -> None:
    skeleton = rest_skeleton(FIGURE)
    weights = FIGURE.weights(BODY.vertices.astype(np.float64))
    generator = np.random.default_rng(0)
    target = Figure(legs=0.09, arms=80).body(50)
    vertices, faces = target.vertices.astype(np.float64), target.faces.astype(np.int64)
    near = igl.point_mesh_squared_distance(BODY.vertices.astype(np.float64), vertices, faces)[1]
    lost = generator.random(len(near)) < 0.3
    face = np.where(lost, generator.integers(0, len(faces), len(near)), near).astype(np.int32)
    third = np.full((len(near), 3), 1 / 3, np.float32)
    wrong = SurfaceMap(face, third, target.faces[face, 0], np.ones(len(near), np.float32))
    fitted = fit_joints(skeleton, weights, BODY, target, wrong)
    for ends in (fitted.heads, fitted.tails):
        assert np.isfinite(ends).all()
        assert (igl.fast_winding_number(vertices, faces, ends) > 0.5).all()
    lengths = np.linalg.norm(fitted.tails - fitted.heads, axis=1)
    assert (lengths > 0).all()


def test_both_sides_are_equally_long() -> None:
    skeleton = rest_skeleton(FIGURE)
    weights = FIGURE.weights(BODY.vertices.astype(np.float64))
    left = BODY.vertices[:, 0] > 0
    target = shapes.snapshot(BODY.vertices * np.where(left, 1.1, 1.0)[:, None], BODY.faces)
    fitted = fit_joints(skeleton, weights, BODY, target, vertex_map(np.arange(len(BODY.vertices)), BODY.faces))
    lengths = np.linalg.norm(fitted.tails - fitted.heads, axis=1)
    paired = skeleton.mirror >= 0
    unmoved = paired & ~fitted.moved & ~fitted.moved[skeleton.mirror]
    assert unmoved.sum() >= 4
    np.testing.assert_allclose(lengths[unmoved], lengths[skeleton.mirror[unmoved]], rtol=1e-6)


def test_points_outside_come_in_behind_the_nearest_place() -> None:
    ball = shapes.sphere()
    vertices, faces = ball.vertices.astype(np.float64), ball.faces.astype(np.int64)
    brought = move_inside(np.array([(2.0, 0, 0), (0, 1.1, 0)]), np.array([0.3, 9.0]), vertices, faces)
    np.testing.assert_allclose(brought[0], (0.7, 0, 0), atol=0.05)
    assert np.linalg.norm(brought[1]) < 0.6


def test_stubs_turn_as_their_bones_do() -> None:
    """Tails of 9 mm that point anywhere, as importers make them: a rough map moves joints a little, and would turn them
    round."""
    figure = rest_skeleton(FIGURE)
    generator = np.random.default_rng(0)
    anyhow = Rotation.random(len(figure.heads), rng=0)
    tails = figure.heads + 0.009 * np.asarray(anyhow.apply((0, 1, 0)))
    skeleton = replace(figure, tails=tails, axes=np.asarray(anyhow.apply((0, 0, 1))))
    weights = FIGURE.weights(BODY.vertices.astype(np.float64))
    turn = Rotation.from_euler("z", 30, degrees=True)
    rough = turn.apply(BODY.vertices) + generator.normal(scale=0.008, size=BODY.vertices.shape)
    target = shapes.snapshot(rough, BODY.faces)
    vertex_to_vertex = vertex_map(np.arange(len(BODY.vertices)), BODY.faces)
    fitted = fit_joints(skeleton, weights, BODY, target, vertex_to_vertex)
    checked = check_joints(skeleton, fitted, weights, (BODY, target), (vertex_to_vertex, vertex_to_vertex))
    assert not checked.copied.any()
    assert not checked.doubtful.any()
    for before, after in ((tails - figure.heads, fitted.tails - fitted.heads), (skeleton.axes, fitted.axes)):
        before = turn.apply(before / np.linalg.norm(before, axis=1, keepdims=True))
        cosines = np.einsum("bd,bd->b", before, after) / np.linalg.norm(after, axis=1)
        assert np.degrees(np.arccos(np.clip(cosines, -1, 1))).max() < 25
