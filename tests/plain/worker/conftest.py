"""Workers that are started for a test and end with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.workers import COMMAND, ChildWorker, Start
from meshkin.worker.child import Child
from meshkin.worker.running import TimeLimits


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MeshKin's folder for a test, with letters that not every program takes."""
    monkeypatch.setenv("MESHKIN_HOME", str(tmp_path / "Zuhause 日本"))


@pytest.fixture
def start(own_home: None) -> Iterator[Start]:
    workers: list[ChildWorker] = []

    def begin(*command: str | Path, clock: Callable[[], float] = time.monotonic, **limits: float) -> ChildWorker:
        workers.append(ChildWorker(Child(command or COMMAND), TimeLimits(**limits), clock))
        return workers[-1]

    yield begin
    for worker in workers:
        worker.stop()
