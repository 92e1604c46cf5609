"""Progress of a running job, and running a job to its end.

The parts of a job yield :class:`Progress`: each names the stage that it is in, and how much of that is done. What they
are parts of is said by :func:`in_step`, and :func:`of_job` makes of them the :class:`JobProgress` of the whole, which
never goes back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from .errors import Cancelled, Enough


@dataclass(frozen=True)
class Progress:
    """The progress of a running job.

    Attributes:
        stage: what the job is doing, in a few words ("Rendering views").
        fraction: share of this stage that is done, in [0, 1].
        step: of the job, to which the stage belongs; "" where the job says so that it is a part of.
    """

    stage: str
    fraction: float
    step: str = ""


@dataclass(frozen=True)
class JobProgress(Progress):
    """The progress of a whole job; ``fraction`` is the share of all that it has to do.

    Attributes:
        number: which of its steps is being done, from 1.
        count: how many steps it has.
        seconds_left: about how long it will still take, rounded; None as long as nothing is known.
    """

    number: int = 1
    count: int = 1
    seconds_left: int | None = None


Result = TypeVar("Result")
"""What a job, a function or a request returns."""

POLL_SECONDS = 0.02
"""Pause while a job repeats its progress, seconds. Chosen."""
STAGE_SHARE = 0.5
"""Share of what is left of a step that its next stage takes: how many stages will follow is not known. Chosen."""
TRUSTED_SECONDS = 10.0
"""The costs of steps count as much as this many seconds of watching how fast they go. Chosen."""
LEAST_WATCHED_SECONDS = 3.0
"""No time is told before a job has run for this long, seconds. Chosen."""

ProgressCallback = Callable[[str, float], None]
"""Called by numerical code as ``report(stage, fraction)``; raises ``Cancelled`` when the job was cancelled."""


def silent(stage: str, fraction: float) -> None:
    """Do nothing: a :data:`ProgressCallback` for callers that need no progress."""


def in_step(step: str, job: Generator[Progress, None, Result]) -> Generator[Progress, None, Result]:
    """Run a part of a job as the step of this name; what is named already inside keeps its name."""
    return _changed(job, lambda progress: progress if progress.step else replace(progress, step=step))


def as_stage(stage: str, job: Generator[Progress, None, Result]) -> Generator[Progress, None, Result]:
    """Run a whole job as one stage of another."""
    return _changed(job, lambda progress: Progress(stage, progress.fraction))


def of_job(
    job: Generator[Progress, None, Result],
    costs: Mapping[str, float],
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Progress, None, Result]:
    """Run a whole job; yields :class:`JobProgress`, whose fraction never falls and whose steps are counted.

    Args:
        job: yields the progress of its steps, see :func:`in_step`; steps that ``costs`` does not have count as part of
            the one before.
        costs: for each step, in order, about how many seconds it takes; none for a job that is not known. A step that
            turns out to be done already (what it makes lies in the cache) leaves its share of the bar to the ones after
            it.
        clock: seconds.
    """
    return _changed(job, _Course(costs, clock).place)


def _changed(
    job: Generator[Progress, None, Result], change: Callable[[Progress], Progress]
) -> Generator[Progress, None, Result]:
    """Run a job with each progress changed."""
    word: Enough | None = None
    try:
        while True:
            try:
                progress = next(job) if word is None else job.throw(word)
            except StopIteration as end:
                result: Result = end.value
                return result
            word = None
            try:
                yield change(progress)
            except Enough as said:
                word = said
    finally:
        job.close()


class _Course:
    """Where a job stands among its steps."""

    def __init__(self, costs: Mapping[str, float], clock: Callable[[], float]) -> None:
        self._steps = list(costs)
        self._costs = list(costs.values()) or [1.0]
        self._clock = clock
        self._begun = self._entered = clock()
        self._current = 0
        self._start = self._fraction = 0.0  # of the whole job, where this step began and now
        self._share = 0.0  # of this step
        self._stages: dict[str, tuple[float, float]] = {}  # of this step: its share when each began, fraction told last
        self._watched = self._credited = 0.0  # seconds that steps with progress took, and what they were to cost

    def place(self, progress: Progress) -> JobProgress:
        """The progress of the whole job for that of a step; what is one of a whole job already counts as it is."""
        if isinstance(progress, JobProgress):
            self._fraction = max(self._fraction, progress.fraction)
            return replace(progress, fraction=self._fraction)
        if progress.step in self._steps[self._current + 1 :]:
            self._enter(self._steps.index(progress.step))
        begun, told = self._stages.get(progress.stage, (self._share, 0.0))
        if progress.fraction < told:  # the same stage again
            begun = self._share
        self._stages[progress.stage] = begun, progress.fraction
        self._share = max(self._share, begun + (1 - begun) * STAGE_SHARE * min(max(progress.fraction, 0.0), 1.0))
        weight = self._costs[self._current] / sum(self._costs[self._current :])
        self._fraction = max(self._fraction, self._start + (1 - self._start) * weight * self._share)
        number, count = self._current + 1, len(self._costs)
        return JobProgress(progress.stage, self._fraction, progress.step, number, count, self._seconds_left())

    def _enter(self, step: int) -> None:
        if self._share > 0:
            self._watched += self._clock() - self._entered
            self._credited += self._costs[self._current]
        self._current, self._entered, self._start = step, self._clock(), self._fraction
        self._share = 0.0
        self._stages.clear()

    def _seconds_left(self) -> int | None:
        """The cost of what is left, times how much longer than its cost the work takes on this machine."""
        now = self._clock()
        if not self._steps or now - self._begun < LEAST_WATCHED_SECONDS:
            return None
        cost = self._costs[self._current]
        watched, credited = self._watched, self._credited + cost * self._share
        if self._share > 0:
            watched += now - self._entered
        left = sum(self._costs[self._current :]) - cost * self._share
        return rounded_seconds(left * (watched + TRUSTED_SECONDS) / (credited + TRUSTED_SECONDS))


def rounded_seconds(seconds: float) -> int:
    """A duration as one would say it: to 10 seconds below two minutes, to minutes above, up to ten; at least 10 s."""
    if seconds < 115:
        return max(10, 10 * round(seconds / 10))
    return 60 * (round(seconds / 60) if seconds < 600 else 5 * round(seconds / 300))


def position(progress: JobProgress, say: Callable[[str], str] = lambda text: text) -> str:
    """Where a job stands, in words ("Step 2 of 5, about 3 min left"); ``say`` gives them in another language."""
    parts = []
    if progress.count > 1:
        parts.append(say("Step {number} of {count}").format(number=progress.number, count=progress.count))
    if (seconds := progress.seconds_left) is not None:
        text = say("about {seconds} s left") if seconds < 120 else say("about {minutes} min left")
        parts.append(text.format(seconds=seconds, minutes=seconds // 60))
    return ", ".join(parts)


def finish(job: Generator[Progress, None, Result], on_progress: Callable[[Progress], object] | None = None) -> Result:
    """Run a job's generator to its end and return its result, for scripts and the command line.

    Args:
        job: yields its progress, and repeats it while it waits for the worker.
        on_progress: called with each new progress.

    Raises what the job raises. Ctrl-C cancels the job and raises Cancelled.
    """
    last = None
    try:
        while True:
            progress = next(job)
            if progress == last:
                time.sleep(POLL_SECONDS)
            elif on_progress is not None:
                on_progress(progress)
            last = progress
    except StopIteration as end:
        result: Result = end.value
        return result
    except KeyboardInterrupt:
        raise Cancelled() from None
    finally:
        job.close()
