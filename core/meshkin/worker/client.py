"""The worker that this process gives its jobs: a child, or the local service where the user wants that and it runs.

Runs inside Blender: standard library only, and nothing here waits.
"""

from __future__ import annotations

import atexit
import os
import time
from pathlib import Path

from ..base import variables
from ..base.errors import WorkerError
from .child import start_child
from .running import Worker
from .service import address
from .service.connection import Connection, ServiceWorker

_INSTEAD = "This was computed by an own worker instead."
_PATIENCE_SECONDS = 60.0
"""Seconds in which a service that was given up is not asked again (chosen)."""
_AGAIN = "`meshkin serve` starts it again."

_shared: Worker | None = None
_shared_python: Path | None = None
_remark = ""
_given_up: dict[int, float] = {}  # process numbers, and when, seconds of time.monotonic


def wants_service() -> bool:
    """Whether jobs are to go to the local service where it runs."""
    return variables.COMPUTE.value == "service"


def shared(python: Path | None = None) -> Worker:
    """The worker that this process shares, replaced if it is dead: the local service where the user wants that and it
    runs, else a child, started on first use.

    Args:
        python: makes it a child on this interpreter.

    Raises WorkerError ``worker-missing`` or ``worker-start-failed``, OptionError ``variable-invalid``.
    """
    global _shared, _shared_python
    variables.check()
    if python is None and wants_service():
        if isinstance(_shared, ServiceWorker) and (_shared.alive or _shared.cancelling):
            return _shared
        child_is_busy = _shared is not None and not isinstance(_shared, ServiceWorker) and _shared.busy
        if not child_is_busy and (service := _find_service()) is not None:
            stop()
            _shared = service
            return service
    usable = _shared is not None and _shared.alive and not isinstance(_shared, ServiceWorker)
    if _shared is None or not usable or (python is not None and python != _shared_python):
        stop()
        child = start_child(python)
        _shared, _shared_python = Worker(child), child.python
    return _shared


def remark() -> str:
    """Why the local service does not compute although the user wants it, for reports; "" if all is as wanted."""
    return _remark if wants_service() and not isinstance(_shared, ServiceWorker) else ""


def _find_service() -> ServiceWorker | None:
    """The local service; None if it cannot be used, and :func:`remark` then says why."""
    global _remark
    try:
        found = address.find()
        if time.monotonic() - _given_up.get(found.pid, -_PATIENCE_SECONDS) < _PATIENCE_SECONDS:
            return None  # the remark is still true
        worker = ServiceWorker(Connection(found), _instead_of)
    except WorkerError as error:
        _remark = _instead(error)
        return None
    _remark = ""
    return worker


def _instead_of(service: ServiceWorker, why: str) -> Worker:
    """Ask this service no more, and say why; returns the worker that takes its jobs."""
    global _remark
    _given_up[service.pid] = time.monotonic()
    if _shared is service:
        stop()
    _remark = _instead(WorkerError("service-lost", why, _AGAIN))
    return shared()


def _instead(error: WorkerError) -> str:
    return f"{error.message} {_INSTEAD} {error.fix}"


def running() -> bool:
    """Whether the shared worker is there."""
    return _shared is not None and _shared.alive


def stop() -> None:
    """End the shared worker, if there is one; the local service is only left."""
    global _shared
    worker, _shared = _shared, None
    if worker is not None:
        worker.stop()


def _forget() -> None:
    """After a fork: leave the worker to the parent."""
    global _shared
    if _shared is not None:
        _shared.link.leave()
        _shared = None


atexit.register(stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
