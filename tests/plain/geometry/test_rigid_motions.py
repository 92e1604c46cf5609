"""Rotations, rigid motions and similarities found again; as-rigid-as-possible springs at rest."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from helpers.shapes import icosphere
from meshkin.geometry.arap import RigidSprings, laplacian_springs
from meshkin.geometry.laplacian import laplacian
from meshkin.geometry.rigid_motions import (
    common_similarity,
    nearest_rotations,
    rigid_alignment,
    similarity_alignment,
)

TURN = Rotation.from_euler("xyz", (1, 2, 3))


def test_the_nearest_matrix_to_a_rotation_is_itself_and_never_a_reflection() -> None:
    turns = Rotation.random(20, random_state=0).as_matrix()
    assert nearest_rotations(3 * turns) == pytest.approx(turns)
    assert np.linalg.det(nearest_rotations(turns * (1, 1, -1))) == pytest.approx(1)


def test_alignments_find_the_motion_again() -> None:
    points = np.random.default_rng(0).normal(size=(30, 3))
    goals = TURN.apply(points) + np.array((5, 6, 7))
    rotation, shift = rigid_alignment(points, goals, np.random.default_rng(1).random(30))
    assert rotation == pytest.approx(TURN.as_matrix())
    assert points @ rotation.T - shift == pytest.approx(goals)
    scale, turn = similarity_alignment(points, 2.5 * goals)
    assert scale == pytest.approx(2.5)
    assert turn.as_matrix() == pytest.approx(TURN.as_matrix())
    assert similarity_alignment(np.zeros((3, 3)), goals[:3])[0] == 1


def test_springs_follow_a_rigid_motion_exactly() -> None:
    vertices, faces = icosphere(2)
    body = RigidSprings(vertices, *laplacian_springs(laplacian(vertices, faces)[0]))
    goals = TURN.apply(vertices) + np.array((1, 2, 3))
    rotations = body.rotations(goals)
    assert rotations == pytest.approx(np.broadcast_to(TURN.as_matrix(), rotations.shape))
    hold = np.full(len(vertices), 1e-3)
    assert body.position_solver(hold)(rotations, hold[:, None] * goals) == pytest.approx(goals)


def test_a_common_similarity_leaves_strays_out() -> None:
    """A third of the points went elsewhere; the others lie where they belong, and the way back is the inverse."""
    generator = np.random.default_rng(2)
    points = generator.normal(size=(300, 3))
    turn = Rotation.random(random_state=3)
    goals = 1.7 * turn.apply(points) + (1, 2, 3)
    strays = generator.random(300) < 1 / 3
    goals[strays] += generator.normal((0.5, 0, 0), 0.5, (strays.sum(), 3))
    motion = common_similarity(points, goals, 1e-6)
    np.testing.assert_allclose(motion.apply(points)[~strays], goals[~strays], atol=1e-6)
    np.testing.assert_allclose(motion.inverse().apply(goals)[~strays], points[~strays], atol=1e-6)
    assert motion.scale == pytest.approx(1.7)
