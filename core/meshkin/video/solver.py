"""Damped steps of Gauss and Newton for all frames of a window at once (Levenberg 1944, Marquardt 1963)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from scipy.linalg import LinAlgError, solveh_banded
from torch import Tensor

from ..geometry.arrays import Floats
from ..geometry.laplacian import single_thread
from .residuals import Normal, Residuals
from .state import Freedom, PoseState

DAMPING = 1e-3
"""Share of the diagonal that is added to it at first. Chosen."""
MOST_DAMPING = 1e6
"""Damping at which no step helps any more. Chosen."""
EASED, RAISED = 0.3, 5.0
"""What the damping is multiplied by after a step that helped, and after one that did not. Chosen."""
CONVERGED = 1e-4
"""Share by which the sum of squares must fall in a round, else the stage ends. Chosen."""
FIXED = 1e15
"""Diagonal of a parameter that must not change. Chosen: far above any other."""


def minimize(
    residuals: Residuals, state: PoseState, freedom: Freedom, held: Tensor, rounds: int, report: Callable[[float], None]
) -> PoseState:
    """Reduce the sum of squares in at most so many rounds; frames in ``held`` (T,) do not change.

    ``report`` is told the share that is done, and may raise Cancelled.
    """
    with single_thread(), _one_thread():
        return _minimized(residuals, state, freedom, held, rounds, report)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch run in one thread: its other threads wait for each other longer than tensors as small as these take."""
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(count)


def _minimized(
    residuals: Residuals, state: PoseState, freedom: Freedom, held: Tensor, rounds: int, report: Callable[[float], None]
) -> PoseState:
    damping, cost = DAMPING, residuals.cost(state, freedom)
    for number in range(rounds):
        report(number / rounds)
        normal, before = residuals.normal(state, freedom), cost
        while damping < MOST_DAMPING:
            step = _step(normal, damping, held)
            tried = None if step is None else state.stepped(step, freedom)
            if tried is not None and (new := residuals.cost(tried, freedom)) < cost:
                state, cost, damping = tried, new, damping * EASED
                break
            damping *= RAISED
        if before - cost <= CONVERGED * before:
            break
    return state


def _step(normal: Normal, damping: float, held: Tensor) -> Tensor | None:
    """The step (T, n); None where the damped equations have no solution."""
    frames, count = normal.gradient.shape
    blocks = normal.blocks.clone()
    diagonal = blocks.diagonal(dim1=1, dim2=2)
    diagonal += damping * diagonal + 1e-9
    diagonal[held] = FIXED
    gradient = torch.where(held[:, None], torch.zeros_like(normal.gradient), normal.gradient)
    try:
        solved = solveh_banded(
            _banded(blocks.numpy(), normal.next.numpy(), normal.over.numpy()), -gradient.numpy().ravel(), lower=True
        )
    except LinAlgError:
        return None
    step = torch.from_numpy(solved.reshape(frames, count))
    step[held] = 0
    return step


def _banded(blocks: Floats, following: Floats, over: Floats) -> Floats:
    """The lower bands of a matrix of blocks (T, n, n), and of diagonals one and two blocks below."""
    frames, count, _ = blocks.shape
    bands = np.zeros((min(2, frames - 1) * count + max(count if frames == 1 else 1, 1), frames * count))
    for below in range(count):
        rows = np.arange(count - below)
        bands[below].reshape(frames, count)[:, : count - below] = blocks[:, rows + below, rows]
    if frames > 1:
        bands[count, : (frames - 1) * count] = following.ravel()
    if frames > 2:
        bands[2 * count, : (frames - 2) * count] = over.ravel()
    return bands
