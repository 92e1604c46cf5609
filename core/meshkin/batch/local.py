"""The engine of one machine: some runners, the first of which alone gets what needs the graphics card."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..base import temporary
from . import records
from .plan import Plan, Task
from .runners import Runner


class LocalEngine:
    """Runs tasks in processes of this machine (a :class:`meshkin.batch.running.Engine`)."""

    def __init__(self, plan: Plan, jobs: int, command: Sequence[str]) -> None:
        """Prepare it.

        Args:
            plan: whose tasks it will run.
            jobs: how many at once.
            command: what starts a runner.
        """
        self.slots = jobs
        self._plan, self._command = plan, command
        self._runners: list[Runner | None] = [None] * jobs
        self._stack = contextlib.ExitStack()
        temporary.remove_leftovers(Path(tempfile.gettempdir()), temporary.PREFIX)

    def takes(self, task: Task) -> bool:
        return self._place(task) is not None

    def _place(self, task: Task) -> int | None:
        """Which runner is to do a task: for the graphics card the first, for all else preferably another."""
        free = [number for number, runner in enumerate(self._runners) if runner is None or runner.is_free]
        if task.item.gpu:
            return 0 if 0 in free else None
        return free[-1] if free else None

    def submit(self, task: Task) -> None:
        place = self._place(task)
        assert place is not None
        runner = self._runners[place]
        if runner is None or not runner.is_alive:
            if runner is not None:
                runner.close()
            folder = self._stack.enter_context(temporary.temporary_folder())
            runner = Runner(self._command, self._plan.manifest.parent, self._plan.folder, folder)
            self._runners[place] = runner
        task.output.parent.mkdir(parents=True, exist_ok=True)
        runner.begin(records.empty(task, task.key))

    def ended(self) -> list[str]:
        return [name for runner in self._runners if runner is not None and (name := runner.ended())]

    def close(self) -> None:
        for runner in self._runners:
            if runner is not None:
                runner.close()
        self._stack.close()
