"""Which of several results of a registration is taken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meshkin.matching.registration import LaidMesh, RegistrationSettings, Start, nearest_alike

POINTS = np.random.default_rng(0).uniform(0, 0.5, (1000, 3))


def result(share: float, shift: float, distance: float, by_form: bool = False) -> LaidMesh:
    """A result of this distance in which a share of the points lies shifted."""
    points: NDArray[np.float64] = POINTS.copy()
    points[: int(share * len(points)), 0] += shift
    return LaidMesh(Start(POINTS, POINTS, by_form=by_form), points, distance)


def test_a_nearer_result_that_differs_in_a_hand_is_taken() -> None:
    first, hand = result(0, 0, 0.43), result(0.03, 0.6, 0.42)
    assert nearest_alike(first, [first, hand], RegistrationSettings()) is hand


def test_a_nearer_result_with_legs_exchanged_is_not() -> None:
    first, legs, other = result(0, 0, 0.43), result(0.14, 0.45, 0.42), result(1, 0.3, 0.41)
    assert nearest_alike(first, [first, legs, other], RegistrationSettings()) is first


def test_a_result_by_features_does_not_stand_for_one_by_form() -> None:
    first, hand = result(0, 0, 0.43, by_form=True), result(0.03, 0.6, 0.42)
    assert nearest_alike(first, [first, hand], RegistrationSettings()) is first
