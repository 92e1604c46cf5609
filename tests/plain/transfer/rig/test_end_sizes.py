"""How large ends are whose joints do not say it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from helpers.figures import Figure
from helpers.rest_skeletons import rest_skeleton
from meshkin.transfer.rig.end_sizes import end_sizes
from meshkin.transfer.rig.onto_joints import Joints, posed_onto_joints
from meshkin.transfer.rig.rest_skeleton import RestSkeleton

JOINT = 0.86
"""Height of the joint between neck and head."""


def with_head(center: float, radius: float) -> tuple[Figure, RestSkeleton]:
    """A person whose head has this size; its bone is short, as importers make it, and the same on all of them."""
    figure = Figure()
    figure.bones["head"] = np.array((0, 0, center)), np.array((0, 0, center + 0.01)), radius
    skeleton, head = rest_skeleton(figure), figure.names.index("head")
    heads, tails = skeleton.heads.copy(), skeleton.tails.copy()
    heads[head], tails[head] = (0, 0, JOINT), (0, 0, JOINT + 0.01)
    return figure, replace(skeleton, heads=heads, tails=tails)


def joints_of(skeleton: RestSkeleton) -> Joints:
    return Joints(skeleton.heads, skeleton.tails, np.ones(len(skeleton.heads), bool))


def test_a_giant_head_on_a_short_bone_becomes_as_large_as_the_other_one() -> None:
    (giant, skeleton), (other, there) = with_head(0.97, 0.11), with_head(0.885, 0.03)
    source, target = giant.body(50), other.body(46, 0.3)
    weights = giant.weights(source.vertices.astype(np.float64))
    moving = np.ones(len(skeleton.heads), bool)
    ends = end_sizes(skeleton, joints_of(there), moving, source, target)
    head = giant.names.index("head")
    assert 0.3 < ends[head] < 0.5
    assert np.isnan(np.delete(ends, head)).all()
    posed = posed_onto_joints(source.vertices, weights, skeleton, joints_of(there), ends)
    top = target.vertices[:, 2].max()
    assert source.vertices[:, 2].max() > top + 0.14
    assert abs(posed[:, 2].max() - top) < 0.05
    np.testing.assert_allclose(posed[weights[:, head] == 0], source.vertices[weights[:, head] == 0], atol=1e-4)


def test_heads_that_are_nearly_alike_grow_as_their_joints_say() -> None:
    (first, skeleton), (second, there) = with_head(0.92, 0.065), with_head(0.92, 0.075)
    source, target = first.body(50), second.body(46, 0.3)
    weights = first.weights(source.vertices.astype(np.float64))
    ends = end_sizes(skeleton, joints_of(there), np.ones(len(skeleton.heads), bool), source, target)
    posed = posed_onto_joints(source.vertices, weights, skeleton, joints_of(there), ends)
    np.testing.assert_array_equal(posed, posed_onto_joints(source.vertices, weights, skeleton, joints_of(there)))


def test_what_moves_nothing_has_no_size() -> None:
    (giant, skeleton), (other, there) = with_head(0.97, 0.11), with_head(0.885, 0.03)
    moving = np.array([name != "head" for name in giant.names])
    assert np.isnan(end_sizes(skeleton, joints_of(there), moving, giant.body(40), other.body(40))).all()
