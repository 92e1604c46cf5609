"""The worker's side: takes jobs from a channel, one at a time, and tells how they go.

Three threads: the main one runs the jobs; one listens, so that a cancel or the end of the other side is noticed in
the middle of a job; one beats, so that the other side knows that this one lives.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import gc
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NoReturn

from .. import __version__
from ..base.errors import Cancelled, MeshKinError, StorageError, WorkerError, is_out_of_memory
from ..base.progress import ProgressCallback
from .protocol import BEAT, BYE, CANCEL, ERROR, HELLO, PROGRESS, PROTOCOL, RESULT, RUN, Channel

Job = Callable[[dict[str, Any], ProgressCallback], dict[str, Any]]
"""Called with the RUN message's arguments and a report that raises Cancelled; returns JSON data."""

_BEAT_SECONDS = 1.0
_REPORT_SECONDS = 0.05
"""Reports of one stage come no closer than this."""
_STUCK_SECONDS = 10.0
"""After so long without a beat (one native call holds Python's lock), where every thread is goes to the log."""
_IDLE_SECONDS = 300.0
IDLE_SECONDS = "MESHKIN_IDLE_SECONDS"
"""Environment variable: seconds without a job after which the worker ends; 0 for never."""
_LARGEST_LOG = 4 << 20


def serve_standard_streams(load_jobs: Callable[[], Mapping[str, Job]]) -> NoReturn:
    """Serve over this process's standard input and output; returns never, ends when the input ends.

    Both streams are kept for messages alone: whatever else in this process (or one it starts) writes to the standard
    output, from C as well, lands on the standard error.
    """
    _step_back()
    incoming, outgoing = _take_over(0, "rb"), _take_over(1, "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    serve(Channel(incoming, outgoing), load_jobs)


def _take_over(descriptor: int, mode: str) -> BinaryIO:
    stream: Any = os.fdopen(os.dup(descriptor), mode)  # a duplicate that child processes do not inherit
    taken: BinaryIO = stream
    return taken


def _step_back() -> None:
    """Leave the processor to Blender first, and be the one that goes when the system runs out of memory."""
    if sys.platform != "win32":  # there the client asks for it when it makes the process
        with contextlib.suppress(OSError):
            os.nice(5)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("500")


def serve(channel: Channel, load_jobs: Callable[[], Mapping[str, Job]]) -> NoReturn:
    """Serve jobs over ``channel`` until it ends, then end the process.

    Args:
        load_jobs: gives the table of job kinds; called when the first job comes.
    """
    faulthandler.enable()
    channel.send(HELLO, protocol=PROTOCOL, version=__version__, pid=os.getpid())
    _Server(channel, load_jobs).serve()


class _Server:
    def __init__(self, channel: Channel, load_jobs: Callable[[], Mapping[str, Job]]) -> None:
        self._channel = channel
        self._load_jobs = load_jobs
        self._changed = threading.Condition()
        self._waiting: dict[int, dict[str, Any]] = {}  # RUN messages by job, in the order they came
        self._running: int | None = None
        self._cancelled = False  # the running one

    def serve(self) -> NoReturn:
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        threading.Thread(target=self._beat, name="beat", daemon=True).start()
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: self._waiting, _idle_seconds()):
                    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} idle: ends", file=sys.stderr, flush=True)
                    os._exit(0)  # a CUDA context goes with its process only
                job = next(iter(self._waiting))
                message = self._waiting.pop(job)
                self._running, self._cancelled = job, False
            self._answer(job, message["kind"], message["arguments"])
            with self._changed:
                self._running = None
            _release_memory()

    def _answer(self, job: int, kind: str, arguments: dict[str, Any]) -> None:
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} job {job}: {kind}", file=sys.stderr, flush=True)
        try:
            known = self._load_jobs()
            if kind not in known:
                raise WorkerError("job-unknown", f"The worker knows no job “{kind}”.", "Update MeshKin.")
            result = known[kind](arguments, self._reporter(job))
            self._send(RESULT, job=job, result=result)
        except BaseException as error:  # also SystemExit: what a library raises must not end the worker
            self._send(ERROR, job=job, error=_explained(error).to_dict())

    def _reporter(self, job: int) -> ProgressCallback:
        last_stage, last_time = "", 0.0

        def report(stage: str, fraction: float) -> None:
            nonlocal last_stage, last_time
            if self._cancelled:
                raise Cancelled()
            now = time.monotonic()
            if stage != last_stage or now - last_time >= _REPORT_SECONDS:
                last_stage, last_time = stage, now
                share = min(max(float(fraction), 0.0), 1.0) if fraction == fraction else 0.0
                self._send(PROGRESS, job=job, stage=stage, fraction=share)

        return report

    def _listen(self) -> None:
        status = 2
        try:
            while (received := self._channel.receive()) is not None and received[0] != BYE:
                name, payload = received
                if name == RUN:
                    with self._changed:
                        self._waiting[payload["job"]] = payload
                        self._changed.notify()
                elif name == CANCEL:
                    self._cancel(payload["job"])
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)  # at once, whatever the job is doing

    def _cancel(self, job: int) -> None:
        with self._changed:
            if job == self._running:
                self._cancelled = True
            if self._waiting.pop(job, None) is None:
                return  # running, or over already: the job answers for itself
        self._send(ERROR, job=job, error=Cancelled().to_dict())

    def _beat(self) -> None:
        while True:
            self._send(BEAT)
            faulthandler.dump_traceback_later(_STUCK_SECONDS)  # needs no lock; each beat puts it off
            _bound_log()
            time.sleep(_BEAT_SECONDS)

    def _send(self, message: str, **payload: Any) -> None:
        try:
            self._channel.send(message, **payload)
        except OSError:
            os._exit(0)  # nobody is there to listen any more


def _explained(error: BaseException) -> MeshKinError:
    """The error to send for what a job raised; its traceback goes to the log unless it was expected."""
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
        f"The worker failed with {type(error).__name__}: {str(error).strip()[:300]}",
        "This is a bug in MeshKin: report it with the worker's log.",
    )


def _idle_seconds() -> float | None:
    """After so long without a job the worker ends, so that the graphics card is Blender's; None for never."""
    try:
        seconds = float(os.environ.get(IDLE_SECONDS, ""))
    except ValueError:
        return _IDLE_SECONDS
    return seconds if seconds > 0 else None


def _release_memory() -> None:
    """Give back what the job left behind: the graphics card's memory is Blender's between jobs."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _bound_log() -> None:
    with contextlib.suppress(OSError):
        if os.fstat(2).st_size > _LARGEST_LOG:
            os.ftruncate(2, 0)
            os.lseek(2, 0, os.SEEK_SET)
            print("(the log had grown too long: its beginning was dropped)", file=sys.stderr, flush=True)
