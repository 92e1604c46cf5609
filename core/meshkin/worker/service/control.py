"""Looking at the local service, having it release the graphics card, and ending it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Generator

from ...base.errors import WorkerError
from ...base.progress import Progress, Result
from ..requests.base import Request
from ..running import Worker
from . import address
from .connection import Connection, ServiceWorker

_END_SECONDS = 15.0
"""Seconds that a service gets to end (chosen: a job that is being cancelled takes three)."""
_GONE_SECONDS = 5.0
"""Seconds in which a killed one is gone (chosen)."""


def ask(request: Request[Result]) -> Generator[Progress, None, Result]:
    """The service's answer.

    Raises WorkerError ``service-missing``, ``worker-version``, and ``service-lost`` for one that does not answer.
    """
    service = ServiceWorker(Connection(address.find()), _none_instead)
    try:
        return (yield from service.run(request))
    finally:
        service.stop()


def _none_instead(service: ServiceWorker, why: str) -> Worker:
    raise WorkerError("service-lost", why, "`meshkin serve --stop` ends it.")


def end() -> Generator[Progress, None, int]:
    """End the service, of whatever version, and what it is doing; returns its process number, 0 if there was none.

    Raises WorkerError ``service-lost`` if it cannot be ended.
    """
    found = address.noted()
    if found is None or not address.is_running():
        return 0
    for name, seconds in (("SIGTERM", _END_SECONDS), ("SIGKILL", _GONE_SECONDS)):
        with contextlib.suppress(OSError):  # it ended by itself
            os.kill(found.pid, getattr(signal, name, signal.SIGTERM))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not address.is_running():
                return found.pid
            yield Progress("Waiting for the service to end", 0.0)
    raise WorkerError("service-lost", f"The local service, process {found.pid}, does not end.", "End it yourself.")
