"""Points spread evenly: far from each other, and each one once."""

from __future__ import annotations

import numpy as np

from meshkin.geometry.sampling import farthest_points


def test_the_ends_of_a_line_come_first() -> None:
    line = np.column_stack((np.arange(11.0), np.zeros(11), np.zeros(11)))
    chosen = farthest_points(line, 3)
    assert sorted(chosen[:2].tolist()) == [0, 10]
    assert chosen[2] == 5


def test_chosen_points_cover_the_others() -> None:
    points = np.random.default_rng(0).random((500, 3))
    chosen = farthest_points(points, 40)
    assert len(np.unique(chosen)) == 40
    between = np.linalg.norm(points[chosen][:, None] - points[chosen], axis=2)
    covered = np.linalg.norm(points[:, None] - points[chosen], axis=2).min(axis=1).max()
    assert covered <= between[between > 0].min()


def test_coincident_points_are_not_chosen_twice() -> None:
    assert len(farthest_points(np.repeat(np.eye(3), 5, axis=0), 10)) == 3
    assert len(farthest_points(np.zeros((4, 3)), 10)) == 1
