"""A worker as a child of this process: its command, its pipes, its log and its end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

from ..base import processes, temporary
from ..base.errors import StorageError, WorkerError
from ..base.storage import logs_folder, make_folder
from . import environment
from .channel import MessageChannel

_PACKAGE = Path(__file__).resolve().parent.parent

# The worker imports the package that is in use here, but nothing else from the folder that contains it: inside Blender
# that folder also contains libraries for Blender's own Python.
_WORKER_BOOTSTRAP = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
folder = sys.argv[1]
spec = spec_from_file_location("meshkin", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["meshkin"] = module = module_from_spec(spec)
spec.loader.exec_module(module)
from meshkin.worker.__main__ import main
main()
"""

_LOGS_KEPT = 8
"""Log files in MeshKin's home (chosen)."""
_LINES_SHOWN = 12
"""Lines of the log that an error shows (chosen)."""
_LAST_WORDS_SECONDS = 0.2
"""That a worker gets to end by itself before it is killed (chosen)."""
_KILL_SECONDS = 5.0
"""That a killed process may take to be gone (chosen)."""


class Child:
    """A process that speaks the protocol on its standard streams.

    Attributes:
        name: what it is called in errors.
        python: the interpreter it runs on, or None when it was started by a command of its own.
        log: the file that holds its standard error.
        channel: the messages to and from it.
    """

    name = "The worker"

    def __init__(self, command: Sequence[str | Path], python: Path | None = None) -> None:
        """Start it; returns at once. Raises WorkerError ``worker-start-failed``."""
        self.python = python
        self.log, log = _open_log()
        with log:
            self._process = _launch(command, log)
        self._output = cast(BinaryIO, self._process.stdout)
        self.channel = MessageChannel(self._output, cast(BinaryIO, self._process.stdin))

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def is_there(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def wait(self, seconds: float) -> None:
        """Wait for its end, at most so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def end(self) -> None:
        """End it now that it has been told to; kill it if it does not."""
        self.channel.close()
        self.wait(_LAST_WORDS_SECONDS)
        if self.is_there():
            self.kill()
            self.wait(_KILL_SECONDS)

    def leave(self) -> None:
        """In a fork of this process: leave it to the parent, whose end must close the pipe."""
        self.channel.close()

    def close_incoming(self) -> None:
        """Close the stream of what it says, once it says nothing more."""
        self._output.close()

    def processor_seconds(self) -> float | None:
        """Processor time that it has used; None if the system does not say."""
        return processes.processor_seconds(self._process)

    def end_of_log(self, lines: int = _LINES_SHOWN) -> str:
        """The last lines that it and its libraries wrote; "" if there are none."""
        return processes.end_of_file(self.log, lines)

    def how_it_ended(self) -> str:
        """In words."""
        return processes.how_it_ended(self._process.returncode)

    def failure(self, code: str, what: str) -> WorkerError:
        """The error that it failed in this way, with the end of its log."""
        log = self.end_of_log()
        if code == "worker-start-failed":
            fix = f"Press “Set Up MeshKin” in the preferences, or run `meshkin worker setup`. The log is {self.log}."
        else:
            fix = f"Start the job again. The worker's whole log is {self.log}."
        return WorkerError(code, f"{what} Its log ends:\n{log}\n" if log else what, fix)


def start_child(python: Path | str | None = None) -> Child:
    """Start a worker.

    Args:
        python: the interpreter; None for the one that :func:`meshkin.worker.environment.find` finds.

    Raises WorkerError ``worker-missing`` (there is no interpreter) or ``worker-start-failed``.
    """
    chosen = Path(python) if python else environment.find()
    if chosen is None:
        raise WorkerError(
            "worker-missing",
            "The worker is not set up.",
            "Press “Set Up MeshKin” in the panel, or run `meshkin worker setup`.",
        )
    if not chosen.exists():
        raise WorkerError(
            "worker-missing",
            f"There is no Python at {chosen} to run the worker.",
            "Choose another one in the add-on's preferences, or unset MESHKIN_WORKER_PYTHON.",
        )
    return Child((chosen, "-I", "-u", "-X", "utf8", "-c", _WORKER_BOOTSTRAP, _PACKAGE), chosen)


def _launch(command: Sequence[str | Path], log: BinaryIO) -> subprocess.Popen[bytes]:
    """Start the process in a session of its own, so that Ctrl-C in Blender's terminal reaches Blender only."""
    flags = processes.CREATION_FLAGS
    if sys.platform == "win32":
        flags |= subprocess.BELOW_NORMAL_PRIORITY_CLASS  # elsewhere the worker steps back by itself
    try:
        return subprocess.Popen(
            [os.fspath(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=processes.clean_variables(),
            start_new_session=True,
            creationflags=flags,
        )
    except OSError as error:
        raise WorkerError(
            "worker-start-failed",
            f"{command[0]} cannot be started: {error.strerror or error}.",
            "Press “Set Up MeshKin” in the preferences, or run `meshkin worker setup`. If a Python was chosen there, or"
            " as MESHKIN_WORKER_PYTHON, choose another one, or none.",
        ) from error


def _open_log() -> tuple[Path, BinaryIO]:
    """A new log file, in MeshKin's home if that can be written to; the oldest log files are deleted."""
    name = f"worker-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{time.monotonic_ns() % 1_000_000}.log"
    for folder, prefix in ((logs_folder(), ""), (Path(tempfile.gettempdir()), temporary.PREFIX)):
        with contextlib.suppress(OSError, StorageError):
            make_folder(folder)
            for old in sorted(folder.glob(f"{prefix}worker-*.log"))[: 1 - _LOGS_KEPT]:
                with contextlib.suppress(OSError):
                    old.unlink()
            path = folder / f"{prefix}{name}"
            return path, open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600), "ab")
    return Path(os.devnull), open(os.devnull, "ab")
