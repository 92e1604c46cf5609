"""Progress of a running job, and running a job to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from .errors import Cancelled


@dataclass(frozen=True)
class Progress:
    """The progress of a running job.

    Attributes:
        stage: what the job is doing, in a few words ("Rendering views").
        fraction: share of this stage that is done, in [0, 1].
    """

    stage: str
    fraction: float


Result = TypeVar("Result")
"""What a job, a function or a request returns."""

POLL_SECONDS = 0.02
"""Pause while a job repeats its progress, seconds. Chosen."""

ProgressCallback = Callable[[str, float], None]
"""Called by numerical code as ``report(stage, fraction)``; raises ``Cancelled`` when the job was cancelled."""


def silent(stage: str, fraction: float) -> None:
    """Do nothing: a :data:`ProgressCallback` for callers that need no progress."""


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
