"""What a running job tells about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One report of a running job.

    Attributes:
        stage: what is being done, in a few words ("Rendering views").
        fraction: share of this stage that is done, in [0, 1].
    """

    stage: str
    fraction: float


Report = Callable[[str, float], None]
"""Called by numerical code as ``report(stage, fraction)``; raises ``Cancelled`` when the job was cancelled."""


def silent(stage: str, fraction: float) -> None:
    """A :data:`Report` that tells nobody."""
