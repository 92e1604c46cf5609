"""``python -m meshkin.worker``: runs the jobs that come on its standard input, see :mod:`meshkin.worker.messages`."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import NoReturn

from ..base.errors import WorkerError
from ..base.storage import home, models_folder
from ..base.temporary import PREFIX, remove_leftovers
from ..models.storing import UNFINISHED
from . import requirements
from .job import Job, table
from .server import serve_standard_streams


def load_job(name: str) -> Job | None:
    """The job of this name; None if there is none.

    Raises WorkerError ``worker-incomplete`` if this interpreter lacks a library that the worker needs. The doctor's job
    runs all the same, to say which.
    """
    from .jobs import examination

    examinations = table(examination.examine_worker)
    if name in examinations:
        return examinations[name]
    _check_libraries()
    from . import cluster
    from .jobs.table import JOBS

    job = JOBS.get(name)
    return job and cluster.on_cluster(job)


@functools.cache
def _check_libraries() -> None:
    """Raise WorkerError ``worker-incomplete`` if a library is missing; looks only once if none is."""
    if missing := requirements.missing():
        raise WorkerError(
            "worker-incomplete",
            f"The worker's Python, {sys.executable}, lacks {', '.join(missing)}.",
            "Press “Set Up MeshKin” in the preferences, or run `meshkin worker setup`; or install what is missing:"
            f" “{sys.executable} -m pip install -r {requirements.FILE}”; or choose another Python in the preferences.",
        )


def _remove_leftovers() -> None:
    """Delete what processes that were killed have left behind."""
    remove_leftovers(Path(tempfile.gettempdir()), PREFIX)
    remove_leftovers(models_folder(), UNFINISHED)


def main() -> NoReturn:
    """Serve MeshKin's jobs over standard input and output."""
    # PyTorch would keep what it compiles among the system's temporary files.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(home() / "compiled"))
    threading.Thread(target=_remove_leftovers, name="meshkin-leftovers", daemon=True).start()
    serve_standard_streams(load_job)


if __name__ == "__main__":
    main()
