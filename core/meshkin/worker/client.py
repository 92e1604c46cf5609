"""MeshKin's side of the worker: starts the process, gives it jobs, notices when it dies or hangs.

Runs inside Blender: standard library only, and nothing here waits.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from .. import __version__
from ..base import processes, temporary, variables
from ..base.errors import StorageError, WorkerError, from_dict
from ..base.json_data import Json
from ..base.progress import Progress, Result
from ..base.storage import logs_folder, make_folder
from . import codec, environment, messages
from .channel import MessageChannel
from .requests.base import Request, result_type

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

_JobMessage = messages.ProgressMessage | messages.ResultMessage | messages.ErrorMessage
"""What the worker says about a job."""
_LAST = (messages.ResultMessage, messages.ErrorMessage)
"""After one of these a job is over."""

_LOGS_KEPT = 8
"""Log files in MeshKin's home (chosen)."""
_LINES_SHOWN = 12
"""Lines of the log that an error shows (chosen)."""


@dataclass(frozen=True)
class TimeLimits:
    """How long the worker may take, seconds; all chosen.

    Attributes:
        silence: without a beat, after which the worker is suspected to hang. It beats every second.
        doubt: that a suspected worker gets to use some processor time; it is killed if it uses none.
        start: until it says hello. On a cold disk that is some ten seconds.
        cancel: that a cancelled job may take to stop before the worker is killed.
    """

    silence: float = 15.0
    doubt: float = 1.0
    start: float = 60.0
    cancel: float = 3.0


class Worker:
    """One worker process, and the jobs that it was given.

    Attributes:
        python: the interpreter it runs on, or None when it was started by a command of its own.
        log: the file that holds its standard error.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        python: Path | None = None,
        limits: TimeLimits = TimeLimits(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start a process, which must speak the protocol on its standard streams; returns at once.

        Args:
            command: the program and its arguments.
            python: the interpreter among them, for the attribute of this name.
            limits: how long it may take.
            clock: says the time by which silence and start are measured, seconds.

        Raises WorkerError ``worker-start-failed``.
        """
        self.python = python
        self._limits, self._clock = limits, clock
        self.log, log = _open_log()
        with log:
            self._process = _launch(command, log)
        self._channel = MessageChannel(cast(BinaryIO, self._process.stdout), cast(BinaryIO, self._process.stdin))
        self._numbers = itertools.count(1)
        self._jobs: dict[int, queue.SimpleQueue[_JobMessage]] = {}
        self._cancelling: dict[int, threading.Thread] = {}
        self._greeted = False
        self._fault: WorkerError | None = None  # why the worker was killed, if it was
        self._started = self._heard = clock()
        self._doubt: tuple[float, float | None] | None = None  # since when it seems silent, processor time then
        self._reader = threading.Thread(target=self._read, name="meshkin-worker", daemon=True)
        self._reader.start()

    @classmethod
    def start(cls, python: Path | str | None = None, limits: TimeLimits = TimeLimits()) -> Worker:
        """Start a worker.

        Args:
            python: the interpreter; None for the one that :func:`meshkin.worker.environment.find` finds.
            limits: how long it may take.

        Raises WorkerError ``worker-missing`` (there is no interpreter) or ``worker-start-failed``.
        """
        chosen = Path(python) if python else environment.find()
        if chosen is None or not chosen.exists():
            if chosen:
                raise WorkerError(
                    "worker-missing",
                    f"There is no Python at {chosen} to run the worker.",
                    "Choose another one in the add-on's preferences, or unset MESHKIN_WORKER_PYTHON.",
                )
            raise WorkerError(
                "worker-missing",
                "The worker is not set up.",
                "Press “Set Up MeshKin” in the panel, or run `meshkin worker setup`.",
            )
        command = (chosen, "-I", "-u", "-X", "utf8", "-c", _WORKER_BOOTSTRAP, _PACKAGE)
        return cls(command, python=chosen, limits=limits)

    @property
    def alive(self) -> bool:
        """Whether it can take a job now: it runs, and does not have to stop a cancelled job first."""
        return self._process.poll() is None and self._reader.is_alive() and not self._cancelling

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def run(self, request: Request[Result]) -> Generator[Progress, None, Result]:
        """Run a job and return its result. Until then the generator yields the latest progress, and never waits.

        Closing the generator cancels the job. The worker goes on, unless the job does not stop within some seconds.

        Raises the error that ended the job, or WorkerError: ``worker-died`` and ``worker-silent`` (with the end of
        the log), ``worker-start-failed``, ``worker-version``, ``worker-incomplete``, ``message-invalid``.
        """
        fields = codec.encode(request, "A request to the worker", request.job)
        result = yield from self._run(request.job, fields)
        return codec.decode(result_type(request), result, "A result of the worker", request.job)

    def _run(self, job: str, fields: dict[str, Json]) -> Generator[Progress, None, dict[str, Json]]:
        """Run a job on the fields of its request, and return those of its result."""
        number = next(self._numbers)
        received = self._jobs[number] = queue.SimpleQueue()
        sent = over = False
        progress = Progress("Starting the worker", 0.0)
        try:
            while not self._greeted:
                self._check(received)
                yield progress
            with contextlib.suppress(OSError):  # it died: noticed below
                self._channel.send(messages.RunMessage(number, job, fields))
                sent = True
            progress = Progress("Waiting for the worker", 0.0)
            while True:
                while not received.empty():
                    message = received.get()
                    over = isinstance(message, _LAST)
                    if isinstance(message, messages.ResultMessage):
                        return message.result
                    if isinstance(message, messages.ErrorMessage):
                        raise from_dict(message.error)
                    progress = Progress(message.stage, message.fraction)
                    yield progress  # each one, so that no stage passes unseen
                self._check(received)
                yield progress
        finally:
            if sent and not over and self._process.poll() is None:
                self._cancel(number, received)
            else:
                del self._jobs[number]

    def stop(self) -> None:
        """End the process, whatever it is doing; a job that was cancelled may clean up before."""
        for thread in list(self._cancelling.values()):
            thread.join(self._limits.cancel)
        with contextlib.suppress(OSError):
            self._channel.send(messages.ByeMessage())
        self._channel.close()
        try:
            self._process.wait(0.2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)

    def end_of_log(self, lines: int = _LINES_SHOWN) -> str:
        """The last lines that the worker and its libraries wrote; "" if there are none."""
        return processes.end_of_file(self.log, lines)

    def _read(self) -> None:
        """Give each message to its job; runs in a thread of its own until the worker is gone."""
        try:
            while (message := self._channel.receive()) is not None:
                self._heard = self._clock()
                if not self._greeted:
                    messages.check_hello(message, __version__)
                    self._greeted = True
                elif isinstance(message, _JobMessage) and (received := self._jobs.get(message.number)) is not None:
                    received.put(message)
        except WorkerError as error:
            self._give_up(error)
        finally:
            cast(BinaryIO, self._process.stdout).close()

    def _give_up(self, fault: WorkerError) -> None:
        self._fault = fault
        self._process.kill()

    def _check(self, received: queue.SimpleQueue[_JobMessage]) -> None:
        """Raise an error if the worker is gone or has been silent for too long, unless messages are left to read."""
        if self._process.poll() is None and self._reader.is_alive():
            self._check_time()
            return
        if self._process.poll() is None:  # it closed its output, or its messages made no sense
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self._reader.join(1)  # what it said last
        if received.empty():
            raise self._fault or self._death()

    def _check_time(self) -> None:
        """Kill the worker if it has not started in time, or has been silent too long without using the processor."""
        now = self._clock()
        if not self._greeted:
            if now - self._started > self._limits.start:
                what = f"The worker did not start in {self._limits.start:.0f} seconds."
                self._give_up(self._failure("worker-start-failed", what))
            return
        if now - self._heard < self._limits.silence:
            self._doubt = None
            return
        # A beat needs Python's lock, which a long native call may hold; or this computer may just have woken up. So a
        # silent worker gets another second, and it goes on while it uses the processor.
        if self._doubt is None:
            self._doubt = now, processes.processor_seconds(self._process)
        elif now - self._doubt[0] >= self._limits.doubt:
            before, spent = self._doubt[1], processes.processor_seconds(self._process)
            self._doubt = now, spent
            if before is None or spent is None or spent <= before:
                what = f"The worker has not answered for {now - self._heard:.0f} seconds."
                self._give_up(self._failure("worker-silent", what))

    def _death(self) -> WorkerError:
        how = processes.how_it_ended(self._process.returncode)
        if not self._greeted:
            return self._failure("worker-start-failed", f"The worker ended before it was ready: {how}.")
        return self._failure("worker-died", f"The worker died: {how}.")

    def _failure(self, code: str, what: str) -> WorkerError:
        log = self.end_of_log()
        if code == "worker-start-failed":
            fix = f"Press “Set Up MeshKin” in the preferences, or run `meshkin worker setup`. The log is {self.log}."
        else:
            fix = f"Start the job again. The worker's whole log is {self.log}."
        return WorkerError(code, f"{what} Its log ends:\n{log}\n" if log else what, fix)

    def _cancel(self, number: int, received: queue.SimpleQueue[_JobMessage]) -> None:
        """Tell the worker to drop a job; a thread of its own kills the worker if it does not do so in time."""

        def wait_for_end() -> None:
            deadline = time.monotonic() + self._limits.cancel
            try:
                self._channel.send(messages.CancelMessage(number))
                while not isinstance(received.get(timeout=max(deadline - time.monotonic(), 0.01)), _LAST):
                    pass
            except queue.Empty:
                if self._process.poll() is None:
                    self._give_up(self._failure("worker-died", "The worker was stopped: a cancelled job did not end."))
            except OSError:
                pass  # it died of itself
            finally:
                self._jobs.pop(number, None)
                self._cancelling.pop(number, None)

        thread = threading.Thread(target=wait_for_end, name="meshkin-cancel", daemon=True)
        self._cancelling[number] = thread
        thread.start()


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
            "Press “Set Up MeshKin” in the preferences, or run `meshkin worker setup`.",
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


_shared: Worker | None = None


def shared(python: Path | None = None) -> Worker:
    """The worker that this process shares: started on first use, replaced if it is dead or runs on another Python.

    Raises WorkerError ``worker-missing`` or ``worker-start-failed``, OptionError ``variable-invalid``.
    """
    global _shared
    variables.check()
    if _shared is None or not _shared.alive or (python is not None and python != _shared.python):
        stop()
        _shared = Worker.start(python)
    return _shared


def running() -> bool:
    """Whether the shared worker is there."""
    return _shared is not None and _shared.alive


def stop() -> None:
    """End the shared worker, if there is one."""
    global _shared
    worker, _shared = _shared, None
    if worker is not None:
        worker.stop()


def _forget() -> None:
    """After a fork: leave the worker to the parent. The pipe to it must close when the parent ends."""
    global _shared
    if _shared is not None:
        _shared._channel.close()
        _shared = None


atexit.register(stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
