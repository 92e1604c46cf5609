"""One client of the local service: what it says, what it is told, and its jobs."""

from __future__ import annotations

import asyncio
import contextlib
import os

from ... import __version__
from ...base.errors import WorkerError
from .. import messages
from . import address
from .lanes import QueuedJob

_INTRODUCTION_SECONDS = 10.0
"""Seconds in which a client must say who it is (chosen: it does so at once)."""
_FAREWELL_SECONDS = 0.5
"""Seconds that a client gets to read what it was told last (chosen)."""
_MOST_JOBS = 1000
"""Jobs of one client at once (chosen: Blender has one)."""


class Client:
    """A connection.

    What a client is told waits for it here, and never waits for it: nobody else is held up by a client that does not
    read. Of a job's progress only the latest waits, and of beats one, so what waits does not grow.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = 0
        self.done = 0  # jobs that are over
        self.jobs: dict[int, QueuedJob] = {}
        self._reader, self._writer = reader, writer
        self._outgoing: dict[tuple[str, int], messages.Message] = {}
        self._told = asyncio.Event()
        self._last = False  # nothing more will be told
        self._sender = asyncio.create_task(self._send())

    async def introduce(self, token: str) -> bool:
        """Greet the client; returns whether it says who it is, and has read the service's token."""
        self.tell(messages.HelloMessage(messages.PROTOCOL, __version__, os.getpid()))
        try:
            message = await asyncio.wait_for(self.receive(), _INTRODUCTION_SECONDS)
        except TimeoutError:
            return False
        if not isinstance(message, messages.ClientMessage):
            return False
        if not address.is_proof(message.proof, token, "client", message.nonce):
            return False
        if (message.protocol, message.version) != (messages.PROTOCOL, __version__):
            self.tell(messages.ErrorMessage(0, address.other_version(__version__, message.version).to_dict()))
            return False
        self.pid = message.pid
        self.tell(messages.WelcomeMessage(address.proof(token, "service", message.nonce)))
        return True

    async def receive(self) -> messages.Message | None:
        """The next message; None when the client has gone. Raises WorkerError ``message-invalid``, OSError."""
        try:
            line = await self._reader.readline()
        except ValueError as error:  # longer than any message
            raise WorkerError("message-invalid", str(error)) from error
        return messages.from_line(line) if line.endswith(b"\n") else None

    def tell(self, message: messages.Message) -> None:
        """Send a message as soon as the client reads."""
        number = getattr(message, "number", 0)
        self._outgoing[type(message).__name__, number] = message
        self._told.set()

    def new_job(self, run: messages.RunMessage) -> QueuedJob | None:
        """The job that the client asks for; None, with an answer, where it has too many.

        Raises WorkerError ``message-invalid``: its number is taken.
        """
        if run.number in self.jobs:
            raise WorkerError("message-invalid", f"There is a job {run.number} already.")
        if len(self.jobs) >= _MOST_JOBS:
            error = WorkerError("service-full", f"There are {_MOST_JOBS} jobs of this program already.", "Wait.")
            self.tell(messages.ErrorMessage(run.number, error.to_dict()))
            return None
        job = self.jobs[run.number] = QueuedJob(self, run)
        return job

    def take_back(self, number: int) -> QueuedJob | None:
        """A job that the client does not want any more, and is told nothing about; None if it is over already."""
        if (job := self.jobs.pop(number, None)) is not None:
            job.cancelled = True
        return job

    def finish(self, job: QueuedJob) -> None:
        """Note that a job is over."""
        self.done += 1
        if self.jobs.get(job.run.number) is job:
            del self.jobs[job.run.number]

    async def close(self) -> None:
        """Leave the client; it gets a moment to read what it has been told."""
        self._told.set()
        self._last = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._sender, _FAREWELL_SECONDS)
        self._writer.transport.abort()

    async def _send(self) -> None:
        with contextlib.suppress(OSError):
            while not self._last or self._outgoing:
                await self._told.wait()
                self._told.clear()
                while self._outgoing:
                    message = self._outgoing.pop(next(iter(self._outgoing)))
                    self._writer.write(_line(message))
                    await self._writer.drain()


def _line(message: messages.Message) -> bytes:
    try:
        return messages.to_line(message)
    except WorkerError as error:  # a result that was just short enough as the worker sent it
        if not isinstance(message, messages.ResultMessage):
            raise
        return messages.to_line(messages.ErrorMessage(message.number, error.to_dict()))
