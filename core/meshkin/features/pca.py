"""One principal-component basis for several shapes, so that equal numbers and equal colors mean equal features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_COMPONENTS = 256
"""No matcher gains from more."""
SAMPLES = 20_000
"""Vertices of each shape, evenly picked, from which the basis and the range of the colors are estimated."""

_BLOCK = 8192


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
    samples = [_sample(one) for one in features]
    channels = features[0].shape[1]
    samples = [one for one in samples if len(one)] or [np.zeros((1, channels), np.float32)]
    mean = sum((one.mean(axis=0, dtype=np.float64) for one in samples), np.zeros(channels)) / len(samples)
    covariance = np.zeros((channels, channels))
    for one in samples:
        for block in _blocks(one):
            centerd = block - mean
            covariance += centerd.T @ centerd / (len(one) * len(samples))
    variance, vectors = np.linalg.eigh(covariance)
    count = min(count, channels, MOST_COMPONENTS)
    vectors = vectors[:, ::-1][:, :count]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(count)])
    return Basis(mean, np.ascontiguousarray(vectors), np.sqrt(np.maximum(variance[::-1][:count], 0)))


def project(basis: Basis, features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Features (V, C) in the basis, float32 (V, K); those that are all zero become zero, the mean."""
    projected = np.empty((len(features), basis.components.shape[1]), np.float32)
    components, offset = basis.components.astype(np.float32), (basis.mean @ basis.components).astype(np.float32)
    for start, block in zip(range(0, len(features), _BLOCK), _blocks(features, np.float32), strict=True):
        known = np.any(block, axis=1, keepdims=True)
        projected[start : start + _BLOCK] = (block @ components - offset) * known
    return projected


def colors(projected: Sequence[NDArray[np.floating]]) -> list[NDArray[np.float32]]:
    """The first three channels of several shapes as colors in [0, 1], float32 (V_i, 3), in one shared range.

    The range of each channel runs from the 1st to the 99th percentile over all shapes; what lies beyond is clipped,
    what does not vary becomes 1/2.

    Args:
        projected: (V_i, K) of each shape, from :func:`project` with one basis.
    """
    three = [np.asarray(one[:, :3], np.float32) for one in projected]
    three = [np.pad(one, ((0, 0), (0, 3 - one.shape[1]))) for one in three]
    samples = [_sample(one) for one in three]
    pooled = np.concatenate([one for one in samples if len(one)] or [np.zeros((1, 3), np.float32)])
    low, high = np.percentile(pooled, (1, 99), axis=0)
    spread = high - low
    flat = spread <= 1e-6 * max(float(spread.max()), 1e-12)
    low, spread = np.where(flat, low - 0.5, low), np.where(flat, 1.0, spread)
    return [np.where(flat, 0.5, np.clip((one - low) / spread, 0, 1)).astype(np.float32) for one in three]


def _sample(features: NDArray[np.floating]) -> NDArray[np.floating]:
    """Every so many rows, without those that are all zero."""
    rows = features[:: -(-len(features) // SAMPLES) or 1]
    return rows[rows.any(axis=1)]


def _blocks(features: NDArray[np.floating], dtype: type[np.floating] = np.float64) -> Iterator[NDArray[np.floating]]:
    for start in range(0, len(features), _BLOCK):
        yield features[start : start + _BLOCK].astype(dtype)
