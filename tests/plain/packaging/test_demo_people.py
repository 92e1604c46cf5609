"""The demo's ground truth rests on these: poses, skinning, points on surfaces."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import skeleton
import surface

NAMES = ("root", "upper.L", "lower.L", "upper.R", "head")
PARENTS = np.array((-1, 0, 1, 0, 0))


@pytest.fixture
def bones() -> np.ndarray:
    """Five bones in general position."""
    random = np.random.default_rng(3)
    matrices = np.tile(np.eye(4), (len(NAMES), 1, 1))
    matrices[:, :3, :3] = Rotation.random(len(NAMES), random_state=3).as_matrix()
    matrices[:, :3, 3] = random.normal(size=(len(NAMES), 3))
    return matrices


def posed(bones: np.ndarray, **turns: tuple[float, float, float]) -> np.ndarray:
    named = {name.replace("_", "."): turn for name, turn in turns.items()}
    return skeleton.pose(PARENTS, bones, skeleton.local_turns(NAMES, bones, named))


def test_turning_a_bone_turns_its_children_about_its_head(bones: np.ndarray) -> None:
    moved = posed(bones, upper_L=(0, 0, 90))
    turn = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    offset = bones[2, :3, 3] - bones[1, :3, 3]
    np.testing.assert_allclose(moved[2, :3, 3], bones[1, :3, 3] + turn @ offset, atol=1e-12)
    np.testing.assert_allclose(moved[2, :3, :3], turn @ bones[2, :3, :3], atol=1e-12)
    np.testing.assert_allclose(moved[[0, 3, 4]], bones[[0, 3, 4]], atol=1e-12)


def test_the_turns_between_two_poses_lead_from_one_to_the_other(bones: np.ndarray) -> None:
    start = posed(bones, root=(5, 0, 30), upper_L=(20, 10, 0), lower_L=(0, 40, 5))
    end = posed(bones, upper_L=(-50, 0, 10), upper_R=(0, 70, 0), head=(0, 0, 20))
    np.testing.assert_allclose(skeleton.pose(PARENTS, start, skeleton.between(PARENTS, start, end)), end, atol=1e-12)


def test_skin_follows_its_bone_rigidly_and_stays_without_a_pose(bones: np.ndarray) -> None:
    points = np.random.default_rng(1).normal(size=(20, 3))
    weights = np.eye(len(NAMES))[np.arange(20) % len(NAMES)]
    np.testing.assert_allclose(skeleton.skin(points, weights, bones, bones), points, atol=1e-12)
    moved = posed(bones, upper_L=(33, -12, 8), lower_L=(0, 50, 0))
    own = np.arange(20) % len(NAMES)
    local = np.einsum("vij,vj->vi", np.linalg.inv(bones)[own], np.column_stack((points, np.ones(20))))
    expected = np.einsum("vij,vj->vi", moved[own], local)[:, :3]
    np.testing.assert_allclose(skeleton.skin(points, weights, bones, moved), expected, atol=1e-12)


def test_scaled_bones_give_their_scale_and_unit_axes(bones: np.ndarray) -> None:
    scales = np.array((1, 0.5, 1, 2, 1.5))
    still = np.broadcast_to(np.eye(3), (len(NAMES), 3, 3))
    rigid, found = skeleton.without_scale(skeleton.pose(PARENTS, bones, still, scales))
    np.testing.assert_allclose(found, (1, 0.5, 0.5, 2, 1.5), atol=1e-12)  # the lower arm shrinks with the upper one
    np.testing.assert_allclose(rigid[:, :3, :3], bones[:, :3, :3], atol=1e-12)


def test_a_mirrored_pose_mirrors_the_left_side_alone() -> None:
    turns = skeleton.mirrored({"arm.L": (10, 20, 30), "leg.L": (1, 2, 3), "leg.R": (7, 8, 9), "head": (4, 5, 6)})
    assert turns == {
        "arm.L": (10, 20, 30), "arm.R": (10, -20, -30), "leg.L": (1, 2, 3), "leg.R": (7, 8, 9), "head": (4, 5, 6),
    }  # fmt: skip


def test_nearest_points_lie_on_the_surface_and_are_nearest() -> None:
    vertices = np.array(((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 1)), float)
    triangles = np.array(((0, 1, 2), (1, 3, 2)))
    points = np.array(((0.25, 0.25, 2), (-1, -1, 0), (0.5, -3, 0), (2, 2, 2)), float)
    corners, shares, face = surface.nearest(points, vertices, triangles)
    found = surface.blend(vertices, corners, shares)
    np.testing.assert_allclose(found[1:], ((0, 0, 0), (0.5, 0, 0), (1, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (corners == triangles[face]).all()
    random = np.random.default_rng(0).dirichlet((1, 1, 1), 2000)
    somewhere = np.concatenate([random @ vertices[triangle] for triangle in triangles])
    reach = np.linalg.norm(points[:, None] - somewhere, axis=2).min(axis=1)
    assert (np.linalg.norm(points - found, axis=1) <= reach + 1e-9).all()
