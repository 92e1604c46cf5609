"""Descriptors of points made of eigenvalues and eigenfunctions: the wave kernel and the heat kernel signature."""

from __future__ import annotations

import numpy as np

from ..geometry.arrays import Floats

ENERGIES = 64
"""Energy levels of the wave kernel signature. Chosen."""
TIMES = 32
"""Times of the heat kernel signature. Chosen."""


def wave_kernel(eigenvalues: Floats, eigenfunctions: Floats, energies: int = ENERGIES) -> Floats:
    """Wave kernel signatures, float64 (V, energies), at energy levels evenly spaced in the logarithm.

    Aubry, Schlickewei and Cremers, "The Wave Kernel Signature" (ICCV Workshops 2011), section 4. The first eigenpair
    (the constant function) is left out.

    Args:
        eigenvalues: (K,), ascending.
        eigenfunctions: (V, K).
        energies: number of energy levels.
    """
    positive, squared = _varying(eigenvalues, eigenfunctions)
    logs = np.log(positive)
    # As in the code of the paper: the levels end a little below the last eigenvalue and are 7 steps wide.
    levels = np.linspace(logs[0], logs[-1] / 1.02 if logs[-1] > 0 else logs[-1], energies)
    width = max(7 * abs(levels[1] - levels[0]), 0.1)
    gains = np.exp(-((levels - logs[:, None]) ** 2) / (2 * width**2))
    signatures: Floats = squared @ (gains / np.maximum(gains.sum(axis=0), 1e-300))
    return signatures


def heat_kernel(eigenvalues: Floats, eigenfunctions: Floats, times: int = TIMES) -> Floats:
    """Heat kernel signatures, float64 (V, times), each time's divided by the heat trace.

    Sun, Ovsjanikov and Guibas, "A Concise and Provably Informative Multi-Scale Signature" (SGP 2009), section 4.
    The first eigenpair (the constant function) is left out.

    Args:
        eigenvalues: (K,), ascending.
        eigenfunctions: (V, K).
        times: number of times, evenly spaced in the logarithm.
    """
    positive, squared = _varying(eigenvalues, eigenfunctions)
    # As in the paper: the longest time leaves 1e-4 of the first eigenfunction's heat, the shortest of the last one's.
    moments = np.geomspace(4 * np.log(10) / positive[-1], 4 * np.log(10) / positive[0], times)
    gains = np.exp(-positive[:, None] * moments)
    signatures: Floats = squared @ (gains / np.maximum(gains.sum(axis=0), 1e-300))
    return signatures


def _varying(eigenvalues: Floats, eigenfunctions: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues and squared eigenfunctions without the constant one (a single vertex has no other)."""
    first = min(1, len(eigenvalues) - 1)
    return np.maximum(eigenvalues[first:], 1e-6), eigenfunctions[:, first:] ** 2
