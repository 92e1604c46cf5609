"""The messages between MeshKin and the process that computes for it.

A message is one line of UTF-8: ``["TYPE", {...}]`` and a line feed. Bulk data travel as files, messages carry their
paths. Either end may be a pipe or a socket: nothing here knows about processes.

The worker speaks first, with HELLO. Then MeshKin sends RUN, CANCEL and BYE; the worker answers each RUN with any
number of PROGRESS and one RESULT or ERROR, also when the job was cancelled, and sends BEAT every second.
"""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any, BinaryIO

from ..base.errors import WorkerError

PROTOCOL = 1
"""Changes whenever an older end could no longer understand a newer one."""

LARGEST_MESSAGE = 1 << 20
"""Bytes in one line."""

HELLO = "HELLO"
"""{protocol, version (of MeshKin), pid}"""
RUN = "RUN"
"""{job, kind, arguments}"""
PROGRESS = "PROGRESS"
"""{job, stage, fraction}"""
RESULT = "RESULT"
"""{job, result}"""
ERROR = "ERROR"
"""{job, error}, the error as :meth:`meshkin.base.errors.MeshKinError.to_dict` tells it"""
CANCEL = "CANCEL"
"""{job}"""
BEAT = "BEAT"
"""{}: still alive"""
BYE = "BYE"
"""{}: end now"""

_FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    HELLO: {"protocol": int, "version": str, "pid": int},
    RUN: {"job": int, "kind": str, "arguments": dict},
    PROGRESS: {"job": int, "stage": str, "fraction": (int, float)},
    RESULT: {"job": int, "result": dict},
    ERROR: {"job": int, "error": dict},
    CANCEL: {"job": int},
    BEAT: {},
    BYE: {},
}

Message = tuple[str, dict[str, Any]]


class Channel:
    """Messages over two byte streams. Any thread may send; one thread receives."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._sending = threading.Lock()

    def send(self, message: str, **payload: Any) -> None:
        """Send one message.

        Raises WorkerError ``message-invalid`` (not JSON data, a number that is not finite, too long; nothing was
        sent then) and OSError (the other end is gone).
        """
        try:
            line = json.dumps([message, payload], allow_nan=False).encode() + b"\n"
        except (TypeError, ValueError, RecursionError) as error:
            raise WorkerError(
                "message-invalid", f"A {message} message cannot be sent: {error}.", "Report this bug in MeshKin."
            ) from error
        if len(line) > LARGEST_MESSAGE:
            raise WorkerError(
                "message-invalid",
                f"A {message} message of {len(line)} bytes is too long to be sent.",
                "Report this bug in MeshKin: bulk data belong into files.",
            )
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
        return _parse(line)

    def close(self) -> None:
        """Close the outgoing stream, which tells the other end that this one is gone."""
        with contextlib.suppress(OSError):  # it was gone first
            self._outgoing.close()


def _parse(line: bytes) -> Message:
    try:
        if len(line) > LARGEST_MESSAGE:
            raise ValueError("it is too long")
        name, payload = json.loads(line.decode(), parse_constant=_refuse)
        if not isinstance(payload, dict):
            raise TypeError(f"the payload is {payload!r}")
        for field, kind in _FIELDS[name].items():
            if not isinstance(payload[field], kind):
                raise TypeError(f"{field} is {payload[field]!r}")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        start = line[:60].decode(errors="replace").strip()
        raise WorkerError(
            "message-invalid",
            f"Something that is no message came between MeshKin and its worker: “{start}”.",
            "Start again. If it comes again, set up the worker anew with `meshkin worker setup`.",
        ) from error
    return name, payload


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def check_hello(message: Message, version: str) -> None:
    """Raise WorkerError ``worker-version`` unless ``message`` is the HELLO of a worker of this ``version``."""
    name, payload = message
    if name == HELLO and (payload["protocol"], payload["version"]) == (PROTOCOL, version):
        return
    found = "one that does not say which"
    if name == HELLO:
        found = f"{payload['version']} (protocol {payload['protocol']})"
    raise WorkerError(
        "worker-version",
        f"This is MeshKin {version} (protocol {PROTOCOL}), but its worker is {found}.",
        "Close other versions of MeshKin and start Blender again.",
    )
