"""Dataclasses as JSON data and back, every field checked: what crosses between processes and lies in files."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import InputError

if TYPE_CHECKING:
    Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
else:  # a recursive type cannot be read at run time
    Json = Union[bool, int, float, str, list, dict, None]  # noqa: UP007
"""A JSON value. Lists are Python lists or tuples, objects are dictionaries whose keys are texts."""

Data = TypeVar("Data")
"""A dataclass that is read from JSON data."""


def to_json(value: object, name: str = "") -> Json:
    """A dataclass instance, at any depth, as JSON data: an object with an entry for each field.

    Args:
        value: JSON values, paths, dataclasses, and lists, tuples and dictionaries of them.
        name: what ``value`` is, for the error; "" for its type.

    Raises TypeError for a value that is no JSON and no dataclass, and for a number that is not finite.
    """
    name = name or type(value).__name__
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name), f"{name}.{field.name}") for field in fields(value)}
    if isinstance(value, Mapping) and all(isinstance(key, str | int) for key in value):
        return {str(key): to_json(entry, f"{name}.{key}") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(entry, f"{name}[{index}]") for index, entry in enumerate(value)]
    raise TypeError(f"{name} is no JSON value but the {type(value).__name__} {_shown(value)}")


def from_json(kind: type[Data], data: object, name: str = "") -> Data:
    """The instance of the dataclass ``kind`` that :func:`to_json` described.

    Args:
        kind: a dataclass whose fields are JSON values, ``Path``, ``Literal``, ``X | None``, tuples, lists,
            dictionaries with texts or whole numbers as keys, and dataclasses of such fields. Fields with a default may
            be absent.
        data: JSON data.
        name: what ``data`` is, for the error; "" for the name of ``kind``.

    Raises InputError ``data-invalid``, which names the field that is missing, unknown or of another type.
    """
    return _instance(kind, data, name or kind.__name__)


def _instance(kind: Any, data: object, name: str) -> Any:
    if not isinstance(data, Mapping):
        raise _invalid(name, "an object", data)
    types_of_fields = _field_types(kind)
    if unknown := [field for field in data if field not in types_of_fields]:
        raise InputError(
            "data-invalid", f"{name} has no field “{unknown[0]}”.", f"It has {', '.join(types_of_fields)}."
        )
    for field in fields(kind):
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and field.name not in data:
            raise InputError("data-invalid", f"{name} lacks the field “{field.name}”.", "Add it.")
    return kind(**{field: _value(types_of_fields[field], data[field], f"{name}.{field}") for field in data})


@cache
def _field_types(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _value(kind: Any, data: Any, name: str) -> Any:
    """``data`` as a value of the type ``kind``; raises InputError ``data-invalid``."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _member(arguments, data, name)
    if origin is Literal:
        if data not in arguments:
            raise _invalid(name, " or ".join(f"“{choice}”" for choice in arguments), data)
        return data
    if dataclasses.is_dataclass(kind):
        return _instance(kind, data, name)
    container = origin or kind
    if container in (dict, Mapping):
        if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
            raise _invalid(name, "an object", data)
        key_type, entry_type = arguments or (str, Json)
        return {_key(key_type, key, name): _value(entry_type, entry, f"{name}.{key}") for key, entry in data.items()}
    if container in (list, tuple, Sequence):
        return _sequence(container, arguments, data, name)
    return _scalar(kind, data, name)


def _member(kinds: Sequence[Any], data: Any, name: str) -> Any:
    """``data`` as a value of the first of several types that it fits."""
    if data is None and types.NoneType in kinds:
        return None
    others = [kind for kind in kinds if kind is not types.NoneType]
    if len(others) == 1:
        return _value(others[0], data, name)
    for kind in others:
        with contextlib.suppress(InputError):
            return _value(kind, data, name)
    raise _invalid(name, " or ".join(_word(kind) for kind in kinds), data)


def _sequence(container: Any, arguments: tuple[Any, ...], data: Any, name: str) -> Any:
    if not isinstance(data, list | tuple):
        raise _invalid(name, "a list", data)
    if container is tuple and arguments and arguments[-1] is not Ellipsis:
        if len(data) != len(arguments):
            raise _invalid(name, f"a list of {len(arguments)}", data)
        kinds: Sequence[Any] = arguments
    else:
        kinds = [arguments[0] if arguments else Json] * len(data)
    pairs = enumerate(zip(kinds, data, strict=True))
    values = [_value(kind, entry, f"{name}[{index}]") for index, (kind, entry) in pairs]
    return tuple(values) if container is tuple else values


def _key(kind: Any, key: str, name: str) -> str | int:
    if kind is not int:
        return key
    try:
        return int(key)
    except ValueError:
        raise _invalid(f"A key of {name}", "a whole number", key) from None


def _scalar(kind: Any, data: Any, name: str) -> Any:
    if kind in (None, types.NoneType):
        good = data is None
    elif kind is bool:
        good = isinstance(data, bool)
    elif kind is int:
        good = isinstance(data, int) and not isinstance(data, bool)
    elif kind is float:
        good = isinstance(data, int | float) and not isinstance(data, bool) and math.isfinite(data)
    elif kind in (str, Path):
        good = isinstance(data, str)
    else:
        raise TypeError(f"{name}: {kind} cannot be read from JSON")
    if not good:
        raise _invalid(name, _word(kind), data)
    return kind(data) if kind in (float, Path) else data


def _word(kind: Any) -> str:
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a path"}
    words |= {
        types.NoneType: "null",
        dict: "an object",
        list: "a list",
        tuple: "a list",
        Mapping: "an object",
        Sequence: "a list",
    }
    return words.get(get_origin(kind) or kind, "an object")


def _invalid(name: str, wanted: str, data: object) -> InputError:
    return InputError("data-invalid", f"{name} must be {wanted}, not “{_shown(data)}”.", "Check its value.")


def _shown(data: object) -> str:
    text = str(data)
    return text if len(text) <= 80 else f"{text[:77]}..."
