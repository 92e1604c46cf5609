"""Limbs that a fit has taken for each other, or left behind each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from helpers.clips import clip_of, front_camera, posable
from helpers.figures import Figure
from meshkin.video import recurring
from meshkin.video.clip import Motion
from meshkin.video.exchanging import limb_pairs
from meshkin.video.recurring import far_limbs_found
from meshkin.video.skinning import matrices_of
from meshkin.video.state import PoseState

NAMES, STRAIGHT = posable(Figure())
BENT = STRAIGHT.vertices + np.outer(STRAIGHT.vertices[:, 2] ** 2, (0, 0.15, 0))
SHAPE = replace(STRAIGHT, vertices=BENT)  # its front is not as its back
CAMERA = front_camera(SHAPE, np.pi / 2)
STRIDES = (45, 20, -10, -40, -20, 15)
"""Degrees by which the left leg swings; the right one swings the other way."""


def striding(left: tuple[float, ...], right: tuple[float, ...]) -> Motion:
    motion = Motion.at_rest(len(left), len(NAMES))
    for name, angles in (("thigh.L", left), ("thigh.R", right)):
        axes = SHAPE.rest[NAMES.index(name), :3, :3]
        turns = Rotation.from_euler("x", np.array(angles)[:, None], degrees=True).as_matrix()
        motion.turns[:, NAMES.index(name)] = axes.T @ turns @ axes
    return motion


def shins(motion: Motion, cameras: NDArray[np.float64]) -> NDArray[np.float64]:
    placed = cameras[:, None] @ matrices_of(SHAPE, motion) @ SHAPE.rest
    return np.asarray(placed[..., :3, 3][:, [NAMES.index("shin.L"), NAMES.index("shin.R")]])


TRUE = striding(STRIDES, tuple(-angle for angle in STRIDES))
CAMERAS = np.tile(CAMERA, (len(STRIDES), 1, 1))


def test_pairs_of_limbs_are_found_by_where_they_are() -> None:
    pairs = {frozenset((NAMES[pair.left[0]], NAMES[pair.right[0]])) for pair in limb_pairs(SHAPE)}
    assert pairs == {frozenset(("thigh.L", "thigh.R")), frozenset(("upperarm.L", "upperarm.R"))}


@pytest.mark.parametrize("strides", [1, 2])
def test_a_leg_behind_the_other_is_found_where_it_is_seen(strides: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a clip that is longer than what is looked at together."""
    monkeypatch.setattr(recurring, "FRAMES_AT_ONCE", len(STRIDES))
    swings = STRIDES * strides
    hidden, true = striding(swings, swings), striding(swings, tuple(-angle for angle in swings))
    cameras = np.tile(CAMERA, (len(swings), 1, 1))
    found = far_limbs_found(hidden, cameras, clip_of(SHAPE, true, CAMERA), SHAPE)
    before, after, there = (shins(motion, cameras)[:, 1] for motion in (hidden, found, true))
    assert np.linalg.norm(before - there, axis=-1).mean() > 0.15
    assert np.linalg.norm(after - there, axis=-1).mean() < 0.06


def test_legs_change_their_poses_where_they_are_exchanged() -> None:
    exchanged = striding(tuple(-angle for angle in STRIDES), STRIDES)
    (legs,) = (pair for pair in limb_pairs(SHAPE) if "thigh" in NAMES[pair.left[0]])
    some = np.arange(len(STRIDES)) > 2
    found = legs.exchanged(PoseState.of(exchanged), SHAPE.rest, some).motion()
    there, before, after = (shins(motion, CAMERAS) for motion in (TRUE, exchanged, found))
    np.testing.assert_allclose(after[~some], before[~some], atol=1e-12)
    assert np.linalg.norm(after[some] - there[some], axis=-1).max() < 0.03
