"""Fitted skeletons that are checked, and limbs that stand as on the source where they could not be fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from helpers import shapes
from helpers.figures import Figure
from helpers.maps import vertex_map
from helpers.rest_skeletons import rest_skeleton
from meshkin.data.snapshot import Snapshot
from meshkin.transfer.rig.joints import FittedSkeleton, fit_joints
from meshkin.transfer.rig.limbs import CheckedSkeleton, check_joints
from meshkin.transfer.rig.problems import find_joint_problems
from meshkin.transfer.rig.rest_skeleton import RestSkeleton

FIGURE = Figure()
BODY = FIGURE.body(50)
SKELETON = rest_skeleton(FIGURE)
WEIGHTS = FIGURE.weights(BODY.vertices.astype(np.float64))
IDENTITY = vertex_map(np.arange(len(BODY.vertices)), BODY.faces)
NUMBER = {name: bone for bone, name in enumerate(FIGURE.names)}


def fitted(target: Snapshot) -> FittedSkeleton:
    return fit_joints(SKELETON, WEIGHTS, BODY, target, IDENTITY)


def checked(skeleton: FittedSkeleton, target: Snapshot) -> CheckedSkeleton:
    return check_joints(SKELETON, skeleton, WEIGHTS, (BODY, target), (IDENTITY, IDENTITY))


def names(mask: np.ndarray) -> set[str]:
    return {FIGURE.names[bone] for bone in np.flatnonzero(mask)}


@pytest.mark.parametrize("angle", [0, 50, 180])
def test_a_good_fit_is_left_alone(angle: float) -> None:
    turn = Rotation.from_euler("z", angle, degrees=True)
    target = shapes.snapshot(turn.apply(BODY.vertices * (0.8, 0.8, 1.3)), BODY.faces)
    skeleton = fitted(target)
    result = checked(skeleton, target)
    assert not result.copied.any()
    assert not result.outside.any()
    assert not result.whole
    np.testing.assert_array_equal(result.fitted.heads, skeleton.heads)


def test_each_problem_is_found_where_it_is() -> None:
    skeleton = fitted(BODY)
    heads, tails = skeleton.heads.copy(), skeleton.tails.copy()
    long, turned, away, outside = (NUMBER[name] for name in ("shin.L", "forearm.R", "head", "chest"))
    tails[long] += 2 * (tails[long] - heads[long])
    tails[turned] = 2 * heads[turned] - tails[turned]
    heads[away, 2] -= 0.6
    tails[away, 2] -= 0.6
    heads[outside, 1] -= 0.4
    sides = [NUMBER["thigh.L"], NUMBER["thigh.R"]]
    heads[sides], tails[sides] = heads[sides[::-1]], tails[sides[::-1]]
    bad = replace(skeleton, heads=heads, tails=tails, exact=False)
    problems = find_joint_problems(SKELETON, bad, WEIGHTS, (BODY, BODY), IDENTITY, np.eye(3))
    assert "shin.L" in names(problems.length)
    assert names(problems.turned) == {"forearm.R"}
    assert "head" in names(problems.away)
    assert names(problems.crossed) == {"thigh.L", "thigh.R"}
    assert {"chest"} <= names(problems.outside) <= {"chest", "shin.L", "forearm.R", "head"}
    assert problems.judged.all()


def test_a_stray_leg_stands_as_on_the_source_with_its_twin() -> None:
    turn = Rotation.from_euler("z", 180, degrees=True)
    target = shapes.snapshot(1.5 * turn.apply(BODY.vertices), BODY.faces)
    skeleton = fitted(target)
    heads, tails = skeleton.heads.copy(), skeleton.tails.copy()
    shin, hand = NUMBER["shin.L"], tails[NUMBER["forearm.R"]]
    tails[shin] = hand
    result = checked(replace(skeleton, heads=heads, tails=tails, exact=False), target)
    assert names(result.copied) == {"thigh.L", "shin.L", "thigh.R", "shin.R"}
    assert not result.whole
    np.testing.assert_allclose(result.fitted.heads, 1.5 * turn.apply(SKELETON.heads), atol=0.02)
    np.testing.assert_allclose(result.fitted.tails, 1.5 * turn.apply(SKELETON.tails), atol=0.02)
    along = result.fitted.tails - result.fitted.heads
    np.testing.assert_allclose(np.einsum("bd,bd->b", along, result.fitted.axes), 0, atol=1e-6)


def test_a_skeleton_that_is_nowhere_right_is_the_sources() -> None:
    stretch = np.array((1.2, 1.2, 1.6))
    target = shapes.snapshot(BODY.vertices * stretch + (3, 0, 1), BODY.faces)
    skeleton = fitted(target)
    generator = np.random.default_rng(0)
    order = generator.permutation(len(skeleton.heads))
    result = checked(
        replace(skeleton, heads=skeleton.heads[order], tails=skeleton.tails[order][::-1], exact=False), target
    )
    assert result.whole
    assert result.copied.all()
    assert not result.outside.any()
    np.testing.assert_allclose(result.fitted.heads, SKELETON.heads * stretch + (3, 0, 1), atol=0.05)


def test_a_control_goes_with_the_limb_that_it_lies_at() -> None:
    """A bone without weights at the ankle, and one on the ground between the feet."""
    ankle = SKELETON.tails[NUMBER["shin.L"]]
    controls = np.array([ankle, (0, 0, 0)])
    larger = replace(
        SKELETON,
        heads=np.concatenate((SKELETON.heads, controls)),
        tails=np.concatenate((SKELETON.tails, controls + np.array((0, 0.1, 0)))),
        axes=np.concatenate((SKELETON.axes, [(0, 0, 1), (0, 0, 1)])),
        parents=np.append(SKELETON.parents, (-1, -1)),
        mirror=np.append(SKELETON.mirror, (-1, -1)),
        column=np.append(SKELETON.column, (-1, -1)),
    )
    skeleton = fit_joints(larger, WEIGHTS, BODY, BODY, IDENTITY)
    strayed = skeleton.tails.copy()
    strayed[NUMBER["shin.L"]] = skeleton.tails[NUMBER["forearm.R"]]
    heads = skeleton.heads.copy()
    heads[-2] = strayed[NUMBER["shin.L"]]
    result = check_joints(
        larger, replace(skeleton, heads=heads, tails=strayed, exact=False), WEIGHTS, (BODY, BODY), (IDENTITY, IDENTITY)
    )
    np.testing.assert_allclose(result.fitted.heads[-2], ankle, atol=0.02)
    np.testing.assert_allclose(result.fitted.heads[-1], skeleton.heads[-1])


def test_a_stray_bone_of_the_trunk_does_not_take_the_limbs_along() -> None:
    skeleton = fitted(BODY)
    heads, tails = skeleton.heads.copy(), skeleton.tails.copy()
    spine = NUMBER["spine"]
    tails[spine] = heads[spine] + 0.2 * (tails[spine] - heads[spine])
    result = checked(replace(skeleton, heads=heads, tails=tails, exact=False), BODY)
    assert names(result.doubtful) == {"spine"}
    assert not result.copied.any()
    np.testing.assert_array_equal(result.fitted.heads, heads)


JOINTS = 10
"""Joints of the tail: a bone leads from each to the next."""


def checked_tail(stray: dict[int, tuple[float, float, float]]) -> CheckedSkeleton:
    """A tail along X, a unit a bone, that was laid onto itself; of some bones the tail lies elsewhere."""
    columns, rows = 60, 13
    points, faces = shapes.grid(columns, rows)
    angle = 2 * np.pi * points[:, 1] / points[:, 1].max()
    length = JOINTS * points[:, 0] / points[:, 0].max()
    body = shapes.snapshot(np.stack((length, 0.4 * np.sin(angle), 0.4 * np.cos(angle)), axis=1), faces)
    heads = np.arange(JOINTS)[:, None] * np.array((1.0, 0, 0))
    tails = heads + np.array((1.0, 0, 0))
    up = np.tile((0.0, 0, 1), (JOINTS, 1))
    nowhere = np.full(JOINTS, -1)
    skeleton = RestSkeleton(heads, tails, up, np.arange(-1, JOINTS - 1), nowhere, np.arange(JOINTS))
    weights = np.eye(JOINTS)[np.clip(body.vertices[:, 0].astype(int), 0, JOINTS - 1)]
    away = tails.copy()
    for bone, place in stray.items():
        away[bone] = place
    found = FittedSkeleton(heads, away, up, np.zeros(JOINTS, bool), 1.0)
    same = vertex_map(np.arange(len(body.vertices)), body.faces)
    return check_joints(skeleton, found, weights, (body, body), (same, same))


def test_a_stray_bone_stays_where_what_hangs_on_it_is_right() -> None:
    result = checked_tail({4: (3.0, 0, 0)})
    assert np.flatnonzero(result.doubtful).tolist() == [4]
    assert not result.copied.any()


def test_a_limb_stands_as_on_the_source_from_its_stray_bone_on() -> None:
    result = checked_tail({8: (7.0, 0, 0), 9: (8.0, 0, 0)})
    assert np.flatnonzero(result.copied).tolist() == [8, 9]
    np.testing.assert_allclose(result.fitted.tails[8:], [(9, 0, 0), (10, 0, 0)], atol=1e-6)
