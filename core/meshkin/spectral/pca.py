"""One principal-component basis for several shapes, so that equal numbers and equal colors mean equal features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_COMPONENTS = 256
"""Most components of a basis. Chosen: no matcher gains from more."""
PCA_SAMPLES = 20_000
"""Vertices of each shape, evenly picked, from which the basis and the range of the colors are estimated. Chosen: the
basis hardly changes with more."""
RANGE = (1, 99)
"""Percentiles of a channel that become the darkest and the brightest color. Chosen: outliers take no colors away."""
_FLAT = 1e-6
"""Share of the largest range below which a channel counts as constant. Chosen: far above rounding."""
_ROW_BLOCK = 8192
"""Rows computed at a time. Chosen: a block of 3,000 channels takes 200 MB in double precision."""


@dataclass(frozen=True)
class Basis:
    """Principal components of features.

    Attributes:
        mean: float64 (C,).
        components: float64 (C, K), orthonormal columns by falling variance; of each, the entry of largest magnitude
            is positive.
        scale: float64 (K,), standard deviation along each component.
    """

    mean: NDArray[np.float64]
    components: NDArray[np.float64]
    scale: NDArray[np.float64]


def basis(features: Sequence[NDArray[np.floating]], count: int = MOST_COMPONENTS) -> Basis:
    """The joint principal components of several shapes' features; every shape counts the same.

    Vertices whose features are all zero (nothing is known about them) do not take part.

    Args:
        features: (V_i, C) of each shape, any float type, finite.
        count: components wanted; at most ``min(C, MOST_COMPONENTS)`` come back.
    """
    samples = [_sample(rows) for rows in features]
    channels = features[0].shape[1]
    samples = [rows for rows in samples if len(rows)] or [np.zeros((1, channels), np.float32)]
    mean = sum((rows.mean(axis=0, dtype=np.float64) for rows in samples), np.zeros(channels)) / len(samples)
    covariance = np.zeros((channels, channels))
    for rows in samples:
        for block in _blocks(rows):
            centered = block - mean
            covariance += centered.T @ centered / (len(rows) * len(samples))
    variance, vectors = np.linalg.eigh(covariance)
    count = min(count, channels, MOST_COMPONENTS)
    vectors = vectors[:, ::-1][:, :count]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(count)])
    return Basis(mean, np.ascontiguousarray(vectors), np.sqrt(np.maximum(variance[::-1][:count], 0)))


def project(basis: Basis, features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Features (V, C) in the basis, float32 (V, K); rows that are all zero stay zero, the place of the mean."""
    projected = np.empty((len(features), basis.components.shape[1]), np.float32)
    components, offset = basis.components.astype(np.float32), (basis.mean @ basis.components).astype(np.float32)
    for start, block in zip(range(0, len(features), _ROW_BLOCK), _blocks(features, np.float32), strict=True):
        known = np.any(block, axis=1, keepdims=True)
        projected[start : start + _ROW_BLOCK] = (block @ components - offset) * known
    return projected


def colors(projected: Sequence[NDArray[np.floating]]) -> list[NDArray[np.float32]]:
    """The first three channels of several shapes as colors in [0, 1], float32 (V_i, 3), in one shared range.

    The range of each channel is that between the percentiles :data:`RANGE` over all shapes. Values outside of the range
    are clipped; a channel that does not vary becomes 1/2.

    Args:
        projected: (V_i, K) of each shape, from :func:`project` with one basis.
    """
    first_three = [np.asarray(rows[:, :3], np.float32) for rows in projected]
    first_three = [np.pad(rows, ((0, 0), (0, 3 - rows.shape[1]))) for rows in first_three]
    samples = [_sample(rows) for rows in first_three]
    pooled = np.concatenate([rows for rows in samples if len(rows)] or [np.zeros((1, 3), np.float32)])
    low, high = np.percentile(pooled, RANGE, axis=0)
    spread = high - low
    flat = spread <= _FLAT * max(float(spread.max()), 1e-12)
    low, spread = np.where(flat, low - 0.5, low), np.where(flat, 1.0, spread)
    return [np.where(flat, 0.5, np.clip((rows - low) / spread, 0, 1)).astype(np.float32) for rows in first_three]


def _sample(features: NDArray[np.floating]) -> NDArray[np.floating]:
    """At most :data:`PCA_SAMPLES` evenly picked rows, without those that are all zero."""
    rows = features[:: -(-len(features) // PCA_SAMPLES) or 1]
    return rows[rows.any(axis=1)]


def _blocks(features: NDArray[np.floating], dtype: type[np.floating] = np.float64) -> Iterator[NDArray[np.floating]]:
    for start in range(0, len(features), _ROW_BLOCK):
        yield features[start : start + _ROW_BLOCK].astype(dtype)
