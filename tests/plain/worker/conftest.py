"""Workers that are started for a test and end with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.workers import COMMAND, Start
from meshkin.worker.client import TimeLimits, Worker


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MeshKin's folder for a test, with letters that not every program takes."""
    monkeypatch.setenv("MESHKIN_HOME", str(tmp_path / "Zuhause 日本"))


@pytest.fixture
def start(own_home: None) -> Iterator[Start]:
    workers: list[Worker] = []

    def begin(*command: str | Path, clock: Callable[[], float] = time.monotonic, **limits: float) -> Worker:
        workers.append(Worker(command or COMMAND, limits=TimeLimits(**limits), clock=clock))
        return workers[-1]

    yield begin
    for worker in workers:
        worker.stop()
