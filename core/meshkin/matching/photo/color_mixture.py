"""Mixtures of Gaussians of colours, by expectation maximisation (Dempster, Laird and Rubin 1977)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 4000
"""Most colours that a mixture is learned from."""
ROUNDS = 12
"""Rounds of each of the two stages."""
LEAST = 1e-3
"""Added to the variances: colours are not told apart more finely than by its square root."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """Gaussians: ``centres`` (K, 3), ``covariances`` (K, 3, 3), ``shares`` (K,), which sum to 1."""

    centres: Floats
    covariances: Floats
    shares: Floats


def mixture(colours: Floats, count: int) -> Mixture:
    """The mixture of ``count`` Gaussians that colours (N, 3) are likely to come from; N is at least 1."""
    random = np.random.default_rng(0)
    if len(colours) > SAMPLES:
        colours = colours[random.choice(len(colours), SAMPLES, replace=False)]
    centres = colours[random.choice(len(colours), count, replace=len(colours) < count)]
    for _ in range(ROUNDS):
        nearest = ((colours[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        members = np.eye(count)[nearest]
        total = members.sum(axis=0)[:, None]
        centres = np.where(total > 0, members.T @ colours / np.maximum(total, 1), centres)
    found = _fitted(colours, members)
    for _ in range(ROUNDS):
        each = _each(colours, found)
        members = np.exp(each - each.max(axis=1, keepdims=True))
        found = _fitted(colours, members / members.sum(axis=1, keepdims=True))
    return found


def likelihood(colours: Floats, found: Mixture) -> Floats:
    """The logarithm of the density of a mixture at colours (N, 3), up to a constant: (N,)."""
    each = _each(colours, found)
    most = each.max(axis=1)
    return np.asarray(most + np.log(np.exp(each - most[:, None]).sum(axis=1)))


def _fitted(colours: Floats, members: Floats) -> Mixture:
    """Gaussians of colours that belong to each by ``members`` (N, K)."""
    total = members.sum(axis=0) + 1e-6
    centres = members.T @ colours / total[:, None]
    away = colours[:, None] - centres
    covariances = np.einsum("nk,nkd,nke->kde", members, away, away) / total[:, None, None]
    return Mixture(centres, covariances + LEAST * np.eye(3), total / total.sum())


def _each(colours: Floats, found: Mixture) -> Floats:
    """The logarithm of each Gaussian's part of the density, (N, K)."""
    away = colours[:, None] - found.centres
    squares = np.einsum("nkd,kde,nke->nk", away, np.linalg.inv(found.covariances), away)
    return np.asarray(np.log(found.shares) - (squares + np.linalg.slogdet(found.covariances)[1]) / 2)
