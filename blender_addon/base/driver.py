"""Runs one job at a time. A job is a generator that yields ``Progress`` and returns a ``Report``.

In a window, a modal operator advances the generator a little at each tick of a timer, so that Blender stays usable. In
background mode and in scripts, the same generator runs to its end at once.
"""

from __future__ import annotations

import re
import sys
import time
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import bpy

from . import status
from .text import told, told_stage, translated

if TYPE_CHECKING:
    from meshkin.base.progress import Progress
    from meshkin.workflow import Report

TICK = 0.1
"""Seconds between two ticks of the timer. Chosen: progress looks smooth, and idle ticks cost nothing noticeable."""
BUDGET = 0.04
"""Seconds of each tick that the job may use; a single longer step is not interrupted. Chosen: more than half of the
time stays for Blender's own drawing."""

WARNING_ICON = "ERROR"
"""Blender's name of the triangle with an exclamation mark, in all its versions."""


@dataclass
class RunningJob:
    """The job that runs under the timer.

    Attributes:
        title: the operator's label.
        steps: the job's generator.
        timer: wakes the modal operator.
        stage: what is being done, in a few words.
        fraction: share of the whole job that is done, in [0, 1].
        position: which step of how many is being done, and how long it will take, in words; "" if that is not known.
        ticked: time of the last step, seconds of ``time.monotonic``.
        on_escape: what Esc does, as the status bar says it.
        ending: whether it was told that what is there is enough.
    """

    title: str
    steps: Generator[Progress, None, Report]
    timer: bpy.types.Timer
    stage: str = "Starting"
    fraction: float = 0.0
    position: str = ""
    ticked: float = 0.0
    on_escape: str = "Esc: Cancel"
    ending: bool = False

    def line(self) -> str:
        """Everything about its progress in one line."""
        known = [translated(self.title), f"{self.fraction:.0%}", self.position, told_stage(self.stage)]
        return "  |  ".join(filter(None, ("MeshKin", *known, translated(self.on_escape))))


@dataclass(frozen=True)
class Outcome:
    """How the last job ended.

    Attributes:
        title: one sentence.
        lines: further sentences.
        icon: Blender's name of the icon beside the title.
        warnings: sentences that come before the others, each with the icon of a warning.
        failed: whether it ended with an error.
        leads_to: name of the operator that is the next step; "" for none.
    """

    title: str
    lines: list[str] = field(default_factory=list)
    icon: str = "CHECKMARK"
    warnings: list[str] = field(default_factory=list)
    failed: bool = False
    leads_to: str = ""


running: RunningJob | None = None
outcome: Outcome | None = None


def cancel() -> None:
    """Stop the running job, if any, and leave the scene unchanged."""
    global outcome
    if running is not None:
        outcome = Outcome(_cancelled(running.title), icon="CANCEL")
        _close()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def before_load(*_: object) -> None:
    """Stop the running job and forget the last outcome before another file is loaded."""
    cancel()
    dismiss()


def dismiss() -> None:
    """Forget the last outcome."""
    global outcome
    outcome = None


def _close() -> None:
    """End the running job: close its generator and remove its timer and its text in the status bars."""
    global running
    job, running = running, None
    assert job is not None
    try:
        job.steps.close()
    finally:
        bpy.context.window_manager.event_timer_remove(job.timer)
        _tell_status_bars(None)
        status.request()


def _tell_status_bars(text: str | None) -> None:
    """Show a text in the status bar of every workspace: the user may change to another one; None for Blender's own."""
    for workspace in bpy.data.workspaces:
        workspace.status_text_set(text)


def _failure(title: str, error: Exception) -> str:
    """Return the sentence to report about a failed job, and keep the outcome for the panel.

    Details of an unexpected error go to the console.
    """
    from meshkin.base.errors import Cancelled, MeshKinError

    global outcome
    if isinstance(error, Cancelled):
        outcome = Outcome(_cancelled(title), icon="CANCEL")
        return told(error.message)
    if isinstance(error, MeshKinError):
        message, *log = error.message.splitlines()
        if log:
            print(error, file=sys.stderr)
            message = re.sub(r" [^.]*:$", "", message)  # removes the words that introduce the log
        message, fix = told(message), told(error.fix)
        outcome = Outcome(message, [fix] if fix else [], icon=WARNING_ICON, failed=True)
        return f"{message} {fix}".strip()
    traceback.print_exception(error)
    what = translated("{title} failed unexpectedly: {error}").format(
        title=translated(title), error=f"{type(error).__name__}: {error}"
    )
    more = translated("Details are in the system console.")
    outcome = Outcome(what, [more], WARNING_ICON, failed=True)
    return f"{what.removesuffix('.')}. {more}"


def _cancelled(title: str) -> str:
    return translated("{title}: cancelled.").format(title=translated(title))


def _summary(report: Report) -> str:
    """Return a report's title, with the number of warnings."""
    title, count = told(report.title), len(report.warnings)
    if not count:
        return title
    text = translated("{title}, with {count} warnings." if count > 1 else "{title}, with 1 warning.")
    return text.format(title=title.removesuffix(".").removesuffix("。"), count=count)


def _mended_by(error: Exception) -> str:
    """Return the name of the operator that gets what is missing or broken; "" if none does."""
    code = getattr(error, "code", "")
    if code in ("worker-missing", "worker-start-failed", "worker-incomplete", "worker-version"):
        return "meshkin.set_up"
    if code == "model-missing":
        return "meshkin.get_model" if bpy.app.online_access else "meshkin.allow_online"
    return ""


class JobOperator:
    """Mixin of operators that run a job, which :meth:`steps` returns."""

    bl_label: str
    leads_to = ""
    """Name of the operator that is the next step once this job is done."""
    mended_by = ""
    """Name of the operator that may help where this job has failed."""
    report: Callable[[set[str], str], None]
    _job: RunningJob | None = None

    def steps(self, context: bpy.types.Context) -> Generator[Progress, None, Report]:
        """Return the job's generator; may raise MeshKinError."""
        raise NotImplementedError

    def ends_early(self) -> bool:
        """Return whether Esc lets the job end with what is there; pressed once more, it stops the job."""
        return False

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start the job under a timer (called by a button)."""
        return self.start(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run the job to its end (called by a script)."""
        from meshkin.base.progress import finish

        try:
            report = finish(self.steps(context))
        except Exception as error:
            return self._failed(error)
        finally:
            status.request()
        return self._finished(report)

    def start(self, context: bpy.types.Context) -> set[str]:
        """Start the job under a timer and take its first step, which reports unusable input at once.

        The rest is left to the timer, even if it would take no time; jobs yield before they write. Then Blender makes
        the undo step, whoever started the operator: for one that is called from Python and over at once, it makes none,
        and a later undo crashes Blender 5.2, because it keeps the objects that were changed but not what they refer to.
        """
        global running
        from meshkin.base.progress import of_job

        try:
            steps = of_job(self.steps(context), {})
        except Exception as error:
            return self._failed(error)
        manager = context.window_manager
        window = context.window.parent or context.window  # the preferences may be closed before the job ends
        timer = manager.event_timer_add(TICK, window=window)
        running = self._job = RunningJob(self.bl_label, steps, timer)
        if self.ends_early():
            running.on_escape = "Esc: Keep What Is There"
        dismiss()
        result = self._advance(budget=0.0)
        if result != {"PASS_THROUGH"}:
            return result
        # Blender shows the redo panel in the area of the modal operator; the preferences' window may be closed before.
        place = {"area": context.area, "region": context.region} if window == context.window and context.area else {}
        with context.temp_override(window=window, **place):
            manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Advance the job at each tick of the timer; Esc stops the job; all other events pass through."""
        if self._job is not running or running is None:
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS":
            if self.ends_early() and not running.ending:
                running.ending, running.on_escape = True, "Esc: Cancel"
                return self._advance(enough=True)
            cancel()
            self.report({"INFO"}, _cancelled(self.bl_label).removesuffix("."))
            return {"CANCELLED"}
        if event.type == "TIMER" and time.monotonic() - running.ticked >= TICK / 2:
            return self._advance()
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Stop the job when Blender ends the operator because its window was closed."""
        if self._job is running:
            cancel()

    def _advance(self, budget: float = BUDGET, enough: bool = False) -> set[str]:
        """Take one step of the job, and more until the tick's budget (seconds) is used up or the job waits; where what
        is there is ``enough``, the job is told so."""
        from meshkin.base.errors import Enough
        from meshkin.base.progress import position

        job = running
        assert job is not None
        before = job.line()
        deadline = time.monotonic() + budget
        try:
            while True:
                progress: Any = job.steps.throw(Enough()) if enough else next(job.steps)
                enough = False
                waits = (progress.stage, progress.fraction) == (job.stage, job.fraction)
                job.stage, job.fraction, job.position = (
                    progress.stage,
                    progress.fraction,
                    position(progress, translated),
                )
                if waits or time.monotonic() >= deadline:
                    break  # no progress: the worker is busy
        except StopIteration as stop:
            _close()
            return self._finished(stop.value)
        except Exception as error:
            _close()
            return self._failed(error)
        job.ticked = time.monotonic()
        if job.line() != before:
            _tell_status_bars(job.line())
            status.redraw()
        return {"PASS_THROUGH"}

    def _finished(self, report: Report) -> set[str]:
        global outcome
        warnings = [told(warning.message) for warning in report.warnings]
        details, summary = [told(line) for line in report.details], _summary(report)
        icon = WARNING_ICON if warnings else "CHECKMARK"
        outcome = Outcome(summary, details, icon, warnings, leads_to=self.leads_to)
        for line in details:
            self.report({"INFO"}, line)
        for line in warnings:
            self.report({"WARNING"}, line)
        self.report({"WARNING" if warnings else "INFO"}, summary)  # the status bar shows the last line
        status.redraw()
        return {"FINISHED"}

    def _failed(self, error: Exception) -> set[str]:
        from meshkin.base.errors import Cancelled

        global outcome
        self.report({"WARNING"} if isinstance(error, Cancelled) else {"ERROR"}, _failure(self.bl_label, error))
        if outcome is not None and outcome.failed:
            outcome = replace(outcome, leads_to=_mended_by(error) or self.mended_by)
        status.redraw()
        return {"CANCELLED"}
