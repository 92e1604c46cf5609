"""Mixtures of Gaussians of colors, by expectation maximization (Dempster, Laird and Rubin 1977)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry.arrays import Floats

MIXTURE_SAMPLES = 4000
"""Most colors that a mixture is learned from. Chosen."""
ROUNDS = 12
"""Rounds of each of the two stages, k-means and expectation maximization. Chosen."""
LEAST_VARIANCE = 1e-3
"""Added to the variances, in squares of color values from 0 to 1: colors closer than its square root are not told
apart. Chosen."""


@dataclass(frozen=True)
class Mixture:
    """Gaussians: ``centers`` (K, 3), ``covariances`` (K, 3, 3), ``shares`` (K,), which sum to 1."""

    centers: Floats
    covariances: Floats
    shares: Floats


def fit_mixture(colors: Floats, count: int) -> Mixture:
    """Return the mixture of ``count`` Gaussians that fits colors (N, 3) best; N is at least 1."""
    random = np.random.default_rng(0)
    if len(colors) > MIXTURE_SAMPLES:
        colors = colors[random.choice(len(colors), MIXTURE_SAMPLES, replace=False)]
    centers = colors[random.choice(len(colors), count, replace=len(colors) < count)]
    for _ in range(ROUNDS):  # k-means
        nearest = ((colors[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
        members = np.eye(count)[nearest]
        total = members.sum(axis=0)[:, None]
        centers = np.where(total > 0, members.T @ colors / np.maximum(total, 1), centers)
    mixture = _fit_to_members(colors, members)
    for _ in range(ROUNDS):
        logarithms = _log_densities(colors, mixture)
        members = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
        mixture = _fit_to_members(colors, members / members.sum(axis=1, keepdims=True))
    return mixture


def log_likelihood(colors: Floats, mixture: Mixture) -> Floats:
    """Return the logarithm of a mixture's density at colors (N, 3), up to a constant: (N,)."""
    logarithms = _log_densities(colors, mixture)
    largest = logarithms.max(axis=1)
    return np.asarray(largest + np.log(np.exp(logarithms - largest[:, None]).sum(axis=1)))


def _fit_to_members(colors: Floats, members: Floats) -> Mixture:
    """Return the Gaussians of colors (N, 3) that belong to each Gaussian by the shares ``members`` (N, K)."""
    total = members.sum(axis=0) + 1e-6
    centers = members.T @ colors / total[:, None]
    offsets = colors[:, None] - centers
    covariances = np.einsum("nk,nkd,nke->kde", members, offsets, offsets) / total[:, None, None]
    return Mixture(centers, covariances + LEAST_VARIANCE * np.eye(3), total / total.sum())


def _log_densities(colors: Floats, mixture: Mixture) -> Floats:
    """Return the logarithm of each Gaussian's part of the density, (N, K)."""
    offsets = colors[:, None] - mixture.centers
    squares = np.einsum("nkd,kde,nke->nk", offsets, np.linalg.inv(mixture.covariances), offsets)
    return np.asarray(np.log(mixture.shares) - (squares + np.linalg.slogdet(mixture.covariances)[1]) / 2)
