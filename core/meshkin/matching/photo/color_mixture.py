"""Mixtures of Gaussians of colors, by expectation maximization (Dempster, Laird and Rubin 1977)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 4000
"""Most colors that a mixture is learned from."""
ROUNDS = 12
"""Rounds of each of the two stages."""
LEAST = 1e-3
"""Added to the variances: colors are not told apart more finely than by its square root."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """Gaussians: ``centers`` (K, 3), ``covariances`` (K, 3, 3), ``shares`` (K,), which sum to 1."""

    centers: Floats
    covariances: Floats
    shares: Floats


def mixture(colors: Floats, count: int) -> Mixture:
    """The mixture of ``count`` Gaussians that colors (N, 3) are likely to come from; N is at least 1."""
    random = np.random.default_rng(0)
    if len(colors) > SAMPLES:
        colors = colors[random.choice(len(colors), SAMPLES, replace=False)]
    centers = colors[random.choice(len(colors), count, replace=len(colors) < count)]
    for _ in range(ROUNDS):
        nearest = ((colors[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
        members = np.eye(count)[nearest]
        total = members.sum(axis=0)[:, None]
        centers = np.where(total > 0, members.T @ colors / np.maximum(total, 1), centers)
    found = _fitted(colors, members)
    for _ in range(ROUNDS):
        each = _each(colors, found)
        members = np.exp(each - each.max(axis=1, keepdims=True))
        found = _fitted(colors, members / members.sum(axis=1, keepdims=True))
    return found


def likelihood(colors: Floats, found: Mixture) -> Floats:
    """The logarithm of the density of a mixture at colors (N, 3), up to a constant: (N,)."""
    each = _each(colors, found)
    most = each.max(axis=1)
    return np.asarray(most + np.log(np.exp(each - most[:, None]).sum(axis=1)))


def _fitted(colors: Floats, members: Floats) -> Mixture:
    """Gaussians of colors that belong to each by ``members`` (N, K)."""
    total = members.sum(axis=0) + 1e-6
    centers = members.T @ colors / total[:, None]
    away = colors[:, None] - centers
    covariances = np.einsum("nk,nkd,nke->kde", members, away, away) / total[:, None, None]
    return Mixture(centers, covariances + LEAST * np.eye(3), total / total.sum())


def _each(colors: Floats, found: Mixture) -> Floats:
    """The logarithm of each Gaussian's part of the density, (N, K)."""
    away = colors[:, None] - found.centers
    squares = np.einsum("nkd,kde,nke->nk", away, np.linalg.inv(found.covariances), away)
    return np.asarray(np.log(found.shares) - (squares + np.linalg.slogdet(found.covariances)[1]) / 2)
