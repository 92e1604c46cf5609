"""The worker's environment, made or mended, and seen to work."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from ..base.errors import WorkerError
from ..base.progress import Progress
from . import client, environment, requirements
from .requests.maintenance import ExamineWorker
from .service import control


def set_up(python: Path | None = None) -> Generator[Progress, None, Path]:
    """Make the worker's environment unless it is there, and anew where it is there but does not work.

    Returns its interpreter; arguments and errors as :func:`meshkin.worker.environment.create`.
    """
    folder, wanted = environment.worker_folder(), requirements.read()
    made = yield from environment.create(folder, wanted, python)
    if not (yield from _works(made)):
        client.stop()
        yield from control.end()  # it has been started with the same one
        environment.mark_unfinished(folder)
        made = yield from environment.create(folder, wanted, python)
    return made


def _works(python: Path) -> Generator[Progress, None, bool]:
    """Whether a worker of this interpreter starts and has its libraries."""
    try:
        state = yield from client.shared(python).run(ExamineWorker())
    except WorkerError:
        return False
    return all(state.versions.values())
