"""Surfaces that a displacement folds over themselves."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import shapes
from meshkin.transfer.folds import folded_share

BALL = shapes.sphere(40, 20)
REST = BALL.vertices.astype(np.float64)


def test_a_turn_and_a_bulge_fold_nothing() -> None:
    turned = REST @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]]).T
    assert folded_share(REST, turned, BALL.faces, everywhere=True) == 0
    bulge = REST * (1 + 0.5 * np.exp(4 * (REST[:, :1] - 1)))
    assert folded_share(REST, bulge, BALL.faces) == 0
    assert folded_share(REST, REST, BALL.faces) == 0


def test_a_cap_pushed_over_its_rim_folds_it() -> None:
    cap = REST[:, 2] > 0.8
    pushed = REST + 0.9 * cap[:, None] * np.array([1.0, 0, 0])
    share = folded_share(REST, pushed, BALL.faces)
    assert 0.03 < share < 0.5
    moved = cap[BALL.faces].any(axis=1).mean()
    assert folded_share(REST, pushed, BALL.faces, everywhere=True) == pytest.approx(share * moved, rel=0.5)
