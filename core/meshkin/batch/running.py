"""Running a plan on an engine: what is ready is handed out, and what comes back makes more ready."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Collection, Generator, Sequence
from typing import Protocol

from ..base.errors import InputError
from ..base.progress import Progress, rounded_seconds
from . import records
from .plan import Plan, Task
from .records import Record

LOOK_SECONDS = 1.0
"""Seconds after which the estimate of the time left is made anew while nothing ends. Chosen."""


class Engine(Protocol):
    """Runs tasks. What a task ends with, its engine writes as its record into the batch's folder."""

    slots: int
    """How many tasks it runs at once."""

    def takes(self, task: Task) -> bool:
        """Whether it has room for this task now."""

    def submit(self, task: Task) -> None:
        """Begin a task for which there is room."""

    def ended(self) -> list[str]:
        """The IDs of the tasks that have ended since this was asked last; their records are written."""

    def close(self) -> None:
        """End everything that still runs."""


def run(plan: Plan, tasks: Sequence[Task], engine: Engine) -> Generator[Progress, None, list[Record]]:
    """Run tasks of a plan that are not finished yet; returns the records of all of them, in order.

    An item that fails stops those alone that come after it. Closing the generator ends what runs; what has ended by
    then stays.
    """
    needed = {name for task in tasks for name in (task.id, *task.item.after)}
    finished = {task.id for task in plan.tasks if task.id in needed and is_finished(plan, task)}
    todo = [task for task in tasks if task.id not in finished]
    for task in todo:
        records.record_file(plan.folder, task.id).unlink(missing_ok=True)
    schedule = _Schedule(plan, todo, finished)
    looked = -math.inf  # when it was seen last what is ready: that takes time where tens of thousands wait
    with contextlib.closing(engine):
        while schedule.is_going():
            ended = engine.ended()
            for name in ended:
                schedule.ended(name)
            if ended or time.monotonic() - looked > LOOK_SECONDS:
                for task in schedule.ready():
                    if engine.takes(task):
                        schedule.started(task)
                        engine.submit(task)
                progress = schedule.progress(len(tasks), engine.slots)
                looked = time.monotonic()
            yield progress
    return [records.read(plan.folder, task.id) or records.empty(task, "") for task in tasks]


def is_finished(plan: Plan, task: Task) -> bool:
    """Whether a task went well with the same arguments and inputs, and its output is there."""
    record = records.read(plan.folder, task.id)
    return record is not None and record.is_finished and record.key == task.key


class _Schedule:
    """Which tasks wait, run and have ended, and how long those of each kind took."""

    def __init__(self, plan: Plan, todo: Sequence[Task], finished: Collection[str]) -> None:
        self._plan = plan
        self._waiting = {task.id: task for task in todo}
        self._running: dict[str, tuple[Task, float]] = {}
        self._well = set(finished)
        self._seconds: dict[str, list[float]] = {}

    def is_going(self) -> bool:
        return bool(self._waiting or self._running)

    def ready(self) -> list[Task]:
        """The tasks that may begin, in order. Those that never can are given up, with a record that says why."""
        ready = []
        for task in list(self._waiting.values()):
            missing = [other for other in task.item.after if other not in self._well]
            if not missing:
                ready.append(task)
            elif not any(other in self._waiting or other in self._running for other in missing):
                self._block(task, missing[0])
        return ready

    def _block(self, task: Task, missing: str) -> None:
        del self._waiting[task.id]
        what = f"“{missing}” did not go well, and this comes after it."
        answer = records.failure(InputError("batch-blocked", what, "Mend that one first."))
        records.write(self._plan.folder, records.ended(records.empty(task, task.key), None, time.time(), answer))

    def started(self, task: Task) -> None:
        del self._waiting[task.id]
        self._running[task.id] = task, time.monotonic()

    def ended(self, name: str) -> None:
        task, began = self._running.pop(name)
        self._seconds.setdefault(task.item.verb, []).append(time.monotonic() - began)
        if is_finished(self._plan, task):
            self._well.add(name)

    def progress(self, count: int, slots: int) -> Progress:
        """How far the whole is."""
        done = count - len(self._waiting) - len(self._running)
        text = f"{done} of {count} items"
        if (seconds := self._seconds_left(slots)) is not None:
            text += f", about {seconds} s left" if seconds < 120 else f", about {seconds // 60} min left"
        return Progress(text, done / max(count, 1))

    def _seconds_left(self, slots: int) -> int | None:
        """About how long the rest will take; what no item of its kind tells takes as long as all others on average."""
        every = [seconds for each in self._seconds.values() for seconds in each]
        if not every:
            return None
        mean = {verb: sum(each) / len(each) for verb, each in self._seconds.items()}
        usual, now = sum(every) / len(every), time.monotonic()
        left = sum(mean.get(task.item.verb, usual) for task in self._waiting.values())
        for task, began in self._running.values():
            left += max(mean.get(task.item.verb, usual) - (now - began), 0.0)
        return rounded_seconds(left / max(min(slots, len(self._waiting) + len(self._running)), 1))
