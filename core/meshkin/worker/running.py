"""A worker that runs, and the jobs that it is given; notices when it dies or hangs.

Runs inside Blender: standard library only, and nothing here waits.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

from .. import __version__
from ..base.errors import WorkerError, from_dict
from ..base.json_data import Json
from ..base.progress import Progress, Result
from . import codec, messages, surroundings
from .channel import MessageChannel
from .requests.base import Request, result_type

JobMessage = messages.ProgressMessage | messages.ResultMessage | messages.ErrorMessage
"""What the worker says about a job."""
_LAST = (messages.ResultMessage, messages.ErrorMessage)
"""After one of these a job is over."""


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


class Link(Protocol):
    """How a worker is reached: see :class:`meshkin.worker.child.Child`, which documents the names."""

    name: str
    channel: MessageChannel

    @property
    def pid(self) -> int: ...
    def is_there(self) -> bool: ...
    def kill(self) -> None: ...
    def wait(self, seconds: float) -> None: ...
    def end(self) -> None: ...
    def leave(self) -> None: ...
    def close_incoming(self) -> None: ...
    def processor_seconds(self) -> float | None: ...
    def how_it_ended(self) -> str: ...
    def failure(self, code: str, what: str) -> WorkerError: ...


class Worker:
    """One worker, and the jobs that it was given."""

    def __init__(
        self, link: Link, limits: TimeLimits = TimeLimits(), clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Listen to it; returns at once.

        Args:
            link: how it is reached.
            limits: how long it may take.
            clock: says the time by which silence and start are measured, seconds.
        """
        self.link = link
        self._limits, self._clock = limits, clock
        self._channel = link.channel
        self._numbers = itertools.count(1)
        self._jobs: dict[int, queue.SimpleQueue[JobMessage]] = {}
        self._cancelling: dict[int, threading.Thread] = {}
        self._greeted = False
        self._fault: WorkerError | None = None  # why it was given up, if it was
        self._started = self._heard = clock()
        self._doubt: tuple[float, float | None] | None = None  # since when it seems silent, processor time then
        self._reader = threading.Thread(target=self._read, name="meshkin-worker", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        """Whether it can take a job now: it is there, and does not have to stop a cancelled job first.

        One that was given up is not, though the system may take a moment to end it.
        """
        return self.link.is_there() and self._reader.is_alive() and not self._cancelling and self._fault is None

    @property
    def cancelling(self) -> bool:
        """Whether it is there, and has to stop a cancelled job."""
        return self.link.is_there() and bool(self._cancelling)

    @property
    def busy(self) -> bool:
        """Whether it has jobs."""
        return bool(self._jobs)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.link.pid

    def run(self, request: Request[Result]) -> Generator[Progress, None, Result]:
        """Run a job and return its result. Until then the generator yields the latest progress, and never waits.

        Closing the generator cancels the job. The worker goes on, unless the job does not stop within some seconds.

        Raises the error that ended the job, or WorkerError: ``worker-died`` and ``worker-silent`` (with the end of
        the log), ``worker-start-failed``, ``worker-version``, ``worker-incomplete``, ``message-invalid``.
        """
        fields = codec.encode(request, "A request to the worker", request.job)
        result = yield from self.run_fields(request.job, fields, surroundings.here())
        return codec.decode(result_type(request), result, "A result of the worker", request.job)

    def run_fields(
        self, job: str, fields: dict[str, Json], where: surroundings.Surroundings
    ) -> Generator[Progress, None, dict[str, Json]]:
        """Run a job as :meth:`run` does, on the fields of its request, and return those of its result.

        Args:
            job: its name.
            fields: of its request.
            where: it was asked for.
        """
        number = next(self._numbers)
        received = self._jobs[number] = queue.SimpleQueue()
        sent = over = False
        progress = Progress("Starting the worker", 0.0)
        try:
            while not self._greeted:
                self._check(received)
                yield progress
            with contextlib.suppress(OSError):  # it died: noticed below
                self._channel.send(messages.RunMessage(number, job, fields, where))
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
            if sent and not over and self.link.is_there():
                self._cancel(number, received)
            else:
                del self._jobs[number]

    def stop(self) -> None:
        """End it, whatever it is doing; a job that was cancelled may clean up before."""
        for thread in list(self._cancelling.values()):
            thread.join(self._limits.cancel)
        with contextlib.suppress(OSError):
            self._channel.send(messages.ByeMessage())
        self.link.end()

    def _read(self) -> None:
        """Give each message to its job; runs in a thread of its own until the worker is gone."""
        try:
            while (message := self._channel.receive()) is not None:
                self._heard = self._clock()
                if not self._greeted:
                    self._greeted = self._greet(message)
                elif isinstance(message, JobMessage) and (received := self._jobs.get(message.number)) is not None:
                    received.put(message)
        except WorkerError as error:
            self._give_up(error)
        finally:
            self.link.close_incoming()

    def _greet(self, message: messages.Message) -> bool:
        """Take what it says first, and return whether jobs can be sent; raises WorkerError."""
        messages.check_hello(message, __version__)
        return True

    def _give_up(self, fault: WorkerError) -> None:
        self._fault = fault
        self.link.kill()

    def _check(self, received: queue.SimpleQueue[JobMessage]) -> None:
        """Raise an error if the worker is gone or has been silent for too long, unless messages are left to read."""
        if self.link.is_there() and self._reader.is_alive():
            self._check_time()
            return
        if self.link.is_there():  # it closed its output, or its messages made no sense
            self.link.kill()
        self.link.wait(1)
        self._reader.join(1)  # what it said last
        if received.empty():
            raise self._fault or self._death()

    def _check_time(self) -> None:
        """Kill the worker if it has not started in time, or has been silent too long without using the processor."""
        now = self._clock()
        if not self._greeted:
            if now - self._started > self._limits.start:
                what = f"{self.link.name} did not start in {self._limits.start:.0f} seconds."
                self._give_up(self.link.failure("worker-start-failed", what))
            return
        if now - self._heard < self._limits.silence:
            self._doubt = None
            return
        # A beat needs Python's lock, which a long native call may hold; or this computer may just have woken up. So a
        # silent worker gets another second, and it goes on while it uses the processor.
        if self._doubt is None:
            self._doubt = now, self.link.processor_seconds()
        elif now - self._doubt[0] >= self._limits.doubt:
            before, spent = self._doubt[1], self.link.processor_seconds()
            self._doubt = now, spent
            if before is None or spent is None or spent <= before:
                what = f"{self.link.name} has not answered for {now - self._heard:.0f} seconds."
                self._give_up(self.link.failure("worker-silent", what))

    def _death(self) -> WorkerError:
        how = self.link.how_it_ended()
        if not self._greeted:
            return self.link.failure("worker-start-failed", f"{self.link.name} ended before it was ready: {how}.")
        return self.link.failure("worker-died", f"{self.link.name} died: {how}.")

    def _cancel(self, number: int, received: queue.SimpleQueue[JobMessage]) -> None:
        """Tell the worker to drop a job; a thread of its own kills the worker if it does not do so in time."""

        def wait_for_end() -> None:
            deadline = time.monotonic() + self._limits.cancel
            try:
                self._channel.send(messages.CancelMessage(number))
                while not isinstance(received.get(timeout=max(deadline - time.monotonic(), 0.01)), _LAST):
                    pass
            except queue.Empty:
                if self.link.is_there():
                    what = f"{self.link.name} was stopped: a cancelled job did not end."
                    self._give_up(self.link.failure("worker-died", what))
            except OSError:
                pass  # it died of itself
            finally:
                self._jobs.pop(number, None)
                self._cancelling.pop(number, None)

        thread = threading.Thread(target=wait_for_end, name="meshkin-cancel", daemon=True)
        self._cancelling[number] = thread
        thread.start()
