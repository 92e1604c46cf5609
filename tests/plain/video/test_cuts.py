"""Cuts in a video: where they are, and that nothing is smoothed over them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from helpers.clips import clip_of, front_camera, posable, waving
from helpers.figures import Figure
from meshkin.video.reading import find_cuts
from meshkin.video.scoring import score

NAMES, SHAPE = posable(Figure())


def test_a_cut_is_found_and_a_moving_camera_is_none() -> None:
    random = np.random.default_rng(0)
    shots = [random.integers(0, 256, (12, 16, 3)).repeat(12, axis=0).repeat(12, axis=1) for _ in range(2)]
    frames = [np.roll(shot, 2 * number, axis=1) for shot in shots for number in range(4)]
    assert np.flatnonzero(find_cuts(np.array(frames, np.uint8))).tolist() == [4]


def test_the_frame_after_a_cut_is_doubtful_and_does_not_go_on() -> None:
    motion, camera = waving(SHAPE, NAMES, 4), front_camera(SHAPE)
    clip = replace(clip_of(SHAPE, motion, camera), cuts=np.array([False, False, True, False]))
    assert clip.joined.tolist() == [True, False, True]
    _, doubtful = score(clip, SHAPE, motion, np.tile(camera, (4, 1, 1)))
    assert doubtful.tolist() == [False, False, True, False]
