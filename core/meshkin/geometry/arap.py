"""Surfaces that resist everything but turning, or turning and growing: as-rigid-as-possible deformation.

Source: Sorkine and Alexa, "As-Rigid-As-Possible Surface Modeling" (SGP 2007), which solves for rotations and positions
in turn.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .arrays import Floats
from .laplacian import factorized
from .rigid_motions import nearest_rotations

SHORTEST_SPRING = 1e-15
"""Least length of springs. Chosen, so that no division is by zero."""


class RigidSprings:
    """Points joined by springs that are at rest in the given positions.

    Args:
        points: (V, 3).
        pairs: int (E, 2), the points that each spring joins.
        strength: (E,), of the springs, above 0.
    """

    def __init__(self, points: Floats, pairs: NDArray[np.integer], strength: Floats) -> None:
        size, count = len(points), len(pairs)
        ends = (np.repeat(np.arange(count), 2), pairs.ravel())
        self._pairs, self._strength = pairs, strength
        self._difference = sparse.csr_array((np.tile([1.0, -1.0], count), ends), shape=(count, size))
        self._around = sparse.csr_array((np.repeat(strength, 2), ends[::-1]), shape=(size, count))
        self._stiffness = self._difference.T @ sparse.diags_array(strength) @ self._difference
        self._rest = self._difference @ points

    def position_solver(self, hold: Floats) -> Callable[[Floats, Floats], Floats]:
        """A solver for the positions (V, 3), each point being held by ``hold`` (V,), above 0.

        It takes the rotation, or rotation and growth, at each point (V, 3, 3), and ``hold`` times the position at
        which each is held (V, 3).
        """
        solve = factorized(sparse.csc_array(self._stiffness + sparse.diags_array(hold)))

        def positions(rotations: Floats, held: Floats) -> Floats:
            mean = (rotations[self._pairs[:, 0]] + rotations[self._pairs[:, 1]]) / 2
            forces = self._difference.T @ (self._strength[:, None] * np.einsum("eij,ej->ei", mean, self._rest))
            return solve(forces + held)

        return positions

    def rotations(self, positions: Floats, wanted: Floats | float = 0.0) -> Floats:
        """The rotation at each point (V, 3, 3) that comes nearest to what its springs have done, and to what is
        ``wanted``: sums of ``y x^T`` (V, 3, 3) over directions x at rest and where they shall point."""
        current = self._difference @ positions
        outer = (current[:, :, None] * self._rest[:, None, :]).reshape(len(current), 9)
        return nearest_rotations((self._around @ outer).reshape(len(positions), 3, 3) + wanted)

    def growth(self, positions: Floats, rotations: Floats) -> Floats:
        """How many times larger the surroundings of each point (V,) have become: least squares, given rotations."""
        mean = (rotations[self._pairs[:, 0]] + rotations[self._pairs[:, 1]]) / 2
        along = np.einsum("ei,eij,ej->e", self._difference @ positions, mean, self._rest)
        square = np.einsum("ei,ei->e", self._rest, self._rest)
        return np.asarray((self._around @ along) / np.maximum(self._around @ square, SHORTEST_SPRING**2))


def laplacian_springs(stiffness: sparse.csc_array) -> tuple[NDArray[np.int64], Floats]:
    """The pairs of vertices (E, 2) that a Laplacian joins by a positive weight, and these weights (E,)."""
    entries = sparse.triu(stiffness, 1).tocoo()
    kept = entries.data < 0
    return np.stack((entries.row, entries.col), axis=1)[kept].astype(np.int64), -entries.data[kept]
