"""Runs one job at a time: a generator that yields ``meshkin.base.progress.Progress`` and returns a ``Report``.

With a window, a modal operator advances it a little at every tick of a timer, so that Blender stays usable. Without
one, or from a script, the same generator is run to its end.
"""

from __future__ import annotations

import re
import sys
import time
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import bpy

from . import status

if TYPE_CHECKING:
    from meshkin.base.progress import Progress
    from meshkin.workflow import Report

TICK = 0.1
"""Seconds between two ticks of the timer."""
BUDGET = 0.04
"""Seconds of each tick that the job may take; a single longer step is not interrupted."""


@dataclass
class RunningJob:
    """The running job; panels read ``title``, ``stage`` and ``fraction``."""

    title: str
    steps: Generator[Progress, None, Report]
    timer: bpy.types.Timer
    workspace: str
    stage: str = "Starting"
    fraction: float = 0.0
    ticked: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """How the last job ended, for the panel."""

    title: str
    lines: list[str] = field(default_factory=list)
    icon: str = "CHECKMARK"


running: RunningJob | None = None
outcome: Outcome | None = None


def cancel() -> None:
    """Stop the running job, if there is one, and leave the scene as it was."""
    global outcome
    if running is not None:
        outcome = Outcome(f"{running.title}: cancelled.", icon="CANCEL")
        _close()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def before_load(*_: object) -> None:
    """Stop the running job and forget the last one before another file takes the place of this one."""
    global outcome
    cancel()
    outcome = None


def _close() -> None:
    """End the running job: its generator, timer, status text and progress bar."""
    global running
    job, running = running, None
    assert job is not None
    try:
        job.steps.close()
    finally:
        bpy.context.window_manager.event_timer_remove(job.timer)
        if workspace := bpy.data.workspaces.get(job.workspace):
            workspace.status_text_set(None)
        status.request()


def _failure(title: str, error: Exception) -> str:
    """Remember a failed job for the panel; the sentence to report. Details of a surprise go to the console."""
    from meshkin.base.errors import Cancelled, MeshKinError

    global outcome
    if isinstance(error, Cancelled):
        outcome = Outcome(f"{title}: cancelled.", icon="CANCEL")
        return error.message
    if isinstance(error, MeshKinError):
        message, *log = error.message.splitlines()
        if log:
            print(error, file=sys.stderr)
            message = re.sub(r" [^.]*:$", "", message)  # the words that lead to the log
        outcome = Outcome(message, [error.fix] if error.fix else [], icon="ERROR")
        return f"{message} {error.fix}".strip()
    traceback.print_exception(error)
    outcome = Outcome(f"{title} failed unexpectedly: {error}", ["Details are in the system console."], icon="ERROR")
    return f"{title} failed unexpectedly ({type(error).__name__}: {error}). Details are in the system console."


class JobOperator:
    """Mixin of operators that run a job: they say which by ``steps``; this does the rest."""

    bl_label: str
    report: Callable[[set[str], str], None]
    _job: RunningJob | None = None

    def steps(self, context: bpy.types.Context) -> Generator[Progress, None, Report]:
        """The job; may raise MeshKinError at once."""
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start the job under a timer."""
        return self.start(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run the job to its end."""
        from meshkin.base.progress import finish

        try:
            report = finish(self.steps(context))
        except Exception as error:
            return self._failed(error)
        finally:
            status.request()
        return self._finished(report)

    def start(self, context: bpy.types.Context) -> set[str]:
        """Make the job the running one and take its first step, which tells at once of input that cannot be used."""
        global running, outcome
        try:
            steps = self.steps(context)
        except Exception as error:
            return self._failed(error)
        manager = context.window_manager
        window = context.window.parent or context.window  # the preferences may be closed before the job ends
        timer = manager.event_timer_add(TICK, window=window)
        running = self._job = RunningJob(self.bl_label, steps, timer, window.workspace.name)
        outcome = None
        result = self._advance()
        if result != {"PASS_THROUGH"}:
            return result
        with context.temp_override(window=window):
            manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Advance the job at each tick; Esc stops it; every other event passes through."""
        if self._job is not running or running is None:
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS":
            cancel()
            self.report({"INFO"}, f"{self.bl_label}: cancelled")
            return {"CANCELLED"}
        if event.type == "TIMER" and time.monotonic() - running.ticked >= TICK / 2:
            return self._advance()
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Called by Blender when it drops the operator (its window was closed)."""
        if self._job is running:
            cancel()

    def _advance(self) -> set[str]:
        job = running
        assert job is not None
        before = (job.stage, job.fraction)
        deadline = time.monotonic() + BUDGET
        try:
            while time.monotonic() < deadline:
                progress: Any = next(job.steps)
                if (progress.stage, progress.fraction) == (job.stage, job.fraction):
                    break  # nothing new: the worker is busy
                job.stage, job.fraction = progress.stage, progress.fraction
        except StopIteration as stop:
            _close()
            return self._finished(stop.value)
        except Exception as error:
            _close()
            return self._failed(error)
        job.ticked = time.monotonic()
        if (job.stage, job.fraction) != before:
            if workspace := bpy.data.workspaces.get(job.workspace):
                workspace.status_text_set(f"{job.title}: {job.stage} {job.fraction:.0%}    Esc: Cancel")
            status.redraw()
        return {"PASS_THROUGH"}

    def _finished(self, report: Report) -> set[str]:
        global outcome
        title, *details = report.lines()
        outcome = Outcome(title, details)
        for line in (*details, report.summary()):  # the last one is seen in the status bar, all in the Info editor
            self.report({"INFO"}, line)
        status.redraw()
        return {"FINISHED"}

    def _failed(self, error: Exception) -> set[str]:
        from meshkin.base.errors import Cancelled

        self.report({"WARNING"} if isinstance(error, Cancelled) else {"ERROR"}, _failure(self.bl_label, error))
        status.redraw()
        return {"CANCELLED"}
