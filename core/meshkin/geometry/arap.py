"""Surfaces that resist everything but turning.

Source: Sorkine and Alexa, "As-Rigid-As-Possible Surface Modeling" (SGP 2007): rotations and places in turn.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]


class Elastic:
    """Points joined by springs that are at rest as given.

    Args:
        points: (V, 3).
        pairs: int (E, 2), the points that each spring joins.
        strength: (E,), of the springs, above 0.
    """

    def __init__(self, points: Floats, pairs: NDArray[np.integer], strength: Floats) -> None:
        size, links = len(points), len(pairs)
        ends = (np.repeat(np.arange(links), 2), pairs.ravel())
        self._pairs, self._strength = pairs, strength
        self._difference = sparse.csr_array((np.tile([1.0, -1.0], links), ends), shape=(links, size))
        self._around = sparse.csr_array((np.repeat(strength, 2), ends[::-1]), shape=(size, links))
        self._springs = self._difference.T @ sparse.diags_array(strength) @ self._difference
        self._rest = self._difference @ points

    def held(self, hold: Floats) -> Callable[[Floats, Floats], Floats]:
        """A solver for the points, each held by ``hold`` (V,), above 0.

        It takes the turn at each point (V, 3, 3) and ``hold`` times the place that each is held at (V, 3).
        """
        with threadpool_limits(1, user_api="blas"):
            factors = splu(
                sparse.csc_array(self._springs + sparse.diags_array(hold)),
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )

        def solve(turns: Floats, wanted: Floats) -> Floats:
            mean = (turns[self._pairs[:, 0]] + turns[self._pairs[:, 1]]) / 2
            forces = self._difference.T @ (self._strength[:, None] * np.einsum("eij,ej->ei", mean, self._rest))
            with threadpool_limits(1, user_api="blas"):
                return np.asarray(factors.solve(forces + wanted))

        return solve

    def turns(self, places: Floats) -> Floats:
        """The rotation at each point that its springs have made, (V, 3, 3)."""
        now = self._difference @ places
        outer = (now[:, :, None] * self._rest[:, None, :]).reshape(len(now), 9)
        return rotations((self._around @ outer).reshape(len(places), 3, 3))


def springs(stiffness: sparse.csc_array) -> tuple[NDArray[np.int64], Floats]:
    """The pairs (E, 2) that a Laplacian joins, and how strongly."""
    entries = sparse.triu(stiffness, 1).tocoo()
    kept = entries.data < 0
    return np.stack((entries.row, entries.col), axis=1)[kept].astype(np.int64), -entries.data[kept]


def rotations(matrices: Floats) -> Floats:
    """The rotation nearest to each matrix (…, 3, 3)."""
    left, _, right = np.linalg.svd(matrices)
    sign = np.linalg.det(left) * np.linalg.det(right)
    left[..., :, 2] *= np.where(sign < 0, -1.0, 1.0)[..., None]
    found: Floats = left @ right
    return found


def aligned(points: Floats, goals: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """The turn (3, 3) that brings points nearest to goals; the shift (3,) that brings these to the turned points."""
    share = weight / max(float(weight.sum()), 1e-30)
    center, middle = share @ points, share @ goals
    turn = rotations(((goals - middle) * share[:, None]).T @ (points - center))
    return turn, turn @ center - middle
