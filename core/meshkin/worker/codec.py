"""Dataclasses as JSON values and back. What does not fit its type is an error that names the field.

Types that a field may have: ``int``, ``float``, ``str``, ``bool``, ``None``, ``Path``, ``Literal``, ``tuple``,
``list``, ``dict`` (keys ``str`` or ``int``), dataclasses, unions of these, and :data:`Json` for a value that is not
checked.

Standard library only: both ends use it, Blender's and the worker's.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from ..base.errors import WorkerError

T = TypeVar("T")

Json = Any
"""Any JSON value. The codec passes it on unchecked."""

_FIX = "Start again. If it happens again, report this bug in MeshKin."
_SHOWN = 60
"""Characters of a wrong value that an error shows (chosen: one line)."""


class _Misfit(ValueError):
    """Says which field does not fit, and why."""


def encode(value: object, subject: str) -> Any:
    """The JSON value of a dataclass (or of anything that a field may hold).

    Args:
        value: what to encode.
        subject: what it is, for the error's sentence ("The request of the job “match”").

    Raises WorkerError ``message-invalid``: something in it is no JSON data, or a number is not finite.
    """
    return _named(lambda: _encode(value, ""), subject)


def as_data(result: object) -> dict[str, Json]:
    """A dataclass as JSON data for programs that read a command's output."""
    data: dict[str, Json] = encode(result, type(result).__name__)
    return data


def decode(kind: type[T], value: object, subject: str) -> T:
    """The ``kind`` that :func:`encode` gave this JSON value of.

    Args:
        kind: a dataclass.
        value: a JSON value.
        subject: what it is, for the error's sentence ("The request of the job “match”").

    Raises WorkerError ``message-invalid``: a field is missing, unknown, or of another type. The sentence names it.
    """
    return _named(lambda: cast(T, _decode(kind, value, "")), subject)


def _named(work: Callable[[], T], subject: str) -> T:
    try:
        return work()
    except _Misfit as misfit:
        raise WorkerError("message-invalid", f"{subject} is not valid: {misfit}.", _FIX) from misfit


def _encode(value: object, place: str) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _Misfit(f"{_quoted(place)} is {value}, which is not a finite number")
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [_encode(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, dict):
        if not all(type(key) in (str, int) for key in value):
            raise _Misfit(f"{_quoted(place)} has a key that is neither text nor a whole number")
        return {str(key): _encode(item, _within(place, str(key))) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _encode(getattr(value, field.name), _within(place, field.name)) for field in fields(value)}
    raise _Misfit(f"{_quoted(place)} is {_shown(value)}, which cannot be sent")


def _decode(kind: Any, value: object, place: str) -> object:
    """The value as this type. ``place`` is the path of the field in the whole, as ``recipe.parts[0].name``."""
    if kind is Json:
        return value
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _decode_union(arguments, value, place)
    if origin is Literal:
        return _require(
            any(value == choice and type(value) is type(choice) for choice in arguments), kind, value, place
        )
    if origin in (list, tuple):
        return _decode_sequence(kind, origin, arguments, value, place)
    if origin is dict:
        _require(isinstance(value, dict), kind, value, place)
        entries = cast("dict[str, object]", value).items()
        return {
            _decode_key(arguments[0], key, place): _decode(arguments[1], item, _within(place, key))
            for key, item in entries
        }
    if kind in (bool, str):
        return _require(isinstance(value, kind), kind, value, place)
    if kind in (None, NoneType):
        return _require(value is None, kind, value, place)
    if kind is int:
        return _require(isinstance(value, int) and not isinstance(value, bool), kind, value, place)
    if kind is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        return float(cast(float, _require(fits, kind, value, place)))
    if kind is Path:
        return Path(cast(str, _require(isinstance(value, str), kind, value, place)))
    if is_dataclass(kind):
        return _decode_dataclass(cast(type, kind), value, place)
    raise TypeError(f"A field of type {kind} cannot be sent as JSON ({place or 'the whole'}).")


def _decode_dataclass(kind: type, value: object, place: str) -> object:
    _require(isinstance(value, dict), kind, value, place)
    given, types = cast("dict[str, object]", value), _field_types(kind)
    for name in given:
        if name not in types:
            raise _Misfit(f"{_quoted(_within(place, name))} is not a field of it")
    for name in types:
        if name not in given:
            raise _Misfit(f"{_quoted(_within(place, name))} is missing")
    return kind(**{name: _decode(types[name], given[name], _within(place, name)) for name in types})


@functools.cache
def _field_types(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _decode_sequence(kind: Any, origin: type, arguments: tuple[Any, ...], value: object, place: str) -> object:
    _require(isinstance(value, list), kind, value, place)
    items = cast("list[object]", value)
    if origin is list or arguments[1:] == (...,):
        types = [arguments[0]] * len(items)
    else:
        types = list(arguments)
        _require(len(items) == len(types), kind, value, place)
    decoded = (
        _decode(each, item, f"{place}[{index}]") for index, (each, item) in enumerate(zip(types, items, strict=True))
    )
    return origin(decoded)


def _decode_union(kinds: tuple[Any, ...], value: object, place: str) -> object:
    """The value as the first of these types that fits."""
    misfits = []
    for kind in kinds:
        try:
            return _decode(kind, value, place)
        except _Misfit as misfit:
            misfits.append(misfit)
    inner = [kind for kind in kinds if kind not in (None, NoneType)]
    if len(inner) == 1 and value is not None:  # an optional value: what does not fit about it is known better
        raise misfits[kinds.index(inner[0])]
    raise _Misfit(f"{_quoted(place)} is {_shown(value)} instead of {' or '.join(_name(kind) for kind in kinds)}")


def _decode_key(kind: Any, key: str, place: str) -> str | int:
    if kind is str:
        return key
    try:
        return int(key)
    except ValueError:
        raise _Misfit(f"{_quoted(place)} has the key {key!r} instead of a whole number") from None


def _require(fits: bool, kind: Any, value: T, place: str) -> T:
    if not fits:
        raise _Misfit(f"{_quoted(place)} is {_shown(value)} instead of {_name(kind)}")
    return value


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")


def _within(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _quoted(place: str) -> str:
    return f"“{place}”" if place else "it"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
