"""What a fit changes: the turns of the bones and the place of the whole, in all frames of a window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .clip import Motion, PosableShape
from .settings import FitSettings
from .skinning import turns_of


@dataclass(frozen=True)
class Freedom:
    """Which bones may turn: their numbers (N,).

    The parameters of a frame are in this order: turn and shift of the whole (3 + 3), turns (3 N). Turns are about each
    bone's own axes, as it is posed.
    """

    turning: Tensor

    @property
    def count(self) -> int:
        """Parameters of a frame."""
        return 6 + 3 * len(self.turning)


@dataclass(frozen=True)
class Stage:
    """A part of a fit: what may change, in how many rounds, and whether outlines count."""

    name: str
    rounds: int
    freedom: Freedom
    with_outlines: bool


LAST_LOOKS = 2
"""Stages at the end in which outlines count. Chosen: when every limb is near where it is seen."""


def stages(shape: PosableShape, settings: FitSettings) -> tuple[list[Stage], list[Stage]]:
    """The stages of a fit: the whole alone; with large bones; with all; and all again, with what was learned."""
    carried, numbers = shape.carried, np.arange(len(shape.parents))
    is_main = numbers == shape.main_root
    is_large = (carried >= settings.large * carried[shape.main_root]) & ~is_main
    every = _freedom(shape.moved & ~is_main)
    looks = max(settings.side_looks, LAST_LOOKS)
    return [
        Stage("Placing the character", settings.root_rounds, _freedom(np.zeros(len(numbers), bool)), False),
        Stage("Fitting large bones", settings.limb_rounds, _freedom(is_large), False),
        Stage("Fitting all bones", settings.all_rounds, every, False),
    ], [
        Stage("Telling left from right", settings.side_rounds, every, number >= looks - LAST_LOOKS)
        for number in range(looks)
    ]


def _freedom(turning: NDArray[np.bool_]) -> Freedom:
    return Freedom(torch.from_numpy(np.flatnonzero(turning)))


@dataclass(frozen=True)
class PoseState:
    """A motion as tensors; see :class:`meshkin.video.clip.Motion`."""

    turns: Tensor
    shifts: Tensor
    root: Tensor

    @staticmethod
    def of(motion: Motion) -> PoseState:
        return PoseState(
            *(torch.from_numpy(np.array(each, np.float64)) for each in (motion.turns, motion.shifts, motion.root))
        )

    def motion(self) -> Motion:
        """The same as arrays."""
        return Motion(self.turns.numpy(), self.shifts.numpy(), self.root.numpy())

    def part(self, frames: slice) -> PoseState:
        """Only these frames."""
        return PoseState(self.turns[frames], self.shifts[frames], self.root[frames])

    def with_part(self, frames: slice, part: PoseState) -> PoseState:
        """The motion with these frames replaced."""
        turns, shifts, root = self.turns.clone(), self.shifts.clone(), self.root.clone()
        turns[frames], shifts[frames], root[frames] = part.turns, part.shifts, part.root
        return PoseState(turns, shifts, root)

    def stepped(self, step: Tensor, freedom: Freedom) -> PoseState:
        """The motion changed by a step (T, n) of a freedom's parameters."""
        turning = freedom.turning
        turns, root = self.turns.clone(), self.root.clone()
        root[:, :3, :3] = root[:, :3, :3] @ turns_of(step[:, :3])
        root[:, :3, 3] += step[:, 3:6]
        turns[:, turning] = turns[:, turning] @ turns_of(step[:, 6:].reshape(len(step), -1, 3))
        return PoseState(turns, self.shifts, root)
