"""Messages over two byte streams: pipes or sockets. Nothing here knows about processes, or what the messages mean."""

from __future__ import annotations

import contextlib
import threading
from typing import BinaryIO

from .messages import LARGEST_MESSAGE, Message, from_line, to_line


class MessageChannel:
    """Messages over two byte streams. Any thread may send; one thread receives."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._sending = threading.Lock()

    def send(self, message: Message) -> None:
        """Send one message.

        Raises WorkerError ``message-invalid`` as :func:`meshkin.worker.messages.to_line` (nothing was sent then) and
        OSError (the other end is gone).
        """
        line = to_line(message)
        with self._sending:
            try:
                self._outgoing.write(line)
                self._outgoing.flush()
            except ValueError as error:  # the stream was closed at this end
                raise BrokenPipeError(str(error)) from error

    def receive(self) -> Message | None:
        """Wait for the next message; None when the other end is gone.

        Raises WorkerError ``message-invalid`` when what comes is not a message; the channel is of no use any more.
        """
        try:
            line = self._incoming.readline(LARGEST_MESSAGE + 1)
        except (OSError, ValueError):  # reset by the other end, or closed at this one
            return None
        if not line.endswith(b"\n") and len(line) <= LARGEST_MESSAGE:
            return None  # the end, perhaps in the middle of a message
        return from_line(line)

    def close(self) -> None:
        """Close the outgoing stream, which tells the other end that this one is gone."""
        with contextlib.suppress(OSError):  # it was gone first
            self._outgoing.close()
