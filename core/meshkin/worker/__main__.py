"""``python -m meshkin.worker``: runs the jobs that come on its standard input, see :mod:`meshkin.worker.messages`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from .job import Job
from .server import serve_standard_streams


def _jobs() -> Mapping[str, Job]:
    from .jobs import JOBS

    return JOBS


def main() -> NoReturn:
    """Serve MeshKin's jobs over standard input and output."""
    serve_standard_streams(_jobs)


if __name__ == "__main__":
    main()
