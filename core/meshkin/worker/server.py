"""The worker's side: receives jobs over a channel, runs one at a time, and reports their progress and results.

There are three threads. The main thread runs the jobs. One thread listens, so that a cancellation, or the end of
MeshKin's process, is noticed in the middle of a job. One thread sends beats, so that MeshKin knows that the worker is
alive.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import gc
import io
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, TextIO

from .. import __version__
from ..base.errors import Cancelled, MeshKinError, StorageError, WorkerError, is_out_of_memory
from ..base.progress import ProgressCallback
from ..base.variables import IDLE_SECONDS
from . import messages, surroundings
from .channel import MessageChannel
from .job import Job

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LoadJob = Callable[[str], Job | None]

_REPORT_SECONDS = 0.05
"""Least seconds between two reports of one stage (chosen: a bar moves smoothly at twenty a second)."""
_STUCK_SECONDS = 10.0
"""Seconds without a beat (one native call holds Python's lock) after which every thread's stack goes to the log
(chosen: before the client gives up)."""
_IDLE_SECONDS = 300.0
"""Seconds without a job after which the worker ends, where ``MESHKIN_IDLE_SECONDS`` is not set (chosen)."""
_LARGEST_LOG = 4 << 20
"""Bytes of a log that is begun anew (chosen)."""
_SHOWN = 300
"""Characters of an unexpected error that are shown (chosen)."""


def serve_standard_streams(load_job: LoadJob) -> NoReturn:
    """Serve jobs over this process's standard input and output. Ends the process when the input ends.

    Both streams carry messages only. Whatever else is written to the standard output, by this process (its C libraries
    included) or by processes that it starts, goes to the standard error instead.
    """
    _step_back()
    incoming, outgoing = _take_over(0, "rb"), _take_over(1, "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr = _unfailing(2)
    serve(MessageChannel(incoming, outgoing), load_job)


def _take_over(descriptor: int, mode: str) -> BinaryIO:
    """A stream on a duplicate of a file descriptor, so that the descriptor itself can be given to something else."""
    stream: Any = os.fdopen(os.dup(descriptor), mode)  # a duplicate that child processes do not inherit
    taken: BinaryIO = stream
    return taken


class _UnfailingFile(io.FileIO):
    """A file that takes whatever is written to it, also when its disk is full: a log must not end a job."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write what can be written; what cannot is lost."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _unfailing(descriptor: int) -> TextIO:
    """A text stream on a file descriptor to which writing never fails."""
    file = io.BufferedWriter(_UnfailingFile(descriptor, "wb", closefd=False))
    return io.TextIOWrapper(file, "utf-8", "backslashreplace", line_buffering=True)


def _step_back() -> None:
    """Lower this process's priority, and let the system end it first when memory runs out, before Blender."""
    if sys.platform != "win32":  # there the client asks for it when it makes the process
        with contextlib.suppress(OSError):
            os.nice(5)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("500")


def serve(channel: MessageChannel, load_job: LoadJob) -> NoReturn:
    """Serve jobs over ``channel`` until it ends, then end the process.

    Args:
        load_job: gives the job of a name, None if there is none; called whenever one is to run.
    """
    faulthandler.enable()
    channel.send(messages.HelloMessage(messages.PROTOCOL, __version__, os.getpid()))
    _Server(channel, load_job).serve()


class _Server:
    """The three threads, and the jobs that they share."""

    def __init__(self, channel: MessageChannel, load_job: LoadJob) -> None:
        self._channel = channel
        self._load_job = load_job
        self._changed = threading.Condition()
        self._waiting: dict[int, messages.RunMessage] = {}  # by number, in the order they came
        self._running: int | None = None  # its number
        self._cancelled = False  # the running one

    def serve(self) -> NoReturn:
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        threading.Thread(target=self._beat, name="beat", daemon=True).start()
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: self._waiting, _idle_seconds()):
                    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} idle: ends", file=sys.stderr, flush=True)
                    os._exit(0)  # a CUDA context goes with its process only
                number = next(iter(self._waiting))
                message = self._waiting.pop(number)
                self._running, self._cancelled = number, False
            self._answer(message)
            with self._changed:
                self._running = None
            _release_memory()

    def _answer(self, run: messages.RunMessage) -> None:
        """Run a job and send its result, or the error that ended it."""
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} job {run.number}: {run.job}", file=sys.stderr, flush=True)
        try:
            job, report = self._load_job(run.job), self._reporter(run.number)
            if job is None:
                raise WorkerError("job-unknown", f"The worker knows no job “{run.job}”.", "Update MeshKin.")
            with surroundings.applied(run.surroundings):
                answer = job.answer(run.request, report)
            self._send(messages.ResultMessage(run.number, answer))
        except BaseException as error:  # also SystemExit: what a library raises must not end the worker
            self._send(messages.ErrorMessage(run.number, _explained(error).to_dict()))

    def _reporter(self, number: int) -> ProgressCallback:
        """The callback of a job: sends its progress, and raises Cancelled if the job was cancelled."""
        last_stage, last_time = "", 0.0

        def report(stage: str, fraction: float) -> None:
            nonlocal last_stage, last_time
            if self._cancelled:
                raise Cancelled()
            now = time.monotonic()
            if stage != last_stage or now - last_time >= _REPORT_SECONDS:
                last_stage, last_time = stage, now
                share = min(max(float(fraction), 0.0), 1.0) if fraction == fraction else 0.0
                self._send(messages.ProgressMessage(number, stage, share))

        return report

    def _listen(self) -> None:
        status = 2
        try:
            while (message := self._channel.receive()) is not None and not isinstance(message, messages.ByeMessage):
                if isinstance(message, messages.RunMessage):
                    with self._changed:
                        self._waiting[message.number] = message
                        self._changed.notify()
                elif isinstance(message, messages.CancelMessage):
                    self._cancel(message.number)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)  # at once, whatever the job is doing

    def _cancel(self, number: int) -> None:
        with self._changed:
            if number == self._running:
                self._cancelled = True
            if self._waiting.pop(number, None) is None:
                return  # running, or over already: the job answers for itself
        self._send(messages.ErrorMessage(number, Cancelled().to_dict()))

    def _beat(self) -> None:
        while True:
            self._send(messages.BeatMessage())
            faulthandler.dump_traceback_later(_STUCK_SECONDS)  # needs no lock; each beat puts it off
            _bound_log()
            time.sleep(messages.BEAT_SECONDS)

    def _send(self, message: messages.Message) -> None:
        try:
            self._channel.send(message)
        except OSError:
            os._exit(0)  # MeshKin's process has ended


def _explained(error: BaseException) -> MeshKinError:
    """The error to send for an exception that ended a job; unless it was cancelled, the traceback goes to the log."""
    if isinstance(error, Cancelled):
        return error
    traceback.print_exception(error)
    if isinstance(error, MeshKinError):
        return error
    if is_out_of_memory(error):
        return WorkerError(
            "out-of-memory",
            "The memory is not enough for this job.",
            "Close other programs, choose another device, or use fewer or smaller views.",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            "disk-full",
            f"There is no space left{f' for {error.filename}' if error.filename else ' on the disk'}.",
            "Free some space or choose another folder.",
        )
    return WorkerError(
        "worker-bug",
        f"The worker failed with {type(error).__name__}: {str(error).strip()[:_SHOWN]}",
        "This is a bug in MeshKin: report it with the worker's log.",
    )


def _idle_seconds() -> float | None:
    """Seconds without a job after which the worker ends and frees the graphics card; None for never."""
    chosen = IDLE_SECONDS.value
    return _IDLE_SECONDS if chosen is None else chosen or None


def _release_memory() -> None:
    """Free what the last job left behind, so that Blender has the graphics card's memory between jobs."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _bound_log() -> None:
    """Empty the log if it has grown too large."""
    with contextlib.suppress(OSError):
        if os.fstat(2).st_size > _LARGEST_LOG:
            os.ftruncate(2, 0)
            os.lseek(2, 0, os.SEEK_SET)
            print("(the log had grown too long: its beginning was dropped)", file=sys.stderr, flush=True)
