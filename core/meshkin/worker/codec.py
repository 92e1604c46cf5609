"""Requests, results and messages as JSON data and back. What is not valid is a WorkerError that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from ..base.errors import InputError, WorkerError
from ..base.json_data import Data, Json, from_json, to_json

_FIX = "Start again. If it happens again, report this bug in MeshKin."


def encode(data: object, what: str, name: str) -> dict[str, Json]:
    """A dataclass as JSON data.

    Args:
        data: the dataclass.
        what: what it is, for the error's sentence ("A request to the worker").
        name: the job's name, for the error's sentence.

    Raises WorkerError ``message-invalid``: something in it is no JSON value.
    """
    try:
        return cast("dict[str, Json]", to_json(data, name))
    except (TypeError, RecursionError) as error:
        raise WorkerError("message-invalid", f"{what} cannot be sent: {error}.", _FIX) from error


def decode(kind: type[Data], fields: Mapping[str, Json], what: str, name: str) -> Data:
    """The dataclass that :func:`encode` described.

    Args:
        kind: the dataclass.
        fields: JSON data.
        what, name: as for :func:`encode`.

    Raises WorkerError ``message-invalid``, which names the field that is missing, unknown or of another type.
    """
    try:
        return from_json(kind, fields, name)
    except (InputError, RecursionError) as error:
        reason = error.message if isinstance(error, InputError) else "it is nested too deep."
        raise WorkerError("message-invalid", f"{what} is not valid: {reason}", _FIX) from error


def as_data(result: object) -> dict[str, Json]:
    """A dataclass as JSON data for programs that read a command's output."""
    return cast("dict[str, Json]", to_json(result))
