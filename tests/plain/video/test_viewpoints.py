"""From which side frames are seen, by all frames together."""

from __future__ import annotations

import numpy as np

from meshkin.data.views import ring_directions
from meshkin.video.viewpoints import choose_views

DIRECTIONS = ring_directions([(10, 24)])
"""From the front (0) around the left (6) to the back (12) and the right (18)."""
LEFT, RIGHT, MIRRORED = 6, 18, 24
STEADY = np.zeros(8, bool)


def frame(best: int, second: int, lead: float) -> np.ndarray:
    """Scores of a frame whose best view leads by ``lead``."""
    scores = np.full((2, len(DIRECTIONS)), 0.4)
    scores.flat[second] = 0.6
    scores.flat[best] = 0.6 + lead
    return scores


def test_single_frames_from_the_other_side_are_mistaken() -> None:
    frames = [frame(LEFT, RIGHT, 0.03) for _ in range(8)]
    frames[2] = frames[3] = frames[7] = frame(RIGHT, LEFT, 0.04)
    assert choose_views(frames, DIRECTIONS, STEADY).tolist() == [LEFT] * 8


def test_a_video_is_not_mirrored_in_between() -> None:
    frames = [frame(LEFT, LEFT + MIRRORED, 0.03) for _ in range(8)]
    frames[4] = frame(LEFT + MIRRORED, LEFT, 0.1)
    assert choose_views(frames, DIRECTIONS, STEADY).tolist() == [LEFT] * 8
    other = [frame(LEFT + MIRRORED, LEFT, 0.1) for _ in range(8)]
    assert choose_views(other, DIRECTIONS, STEADY).tolist() == [LEFT + MIRRORED] * 8


def test_a_body_that_turns_is_followed() -> None:
    turning = [int(view) for view in np.linspace(0, 12, 25)]
    frames = [frame(view, (view + 12) % 24, 0.02) for view in turning]
    assert np.abs(choose_views(frames, DIRECTIONS, np.zeros(25, bool)) - turning).max() <= 1


def test_after_a_cut_the_side_may_be_another() -> None:
    frames = [frame(LEFT, RIGHT, 0.02) for _ in range(4)] + [frame(RIGHT, LEFT, 0.01) for _ in range(3)]
    assert choose_views(frames, DIRECTIONS, np.arange(7) == 4).tolist() == [LEFT] * 4 + [RIGHT] * 3
    assert choose_views(frames, DIRECTIONS, np.zeros(7, bool)).tolist() == [LEFT] * 7


def test_frames_without_scores_are_passed_over() -> None:
    frames = [frame(LEFT, RIGHT, 0.03), None, frame(RIGHT, LEFT, 0.01), frame(LEFT, RIGHT, 0.03)]
    assert choose_views(frames, DIRECTIONS, np.zeros(4, bool)).tolist() == [LEFT, -1, LEFT, LEFT]
    assert choose_views([None, None], DIRECTIONS, np.zeros(2, bool)).tolist() == [-1, -1]
