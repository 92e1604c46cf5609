"""Colors whose mean is that of others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..base.color import linear_to_srgb, srgb_to_linear
from ..geometry.arrays import Floats, Singles

_HALVINGS = 40
"""Halvings of the range in which the gain lies. Chosen: 1e-10 of it is left."""
_LARGEST_GAIN = 100.0
"""Chosen: beyond it a map is all but black, and there is no color to keep."""


def with_mean_of(colors: Singles, photo: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> Singles:
    """Colors with a gain for each channel, so that their mean inside a mask is the photograph's, in linear light.

    Networks change the hue a little, and how bright a surface is beneath the light cannot be known.

    Args:
        colors: float32 (H, W, 3), sRGB in [0, 1].
        photo: uint8 (H, W, 3), sRGB.
        mask: bool (H, W); None for all of it.

    Returns:
        float32 (H, W, 3), sRGB in [0, 1].
    """
    inside = np.ones(photo.shape[:2], bool) if mask is None else mask
    light = srgb_to_linear(colors.astype(np.float64))
    wanted = srgb_to_linear(photo[inside] / 255.0).mean(axis=0)
    gain = [_gain(light[..., channel][inside], float(wanted[channel])) for channel in range(3)]
    return linear_to_srgb(np.clip(light * gain, 0, 1)).astype(np.float32)


def _gain(light: Floats, wanted: float) -> float:
    """The gain with which values (P,), clipped to 1 after it, have a mean; 1 where all are black."""
    if not light.max(initial=0) > 0:
        return 1.0
    values = np.sort(light)
    sums = np.concatenate(([0.0], np.cumsum(values)))

    def mean(gain: float) -> float:
        below = np.searchsorted(values * gain, 1.0)
        return float(gain * sums[below] + len(values) - below) / len(values)

    low, high = 0.0, _LARGEST_GAIN
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if mean(middle) < wanted else (low, middle)
    return (low + high) / 2
