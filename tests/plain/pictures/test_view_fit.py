"""How well painted views keep a shape: angles between normals, creases, and which views are worst."""

from __future__ import annotations

import numpy as np
import pytest

from meshkin.geometry.arrays import Singles, unit_rows
from meshkin.pictures.view_fit import edges, misfit, worst

SIZE = 120


def disc() -> np.ndarray:
    row, column = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    return np.asarray(np.hypot(row, column) < 50)


def roof(turn: float = 0.0, shift: int = 0) -> Singles:
    """Two slopes that meet in a vertical crease, shifted by pixels and turned around the vertical, degrees."""
    normals = np.zeros((SIZE, SIZE, 3), np.float32)
    left = np.arange(SIZE) < SIZE // 2 + shift
    for side, sign in ((left, -1), (~left, 1)):
        angle = np.radians(sign * 35 + turn)
        normals[:, side] = (np.sin(angle), 0, np.cos(angle))
    return normals


def ball() -> Singles:
    row, column = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    across = np.stack((column, -row), axis=-1) / 56
    toward = np.sqrt(np.clip(1 - (across**2).sum(axis=-1), 1e-3, None))
    return unit_rows(np.dstack((across, toward))).astype(np.float32)


def test_what_is_the_same_fits() -> None:
    for normals in (roof(), ball()):
        assert misfit(normals, normals, disc()) == pytest.approx(0, abs=1e-3)
    assert misfit(roof(), ball(), np.zeros((SIZE, SIZE), bool)) == 0


@pytest.mark.parametrize("turn", [5, 20, 60])
def test_a_turn_counts_by_its_angle(turn: float) -> None:
    assert misfit(roof(turn), roof(), disc()) == pytest.approx(np.radians(turn), rel=1e-3)


def test_a_crease_may_be_blurred_a_little_but_not_missing() -> None:
    assert edges(roof(), disc()).sum() == pytest.approx(100, abs=3)
    assert edges(ball(), disc()).sum() == 0
    near, far, gone = (misfit(other, roof(), disc()) for other in (roof(shift=1), roof(shift=12), ball()))
    assert near < 0.05
    assert far > 1
    assert gone > 1


@pytest.mark.parametrize(("share", "left_out"), [(0.0, []), (0.2, [3]), (0.5, [0, 3]), (0.9, [0, 1, 2, 3]), (0.15, [])])
def test_the_worst_share_is_left_out(share: float, left_out: list[int]) -> None:
    assert worst(np.array((0.5, 0.2, 0.3, 0.9, 0.1)), share).tolist() == left_out


def test_one_view_stays() -> None:
    assert worst(np.array((0.5,)), 0.9).tolist() == []
    assert worst(np.array(()), 0.5).tolist() == []
