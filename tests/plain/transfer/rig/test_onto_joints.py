"""A body posed onto the joints of another skeleton."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from helpers import shapes
from helpers.figures import Figure
from helpers.rest_skeletons import rest_skeleton
from meshkin.transfer.rig.onto_joints import Joints, posed_onto_joints
from meshkin.transfer.rig.rest_skeleton import RestSkeleton
from meshkin.transfer.weights.garment_map import nearest_points_map
from meshkin.transfer.weights.skinning import weights_through_map

FIGURE = Figure()
BODY = FIGURE.body(50)
WEIGHTS = FIGURE.weights(BODY.vertices.astype(np.float64))
UP = np.array((0.0, 0.0, 1.0))
OTHER = Figure(legs=0.1, arms=85)


def joints_of(skeleton: RestSkeleton) -> Joints:
    return Joints(skeleton.heads, skeleton.tails, np.ones(len(skeleton.heads), bool))


def rolled(skeleton: RestSkeleton) -> RestSkeleton:
    return replace(skeleton, axes=-skeleton.axes)


def from_surface(vertices: NDArray[np.float32], figure: Figure) -> NDArray[np.float64]:
    return np.abs(figure.field(vertices.astype(np.float64)))


def test_joints_that_are_turned_scaled_and_shifted_take_the_whole_body_along() -> None:
    skeleton = rest_skeleton(FIGURE)
    turn, shift = Rotation.from_euler("zx", (170, 20), degrees=True), np.array((1.0, -2.0, 3.0))
    moved = Joints(
        3 * turn.apply(skeleton.heads) + shift, 3 * turn.apply(skeleton.tails) + shift, np.ones(len(WEIGHTS[0]), bool)
    )
    posed = posed_onto_joints(BODY.vertices, WEIGHTS, rolled(skeleton), moved)
    np.testing.assert_allclose(posed, 3 * turn.apply(BODY.vertices) + shift, atol=1e-4)


def test_it_lies_on_another_body_and_gives_it_its_weights() -> None:
    other = OTHER.body(46, 0.3)
    posed = posed_onto_joints(BODY.vertices, WEIGHTS, rest_skeleton(FIGURE), joints_of(rest_skeleton(OTHER)))
    assert from_surface(BODY.vertices, OTHER).mean() > 0.02
    assert from_surface(posed, OTHER).mean() < 0.006
    source = shapes.snapshot(posed, BODY.faces)
    carried = weights_through_map(WEIGHTS, source, other, nearest_points_map(source, other)).weights
    true = OTHER.weights(other.vertices.astype(np.float64))
    assert np.abs(carried - true).sum(axis=1).mean() < 0.15


def test_bones_that_are_not_there_follow_their_parents() -> None:
    skeleton, there = rest_skeleton(FIGURE), rest_skeleton(OTHER)
    known = np.array([not name.startswith("forearm") for name in FIGURE.names])
    heads, tails = (np.where(known[:, None], ends, 0) for ends in (there.heads, there.tails))
    missing = Joints(heads, tails, known)
    posed = posed_onto_joints(BODY.vertices, WEIGHTS, skeleton, missing)
    hand = WEIGHTS[:, FIGURE.names.index("forearm.L")] > 0.9
    along = there.tails[FIGURE.names.index("upperarm.L")] - there.heads[FIGURE.names.index("upperarm.L")]
    below = posed[hand] - there.tails[FIGURE.names.index("upperarm.L")]
    assert (below @ along > 0).all()
    assert np.linalg.norm(np.cross(below, along / np.linalg.norm(along)), axis=1).max() < 0.06


def test_a_vertex_without_weights_follows_the_root() -> None:
    lost = WEIGHTS.copy()
    lost[0] = 0
    skeleton = rest_skeleton(FIGURE)
    moved = replace(joints_of(skeleton), heads=skeleton.heads + UP, tails=skeleton.tails + UP)
    posed = posed_onto_joints(BODY.vertices, lost, skeleton, moved)
    np.testing.assert_allclose(posed[0], BODY.vertices[0] + UP, atol=1e-5)


def test_without_any_bone_there_is_nothing_to_follow() -> None:
    joints = joints_of(rest_skeleton(OTHER))
    with pytest.raises(ValueError, match="No bone"):
        posed_onto_joints(BODY.vertices, WEIGHTS, rest_skeleton(FIGURE), replace(joints, known=~joints.known))


def test_limbs_that_are_held_otherwise_do_not_change_how_large_the_body_is() -> None:
    lowered = rest_skeleton(Figure(arms=10))
    posed = posed_onto_joints(BODY.vertices, WEIGHTS, rest_skeleton(FIGURE), joints_of(lowered))
    shin = WEIGHTS[:, FIGURE.names.index("shin.L")] > 0.99
    np.testing.assert_allclose(np.ptp(posed[shin], axis=0), np.ptp(BODY.vertices[shin], axis=0), rtol=0.01)


def test_lengths_that_an_importer_gave_to_the_last_bones_say_nothing() -> None:
    skeleton = rest_skeleton(FIGURE)
    head, chest = (FIGURE.names.index(name) for name in ("head", "chest"))
    tails = skeleton.tails.copy()
    tails[head] = skeleton.heads[head] + np.linalg.norm(tails[chest] - skeleton.heads[chest]) * UP
    posed = posed_onto_joints(BODY.vertices, WEIGHTS, skeleton, replace(joints_of(skeleton), tails=tails))
    np.testing.assert_allclose(posed, BODY.vertices, atol=1e-4)
