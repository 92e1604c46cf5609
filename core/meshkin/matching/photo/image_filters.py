"""Small image filters that cutting out needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...geometry.arrays import Floats

HISTOGRAM_BINS = 256
"""Bins of the histogram from which :func:`otsu_threshold` is found. Chosen, as for 8-bit pictures."""


def otsu_threshold(values: NDArray[np.floating]) -> float:
    """Return the threshold that separates two classes of values with the largest variance between them (Otsu 1979)."""
    counts, edges = np.histogram(values, HISTOGRAM_BINS)
    centers = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    mass = np.cumsum(counts * centers)
    gap = mass / np.maximum(below, 1) - (mass[-1] - mass) / np.maximum(above, 1)
    return float(centers[(below * above * gap**2).argmax()])


def guided_filter(guide: Floats, values: Floats, radius: int, softness: float) -> Floats:
    """Smooth values so that their edges move to the edges of a picture.

    The guided filter of He, Sun and Tang (2013), https://doi.org/10.1109/TPAMI.2012.213, with a color guide.

    Args:
        guide: (H, W, 3), the picture.
        values: (H, W).
        radius: of the square window, pixels.
        softness: variance of the guide below which it counts as flat, in squares of its unit.
    """

    def window_mean(array: NDArray[np.floating]) -> Floats:
        size = (2 * radius + 1, 2 * radius + 1) + (1,) * (array.ndim - 2)
        return ndimage.uniform_filter(array, size)

    guide_mean, value_mean = window_mean(guide), window_mean(values)
    covariance = window_mean(guide * values[..., None]) - guide_mean * value_mean[..., None]
    guide_covariance = window_mean(guide[..., :, None] * guide[..., None, :])
    guide_covariance -= guide_mean[..., :, None] * guide_mean[..., None, :]
    slope = np.linalg.solve(guide_covariance + softness * np.eye(3), covariance[..., None])[..., 0]
    offset = value_mean - (slope * guide_mean).sum(axis=-1)
    filtered: Floats = (window_mean(slope) * guide).sum(axis=-1) + window_mean(offset)
    return filtered


def remove_specks(mask: NDArray[np.bool_], smallest: float) -> NDArray[np.bool_]:
    """Return the mask (H, W) with holes filled, without pieces smaller than ``smallest`` times the largest."""
    pieces, count = ndimage.label(mask)
    if not count:
        return mask
    sizes = np.bincount(pieces.ravel())[1:]
    is_kept = np.concatenate(([False], sizes >= smallest * sizes.max()))
    return np.asarray(ndimage.binary_fill_holes(is_kept[pieces]), bool)
