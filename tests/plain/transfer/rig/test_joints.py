"""Joints moved with the surface around them."""

from __future__ import annotations

import igl
import numpy as np
from scipy.spatial.transform import Rotation

from helpers import shapes
from helpers.figures import Figure
from meshkin.base.sides import other_side
from meshkin.data.surface_map import SurfaceMap
from meshkin.geometry.mean_value import carry_points, mean_value_coordinates
from meshkin.transfer.rig.joints import Bones, fit_joints, into

FIGURE = Figure()
BODY = FIGURE.body(50)


def bones() -> Bones:
    names = FIGURE.names
    parents = {"chest": "spine", "head": "chest"}
    for side in (".L", ".R"):
        parents |= {f"thigh{side}": "spine", f"shin{side}": f"thigh{side}"}
        parents |= {f"upperarm{side}": "chest", f"forearm{side}": f"upperarm{side}"}
    heads, tails = (np.array([bone[end] for bone in FIGURE.bones.values()]) for end in (0, 1))
    along = (tails - heads) / np.linalg.norm(tails - heads, axis=1, keepdims=True)
    axes = np.cross(along, np.cross((0.0, -1.0, 0.0), along))
    return Bones(
        heads,
        tails,
        axes / np.linalg.norm(axes, axis=1, keepdims=True),
        np.array([names.index(parents[name]) if name in parents else -1 for name in names]),
        np.array([names.index(other_side(name)) if other_side(name) != name else -1 for name in names]),
        np.arange(len(names)),
    )


def identity(count: int, faces: shapes.Array) -> SurfaceMap:
    face = np.zeros(count, np.int32)
    face[faces.ravel()] = np.repeat(np.arange(len(faces)), 3)
    barycentric = (faces[face] == np.arange(count)[:, None]).astype(np.float32)
    return SurfaceMap(face, barycentric, np.arange(count, dtype=np.int32), np.ones(count, np.float32))


def test_coordinates_reproduce_points_inside_and_outside() -> None:
    vertices, faces = BODY.vertices.astype(np.float64), BODY.faces
    for point in ((0, 0, 0.6), (0.06, 0, 0.3), (0.3, 0.5, 1.2), (0, 0, 0.02), vertices[5]):
        shares = mean_value_coordinates(np.array(point), vertices, faces)
        assert abs(shares.sum() - 1) < 1e-9
        np.testing.assert_allclose(shares @ vertices, point, atol=1e-6)


def test_a_similarity_is_exact_also_for_open_surfaces() -> None:
    vertices = BODY.vertices.astype(np.float64)
    open_faces = BODY.faces[vertices[BODY.faces].mean(axis=1)[:, 2] < 0.7]
    turn = Rotation.from_euler("xyz", (20, 40, -70), degrees=True)
    points = np.array([(0, 0, 0.6), (0.06, 0, 0.3), (0.5, 0.5, 0.5)])
    for faces in (BODY.faces, open_faces):
        moved = carry_points(points, vertices, faces, 2.5 * turn.apply(vertices) + (1, 2, 3))
        np.testing.assert_allclose(moved, 2.5 * turn.apply(points) + (1, 2, 3), atol=1e-6)


def test_joints_go_where_the_body_goes() -> None:
    """A taller, thinner, turned body: heads and tails follow exactly, rolls follow the turn."""
    rig = bones()
    weights = FIGURE.weights(BODY.vertices.astype(np.float64))
    turn = Rotation.from_euler("z", 50, degrees=True)
    stretch = np.array((0.9, 0.9, 1.2))
    target = shapes.snapshot(turn.apply(BODY.vertices * stretch), BODY.faces)
    fitted = fit_joints(rig, weights, BODY, target, identity(len(BODY.vertices), BODY.faces))
    np.testing.assert_allclose(fitted.heads, turn.apply(rig.heads * stretch), atol=2e-3)
    np.testing.assert_allclose(fitted.tails, turn.apply(rig.tails * stretch), atol=2e-3)
    assert not fitted.moved.any()
    along = fitted.tails - fitted.heads
    np.testing.assert_allclose(np.einsum("bd,bd->b", along, fitted.axes), 0, atol=1e-9)
    assert np.degrees(np.arccos(np.einsum("bd,bd->b", fitted.axes, turn.apply(rig.axes)))).max() < 12


def test_a_wrong_map_still_gives_bones_inside_of_equal_sides() -> None:
    rig = bones()
    weights = FIGURE.weights(BODY.vertices.astype(np.float64))
    generator = np.random.default_rng(0)
    target = Figure(legs=0.09, arms=80).body(50)
    vertices, faces = target.vertices.astype(np.float64), target.faces.astype(np.int64)
    near = igl.point_mesh_squared_distance(BODY.vertices.astype(np.float64), vertices, faces)[1]
    lost = generator.random(len(near)) < 0.3
    face = np.where(lost, generator.integers(0, len(faces), len(near)), near).astype(np.int32)
    third = np.full((len(near), 3), 1 / 3, np.float32)
    wrong = SurfaceMap(face, third, target.faces[face, 0], np.ones(len(near), np.float32))
    fitted = fit_joints(rig, weights, BODY, target, wrong)
    for ends in (fitted.heads, fitted.tails):
        assert np.isfinite(ends).all()
        assert (igl.fast_winding_number(vertices, faces, ends) > 0.5).all()
    lengths = np.linalg.norm(fitted.tails - fitted.heads, axis=1)
    assert (lengths > 0).all()


def test_both_sides_are_equally_long() -> None:
    rig = bones()
    weights = FIGURE.weights(BODY.vertices.astype(np.float64))
    left = BODY.vertices[:, 0] > 0
    target = shapes.snapshot(BODY.vertices * np.where(left, 1.1, 1.0)[:, None], BODY.faces)
    fitted = fit_joints(rig, weights, BODY, target, identity(len(BODY.vertices), BODY.faces))
    lengths = np.linalg.norm(fitted.tails - fitted.heads, axis=1)
    paired = rig.mirror >= 0
    unmoved = paired & ~fitted.moved & ~fitted.moved[rig.mirror]
    assert unmoved.sum() >= 4
    np.testing.assert_allclose(lengths[unmoved], lengths[rig.mirror[unmoved]], rtol=1e-6)


def test_points_outside_come_in_behind_the_nearest_place() -> None:
    ball = shapes.sphere()
    vertices, faces = ball.vertices.astype(np.float64), ball.faces.astype(np.int64)
    brought = into(np.array([(2.0, 0, 0), (0, 1.1, 0)]), np.array([0.3, 9.0]), vertices, faces)
    np.testing.assert_allclose(brought[0], (0.7, 0, 0), atol=0.05)
    assert np.linalg.norm(brought[1]) < 0.6
