"""What a running job tells about itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from .errors import Cancelled


@dataclass(frozen=True)
class Progress:
    """One report of a running job.

    Attributes:
        stage: what is being done, in a few words ("Rendering views").
        fraction: share of this stage that is done, in [0, 1].
    """

    stage: str
    fraction: float


Result = TypeVar("Result")

ProgressCallback = Callable[[str, float], None]
"""Called by numerical code as ``report(stage, fraction)``; raises ``Cancelled`` when the job was cancelled."""


def silent(stage: str, fraction: float) -> None:
    """A :data:`ProgressCallback` that tells nobody."""


def finish(job: Generator[Progress, None, Result], on_progress: Callable[[Progress], object] | None = None) -> Result:
    """Run a job's generator to its end where there is no window to keep alive, and return its result.

    Args:
        job: yields its progress, the same one again while there is nothing new.
        on_progress: called with each new progress.

    Raises what the job raises. Ctrl-C closes the job, which cancels it, and raises Cancelled.
    """
    last = None
    try:
        while True:
            progress = next(job)
            if progress == last:
                time.sleep(0.02)
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
