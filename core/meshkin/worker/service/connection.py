"""A client's side of the local service."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
from collections.abc import Callable, Generator

from ... import __version__
from ...base.errors import WorkerError, from_dict
from ...base.progress import Progress, Result
from .. import messages
from ..channel import MessageChannel
from ..requests.base import Request
from ..running import JobMessage, TimeLimits, Worker
from . import address
from .address import Address

_START_SECONDS, _SILENCE_SECONDS = 15.0, 15.0
"""Seconds until the service has greeted, and without a beat (chosen: many times what a busy machine takes)."""


class Connection:
    """A socket to the local service; the names are those of :class:`meshkin.worker.child.Child`."""

    name = "The local service"

    def __init__(self, of: Address) -> None:
        """Connect. Raises WorkerError ``service-missing``."""
        self._address = of
        try:
            self._socket = address.connect(of)
        except OSError as error:
            raise WorkerError(
                "service-missing",
                f"The local service does not answer: {error.strerror or error}.",
                "Start it with `meshkin serve`, or choose “Own Worker”.",
            ) from error
        self._incoming, outgoing = self._socket.makefile("rb"), self._socket.makefile("wb")
        self.channel = MessageChannel(self._incoming, outgoing)
        self._there = True

    @property
    def pid(self) -> int:
        """The service's process number."""
        return self._address.pid

    def is_there(self) -> bool:
        """Whether this end has not been closed."""
        return self._there

    def kill(self) -> None:
        """Leave the service at once, which then drops all jobs of this client."""
        self._there = False
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def wait(self, seconds: float) -> None:
        """Nothing: this end is closed at once."""

    def end(self) -> None:
        """Leave the service."""
        self.kill()
        self.channel.close()
        self._socket.close()

    def leave(self) -> None:
        """In a fork of this process: close its copy of the connection."""
        self._there = False
        os.close(self._socket.detach())

    def close_incoming(self) -> None:
        """Close the stream of what it says, once it says nothing more."""
        self._incoming.close()

    def processor_seconds(self) -> float | None:
        """Unknown."""
        return None

    def how_it_ended(self) -> str:
        """In words."""
        return "it closed the connection"

    def failure(self, code: str, what: str) -> WorkerError:
        """The error that the service failed in this way."""
        return WorkerError(code, what, "`meshkin serve` starts the service again.")

    def introduction(self, nonce: str) -> messages.ClientMessage:
        """What this client says of itself."""
        proof = address.proof(self._address.token, "client", nonce)
        return messages.ClientMessage(messages.PROTOCOL, __version__, os.getpid(), nonce, proof)

    def check_welcome(self, message: messages.Message, nonce: str) -> None:
        """Raise WorkerError ``service-refused`` unless the service has taken this client, and is the service."""
        if isinstance(message, messages.ErrorMessage):
            raise from_dict(message.error)
        given = message.proof if isinstance(message, messages.WelcomeMessage) else ""
        if not address.is_proof(given, self._address.token, "service", nonce):
            raise WorkerError(
                "service-refused", "What answered is not the local service.", "Start `meshkin serve` again."
            )


class _ServiceLostError(WorkerError):
    """The local service cannot be used, or not any more."""


class ServiceWorker(Worker):
    """The local service as a worker. Where it is lost, another worker does its jobs again."""

    def __init__(self, connection: Connection, instead: Callable[[ServiceWorker, str], Worker]) -> None:
        """Listen to it; returns at once.

        Args:
            connection: to the service.
            instead: gives the other worker; is told why, in a sentence.
        """
        self._connection, self._instead = connection, instead
        self._nonce = ""
        super().__init__(connection, TimeLimits(start=_START_SECONDS, silence=_SILENCE_SECONDS))

    def run(self, request: Request[Result]) -> Generator[Progress, None, Result]:
        """As :meth:`meshkin.worker.running.Worker.run`, except that losing the service is no error."""
        try:
            return (yield from super().run(request))
        except _ServiceLostError as error:
            lost = error
        return (yield from self._instead(self, lost.message).run(request))

    def _greet(self, message: messages.Message) -> bool:
        if self._nonce:
            self._connection.check_welcome(message, self._nonce)
            return True
        messages.check_hello(message, __version__)
        self._nonce = address.new_nonce()
        with contextlib.suppress(OSError):  # it is gone: noticed by reading
            self._channel.send(self._connection.introduction(self._nonce))
        return False

    def _check(self, received: queue.SimpleQueue[JobMessage]) -> None:
        try:
            super()._check(received)
        except WorkerError as error:
            raise _ServiceLostError(error.code, error.message, error.fix) from error
