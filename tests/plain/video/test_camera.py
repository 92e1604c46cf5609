"""Cameras fitted to points and their places in a picture."""

from __future__ import annotations

import numpy as np

from meshkin.video.camera import fit_camera


def test_a_camera_is_found_among_wrong_answers_and_not_mirrored() -> None:
    random = np.random.default_rng(1)
    normals = random.normal(size=(600, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points = 5 + 2 * normals * (1, 0.5, 1.5)
    right, down, forwards = np.array((1.0, 0, 0)), np.array((0, 0, -1.0)), np.array((0, 1.0, 0))
    is_seen = normals @ forwards < 0
    homogeneous = np.column_stack((points, np.ones(600)))
    true = np.vstack((np.column_stack((right, down)) * 0.2, (-0.5, 1.5)))
    positions = homogeneous @ true
    answers = homogeneous[is_seen].copy()
    is_wrong = random.random(len(answers)) < 0.4
    answers[is_wrong] = homogeneous[is_seen][random.permutation(len(answers))][is_wrong]
    weights = np.ones(len(answers))
    camera = fit_camera(answers, normals[is_seen], positions[is_seen], weights)
    assert camera is not None
    np.testing.assert_allclose(homogeneous @ camera, positions, atol=0.03)
    shuffled = answers[random.permutation(len(answers))]
    assert fit_camera(shuffled, normals[is_seen], positions[is_seen], weights) is None
