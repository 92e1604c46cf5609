"""Workers of tests as real processes, and the time that passes for them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import pytest

import meshkin
from helpers.places import CORE, TESTS
from meshkin.base.errors import MeshKinError
from meshkin.base.progress import Progress, finish
from meshkin.worker import messages
from meshkin.worker.child import Child
from meshkin.worker.running import TimeLimits, Worker

COMMAND = (sys.executable, TESTS / "helpers" / "worker_with_test_jobs.py", CORE)
"""Starts a worker that has the jobs of tests."""
HELLO = json.dumps(["HELLO", {"protocol": messages.PROTOCOL, "version": meshkin.__version__, "pid": 1}])
"""A worker's first message."""

R = TypeVar("R")


class ChildWorker(Worker):
    """A worker as a child of the test, and what only a child has."""

    def __init__(self, child: Child, limits: TimeLimits, clock: Callable[[], float]) -> None:
        self.child, self.log, self.end_of_log = child, child.log, child.end_of_log
        super().__init__(child, limits, clock)


Start = Callable[..., ChildWorker]
"""Starts a worker with a command (:data:`COMMAND`), a clock and time limits."""


class Clock:
    """A time that passes when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def running(self, job: Generator[Progress, None, R]) -> Generator[Progress, None, R]:
        """The job, five seconds a turn."""
        while True:
            try:
                progress = next(job)
            except StopIteration as end:
                result: R = end.value
                return result
            self.now += 5
            yield progress


def until(stage: str, job: Generator[Progress, None, Any]) -> Progress:
    """Go on with the job up to a stage."""
    for progress in job:
        if progress.stage == stage:
            return progress
        time.sleep(0.01)
    raise AssertionError(f"{stage} never came")


def failure(job: Generator[Progress, None, Any]) -> MeshKinError:
    """The error that a job ends with."""
    with pytest.raises(MeshKinError) as raised:
        finish(job)
    return raised.value
