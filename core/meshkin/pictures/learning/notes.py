"""How far a learning has come, noted in a file so that one that was stopped goes on."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from ...base.progress import ProgressCallback
from ...base.storage import UNREADABLE
from ...models import torch_files

NOTED_EVERY = 20.0
"""Seconds after which a learning notes how far it has come. Chosen."""


class NotedLearning(Protocol):
    """A learning, and how far it has come.

    Attributes:
        step: how many steps are done.
        steps: of the whole learning.
        told: what it does, in words.
    """

    step: int

    @property
    def steps(self) -> int: ...

    @property
    def told(self) -> str: ...

    def state(self) -> dict[str, Any]:
        """Everything that :meth:`restore` needs to go on from here, as PyTorch saves it."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where :meth:`state` was taken; raises what a state of another learning makes PyTorch raise."""


def taken_up(learning: NotedLearning, notes: Path, report: ProgressCallback) -> Callable[[], None]:
    """Bring a learning to where an earlier try was stopped, if there was one.

    Args:
        learning: at its beginning.
        notes: the file in which it is noted how far it has come.
        report: told the progress; may raise Cancelled, after which the next try goes on from here.

    Returns a function to be called after each step, which reports and notes. It raises StorageError; what was noted
    before stays then.
    """
    if notes.is_file():
        fresh = copy.deepcopy(learning.state())
        try:
            learning.restore(torch_files.load(notes))
        except UNREADABLE:
            learning.restore(fresh)
    saved = time.monotonic()

    def tick() -> None:
        nonlocal saved
        try:
            report(learning.told, learning.step / learning.steps)
        except BaseException:
            torch_files.save(notes, learning.state())
            raise
        if time.monotonic() - saved > NOTED_EVERY:
            torch_files.save(notes, learning.state())
            saved = time.monotonic()

    return tick


@contextlib.contextmanager
def repeatable() -> Iterator[None]:
    """Let PyTorch take only algorithms that give the same twice, where it has such."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
