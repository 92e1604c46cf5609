"""The messages between MeshKin and its worker: their names, their fields, and their form as one line of text.

A message is one line of UTF-8: ``["NAME", {...}]`` and a line feed.

NAME is the class's name without "Message", in capitals.

The worker speaks first, with :class:`HelloMessage`. Then MeshKin sends :class:`RunMessage`, :class:`CancelMessage` and
:class:`ByeMessage`; the worker answers each RunMessage with any number of :class:`ProgressMessage` and one
:class:`ResultMessage` or :class:`ErrorMessage`, also when the job was cancelled, and sends :class:`BeatMessage` every
second.

The local service speaks as a worker does. Once it has said hello, a client introduces itself with
:class:`ClientMessage`, and the service answers with :class:`WelcomeMessage`, or with an ErrorMessage about number 0 if
it does not take the client.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import get_args

from ..base.errors import WorkerError
from ..base.json_data import Json
from . import codec
from .surroundings import Surroundings

PROTOCOL = 3
"""Changes whenever an older end could no longer understand a newer one."""

BEAT_SECONDS = 1.0
"""Seconds between two beats (chosen: a client gives up after fifteen)."""
LARGEST_MESSAGE = 1 << 20
"""Bytes in one line (chosen: far above any request, and small enough to be held in memory)."""


@dataclass(frozen=True)
class HelloMessage:
    """The worker is ready. ``version`` is that of its MeshKin, ``pid`` its process number."""

    protocol: int
    version: str
    pid: int


@dataclass(frozen=True)
class RunMessage:
    """Run the job of this name on a request; all that is said about it bears this number."""

    number: int
    job: str
    request: dict[str, Json]
    surroundings: Surroundings = field(default_factory=Surroundings)


@dataclass(frozen=True)
class ProgressMessage:
    """The fraction, in [0, 1], of a job's stage that is done."""

    number: int
    stage: str
    fraction: float


@dataclass(frozen=True)
class ResultMessage:
    """A job's result. The job is over."""

    number: int
    result: dict[str, Json]


@dataclass(frozen=True)
class ErrorMessage:
    """Why a job failed, as :meth:`meshkin.base.errors.MeshKinError.to_dict` gives it. The job is over."""

    number: int
    error: dict[str, str]


@dataclass(frozen=True)
class CancelMessage:
    """Drop this job, waiting or running."""

    number: int


@dataclass(frozen=True)
class BeatMessage:
    """The worker is alive."""


@dataclass(frozen=True)
class ByeMessage:
    """End now."""


@dataclass(frozen=True)
class ClientMessage:
    """A client of the local service: ``protocol``, ``version`` and ``pid`` as in :class:`HelloMessage`; ``proof``, see
    :func:`meshkin.worker.service.address.proof`, shows that it may read the service's address."""

    protocol: int
    version: str
    pid: int
    nonce: str
    proof: str


@dataclass(frozen=True)
class WelcomeMessage:
    """The local service takes the client; ``proof`` shows that it is the service."""

    proof: str


Message = (
    HelloMessage
    | RunMessage
    | ProgressMessage
    | ResultMessage
    | ErrorMessage
    | CancelMessage
    | BeatMessage
    | ByeMessage
    | ClientMessage
    | WelcomeMessage
)


def _name(kind: type[Message]) -> str:
    """What a kind of message is called in its line."""
    return kind.__name__.removesuffix("Message").upper()


_KINDS: dict[str, type[Message]] = {_name(kind): kind for kind in get_args(Message)}


def to_line(message: Message) -> bytes:
    """The message as a line of text.

    Raises WorkerError ``message-invalid``: something in it is no JSON data, a number is not finite, or it is too long.
    """
    name = _name(type(message))
    what = f"A {name} message"
    line = json.dumps([name, codec.encode(message, what, name)], allow_nan=False).encode() + b"\n"
    if len(line) > LARGEST_MESSAGE:
        raise WorkerError(
            "message-invalid",
            f"{what} of {len(line)} bytes is too long to be sent.",
            "Report this bug in MeshKin: bulk data belong into files.",
        )
    return line


def from_line(line: bytes) -> Message:
    """The message that a line of text is; raises WorkerError ``message-invalid`` if it is none."""
    try:
        if len(line) > LARGEST_MESSAGE:
            raise ValueError("it is too long")
        name, payload = json.loads(line.decode(), parse_constant=_refuse)
        return codec.decode(_KINDS[name], payload, "A message", name)
    except (ValueError, TypeError, KeyError, RecursionError, WorkerError) as error:
        start = line[:60].decode(errors="replace").strip()
        raise WorkerError(
            "message-invalid",
            f"Something that is no message came between MeshKin and its worker: “{start}”.",
            "Start again. If it comes again, press “Set Up MeshKin” in the preferences, or run `meshkin worker setup`.",
        ) from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def check_hello(message: Message, version: str) -> None:
    """Raise WorkerError ``worker-version`` unless ``message`` is the HelloMessage of a worker of this ``version``."""
    if isinstance(message, HelloMessage) and (message.protocol, message.version) == (PROTOCOL, version):
        return
    other = "one that does not say which"
    if isinstance(message, HelloMessage):
        other = f"{message.version} (protocol {message.protocol})"
    raise WorkerError(
        "worker-version",
        f"This is MeshKin {version} (protocol {PROTOCOL}), but its worker is {other}.",
        "Close other versions of MeshKin and start Blender again.",
    )
