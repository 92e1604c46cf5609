"""Running a job to its end: what is told, and what an interrupt does."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from meshkin.base.errors import Cancelled
from meshkin.base.progress import Progress, finish


def test_finish_closes_the_job_when_the_listener_fails() -> None:
    closed = []

    def job() -> Generator[Progress, None, int]:
        try:
            yield Progress("One", 0.0)
            yield Progress("Two", 0.5)
        finally:
            closed.append(True)
        return 7

    def listener(progress: Progress) -> None:
        raise RuntimeError("the terminal is gone")

    with pytest.raises(RuntimeError):
        finish(job(), listener)
    assert closed == [True]
    assert finish(job()) == 7


def test_finish_tells_each_progress_once() -> None:
    def job() -> Generator[Progress, None, None]:
        for stage in "aaabba":
            yield Progress(stage, 0.0)

    told: list[str] = []
    finish(job(), lambda progress: told.append(progress.stage))
    assert told == ["a", "b", "a"]


def test_finish_turns_an_interrupt_into_a_cancel() -> None:
    def job() -> Generator[Progress, None, None]:
        yield Progress("One", 0.0)
        raise KeyboardInterrupt

    with pytest.raises(Cancelled):
        finish(job())
