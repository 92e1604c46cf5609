"""A whole job: its bar, and what its report says about where it was computed."""

from __future__ import annotations

from collections.abc import Mapping

from ..base.progress import of_job
from ..worker import client
from .options import Steps


def whole_job(job: Steps, costs: Mapping[str, float]) -> Steps:
    """Run a job with one bar, as :func:`meshkin.base.progress.of_job` does.

    Where another worker computed than the user has chosen, the report says why.
    """
    report = yield from of_job(job, costs)
    if word := client.remark():
        report.details.append(word)
    return report
