"""The sRGB transfer function (IEC 61966-2-1)."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", bound=np.floating)


def srgb_to_linear(values: NDArray[Real]) -> NDArray[Real]:
    """Return the linear light of sRGB values, same shape and dtype; below 0 becomes 0, above 1 is allowed."""
    values = np.maximum(values, 0)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(values.dtype)


def linear_to_srgb(values: NDArray[Real]) -> NDArray[Real]:
    """Return the sRGB values of linear light, same shape and dtype; below 0 becomes 0, above 1 is allowed."""
    values = np.maximum(values, 0)
    return np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055).astype(values.dtype)
