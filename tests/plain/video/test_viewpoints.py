"""From which side frames are seen, by the frames around them."""

from __future__ import annotations

import numpy as np

from meshkin.video.viewpoints import other_views


def pose(direction: tuple[float, float, float], other: tuple[float, float, float], lead: float) -> np.ndarray:
    """Two views of a frame, the first better by ``lead``."""
    return np.array(((*direction, 0, 0.6), (*other, 0, 0.6 - lead)))


LEFT, RIGHT = (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)


def test_single_frames_from_the_other_side_are_mistaken() -> None:
    poses = [pose(LEFT, RIGHT, 0.01) for _ in range(8)]
    poses[2] = poses[3] = pose(RIGHT, LEFT, 0.01)
    poses[7] = pose(RIGHT, LEFT, 0.02)
    assert np.flatnonzero(other_views(poses, np.zeros(8, bool))).tolist() == [2, 3, 7]


def test_a_body_does_not_turn_around_within_a_frame() -> None:
    poses = [pose(LEFT, RIGHT, lead) for lead in (0.05, 0.04, 0.02, 0.025)]
    poses += [pose(RIGHT, LEFT, lead) for lead in (0.02, 0.015, 0.02, 0.02, 0.005, 0.02)]
    assert np.flatnonzero(other_views(poses, np.zeros(10, bool))).tolist() == [4, 5, 6, 7, 8, 9]


def test_a_body_that_turns_is_followed() -> None:
    angles = np.linspace(0, np.pi, 9)
    poses = [pose((np.cos(a), np.sin(a), 0), (-np.cos(a), -np.sin(a), 0), 0.02) for a in angles.tolist()]
    assert not other_views(poses, np.zeros(9, bool)).any()


def test_after_a_cut_the_side_may_be_another() -> None:
    poses = [pose(LEFT, RIGHT, 0.01) for _ in range(4)] + [pose(RIGHT, LEFT, 0.01) for _ in range(3)]
    cuts = np.arange(7) == 4
    assert not other_views(poses, cuts).any()
    assert np.flatnonzero(other_views(poses, np.zeros(7, bool))).tolist() == [4, 5, 6]


def test_frames_without_a_match_are_passed_over() -> None:
    poses = [pose(LEFT, RIGHT, 0.01), None, pose(RIGHT, LEFT, 0.005), pose(LEFT, RIGHT, 0.01)]
    assert np.flatnonzero(other_views(poses, np.zeros(4, bool))).tolist() == [2]
    assert not other_views([None, None], np.zeros(2, bool)).any()
