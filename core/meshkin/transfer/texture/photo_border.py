"""The border of an object in a photograph, whose pixels show some of the background."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...geometry.arrays import Flags, Singles

MIXED = 2.0
"""How far inward from the border of a mask pixels show some of what lies beyond, pixels. Chosen: a pixel is sharp
to one, and a mask right to another one."""
THINNEST = 4.0
"""How far away a pixel within may be whose color is taken, pixels: thinner parts keep theirs. Chosen: twice as far."""


def without_background(values: Singles, mask: Flags) -> Singles:
    """A photograph, or a map of it, whose pixels at the object's border have the value of the nearest one within.

    Args:
        values: float32 (H, W, C).
        mask: bool (H, W), where the object is.

    Returns:
        float32 (H, W, C).
    """
    within = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] > MIXED
    if not within.any():
        return values
    away, (row, column) = ndimage.distance_transform_edt(~within, return_indices=True)
    changed = ~within & (away <= THINNEST)
    result = values.copy()
    result[changed] = values[row[changed], column[changed]]
    return result
