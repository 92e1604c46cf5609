"""Limbs that a fit has taken for each other, or left behind each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from helpers.clips import clip_of, front_camera, posable
from helpers.figures import Figure
from meshkin.video import recurring
from meshkin.video.clip import Motion
from meshkin.video.evidence import gather
from meshkin.video.exchanging import limb_pairs, where_exchanged
from meshkin.video.posing import fit_motion, motion_cost
from meshkin.video.recurring import far_limbs_found
from meshkin.video.settings import FitSettings
from meshkin.video.skinning import matrices_of, skin
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


def test_exchanged_limbs_are_brought_to_where_the_others_are_shown() -> None:
    evidence = gather(clip_of(SHAPE, TRUE, CAMERA), 100.0, SHAPE, CAMERAS, FitSettings())
    legs = [pair for pair in limb_pairs(SHAPE) if "thigh" in NAMES[pair.left[0]]]
    some, state = np.arange(len(STRIDES)) > 2, PoseState.of(TRUE)
    there = where_exchanged(SHAPE, legs, state, evidence, some)
    moved = torch.from_numpy(matrices_of(SHAPE, TRUE))
    away = torch.linalg.vector_norm(there.place - evidence.places(skin(moved, there.load)), dim=-1).numpy()
    assert away[~some].max() < 1e-12
    assert 0.1 < (away[some] > 1e-3).mean() < 0.7  # legs, but no more
    exchanged = legs[0].exchanged(state, SHAPE.rest, some)
    shown = evidence.places(skin(torch.from_numpy(matrices_of(SHAPE, exchanged.motion())), there.load))
    assert torch.linalg.vector_norm(there.place - shown, dim=-1).numpy()[some].mean() < 0.3 * away[some].mean()


def test_limbs_cost_more_where_they_are_exchanged() -> None:
    clip, state = clip_of(SHAPE, TRUE, CAMERA), PoseState.of(TRUE)
    for pair in limb_pairs(SHAPE):
        state = pair.exchanged(state, SHAPE.rest, np.ones(len(STRIDES), bool))
    cost, cost_exchanged = (motion_cost(clip, SHAPE, motion, CAMERAS) for motion in (TRUE, state.motion()))
    assert cost < 0.5 * cost_exchanged
    settings = FitSettings(near_first=False, root_rounds=0, limb_rounds=0, all_rounds=0, side_rounds=3)
    known = replace(clip, cameras=CAMERAS)
    kept, tried = (fit_motion(known, SHAPE, replace(settings, all_exchange_rounds=count), TRUE)[0] for count in (0, 5))
    np.testing.assert_array_equal(kept.turns, tried.turns)
