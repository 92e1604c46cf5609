"""Texels along seams changed as little as it takes for the two sides of each seam to agree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import lsmr

from ...geometry.arrays import Floats, Integers, Singles
from .seams import SeamSpots
from .settings import SeamSolverSettings


def remove_steps(
    values: Singles,
    spots: SeamSpots,
    rows: Integers,
    hold: Singles,
    limits: tuple[Singles, Singles],
    solved_before: int = 0,
    settings: SeamSolverSettings = SeamSolverSettings(),
) -> Integers:
    """Change texels as little as it takes for the steps at some spots to vanish.

    Least squares over the texels that these spots show; other spots that show these texels keep the step that they have
    (seam optimization of light maps, Iwanicki, "Lighting Technology of The Last of Us", SIGGRAPH 2013). Solver: LSMR
    (Fong and Saunders 2011).

    Args:
        values: float32 (P, C), the texels', changed in place.
        spots: along the seams; their ``texels`` are rows of ``values``.
        rows: int64 (K,), the spots whose steps shall vanish.
        hold: (P,), how strongly each texel keeps its value, up to 1 for one that is covered.
        limits: (C,) twice, the least and the greatest value of each channel.
        solved_before: how many solutions there have been before this one.
        settings: the balance.

    Returns:
        the rows of ``values`` that may have changed.
    """
    changed = np.unique(spots.texels[:, rows])
    number = np.full(len(values), -1)
    number[changed] = np.arange(len(changed))
    touching = np.flatnonzero((number[spots.texels] >= 0).any(axis=(0, 2)))
    part = spots.chosen(touching)
    freedom = 1 / np.sqrt(settings.hold * settings.hold_decay**solved_before * hold[changed])
    matrix = _step_matrix(part, number, freedom)
    wanted = np.zeros(spots.faces.shape[1], bool)
    wanted[rows] = True
    missing = np.where(wanted[touching, None], -part.steps(values), 0).astype(np.float64)
    most = np.where(hold[changed] < 1, np.inf, settings.most_change)

    def change(matrix: csr_array, steps: Floats) -> Floats:
        tolerance = settings.tolerance
        solution = lsmr(matrix, steps, damp=1, atol=tolerance, btol=tolerance, maxiter=settings.most_iterations)[0]
        return np.asarray(np.clip(freedom * solution, -most, most))

    for channel in range(values.shape[1]):
        old = values[changed, channel]
        new = old + change(matrix, missing[:, channel])
        low, high = limits[0][channel], limits[1][channel]
        beyond = (new < low) | (new > high)
        if beyond.any():
            # Texels that can go no farther stay at the limit, and the others make up for them.
            fixed = np.where(beyond, np.clip(new, low, high) - old, 0)
            others = matrix.copy()
            others.data[beyond[others.indices]] = 0
            new = old + fixed + np.where(beyond, 0, change(others, missing[:, channel] - matrix @ (fixed / freedom)))
        values[changed, channel] = np.clip(new, low, high)
    return changed


def _step_matrix(spots: SeamSpots, number: NDArray[Any], freedom: Floats) -> csr_array:
    """The sparse matrix from changes of texels, in units of their ``freedom``, to the changes of the spots' steps.

    Args:
        spots: (N,).
        number: (P,), the column of each texel, -1 for texels that do not change.
        freedom: (M,), of each column.
    """
    column = np.concatenate([number[spots.texels[0]], number[spots.texels[1]]], axis=1)
    share = np.concatenate([spots.shares[0], -spots.shares[1]], axis=1)
    row = np.broadcast_to(np.arange(len(column))[:, None], column.shape)
    free = column >= 0
    entries = (share[free] * freedom[column[free]], (row[free], column[free]))
    return coo_array(entries, shape=(len(column), len(freedom))).tocsr()
