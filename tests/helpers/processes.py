"""Waiting for what other processes do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def wait_for(truth: Callable[[], bool], what: str) -> None:
    """Wait until something is true; after a minute it is an error, which says ``what`` is wrong."""
    deadline = time.monotonic() + 60
    while not truth():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def has_ended(pid: int) -> bool:
    """Whether a process is gone or, where the system tells, waits for its parent to notice its end.

    The first of its threads can have ended (state Z) while others are still there: then it has not.
    """
    try:
        os.kill(pid, 0)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0] == "Z" and int(fields[17]) <= 1  # the state, and the number of threads
    except ProcessLookupError:
        return True
    except FileNotFoundError:
        return Path("/proc/self").exists()  # it went between the two lines, or this system has no such files
