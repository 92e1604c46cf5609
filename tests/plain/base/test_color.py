"""sRGB and linear light."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from meshkin.base.color import linear_to_srgb, srgb_to_linear


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_known_values_both_ways(dtype: type[Any]) -> None:
    srgb = np.array([[0, 0.04, 0.5], [1, 0.2, 0.735357]], dtype)
    linear = np.array([[0, 0.04 / 12.92, 0.214041], [1, 0.033105, 0.5]], dtype)
    np.testing.assert_allclose(srgb_to_linear(srgb), linear, atol=1e-6)
    np.testing.assert_allclose(linear_to_srgb(linear), srgb, atol=1e-5)
    assert srgb_to_linear(srgb).dtype == linear_to_srgb(linear).dtype == dtype


def test_there_and_back_is_the_same_without_a_limit_above() -> None:
    values = np.linspace(0, 8, 1001)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(values)), values, atol=1e-7)


def test_negative_values_count_as_zero() -> None:
    assert srgb_to_linear(np.array([-0.5])) == linear_to_srgb(np.array([-0.5])) == 0
