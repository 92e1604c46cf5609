"""Settings of extractors: frozen dataclasses whose every field is checked when they are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from ..base.errors import InputError
from ..base.json_data import Data, Json, from_json

Number = TypeVar("Number", int, float)
_BOUNDS = "bounds"


@dataclass(frozen=True)
class Settings:
    """Base of an extractor's settings.

    The fields are of types that :func:`meshkin.base.json_data.from_json` reads, and all of them have a default.
    Numbers made by :func:`number` must lie within their bounds.

    Raises InputError ``features-option`` for a value that is not allowed.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if _BOUNDS in field.metadata:
                least, most, step = field.metadata[_BOUNDS]
                value = getattr(self, field.name)
                require(least <= value <= most, field.name, value, f"from {least} to {most}")
                require(step is None or value % step == 0, field.name, value, f"a multiple of {step}")
        self.check_together()

    def check_together(self) -> None:
        """Raise InputError ``features-option`` where values are not allowed together; see :func:`require`."""


def number(default: Number, least: float, most: float, step: int | None = None) -> Number:
    """A number field of :class:`Settings` that must lie from ``least`` to ``most``, in multiples of ``step``."""
    return dataclasses.field(default=default, metadata={_BOUNDS: (least, most, step)})


def require(condition: bool, name: str, value: object, wanted: str) -> None:
    """Raise InputError ``features-option`` about the setting ``name`` unless the condition holds.

    Args:
        condition: whether ``value`` is allowed.
        name: of the setting.
        value: its value.
        wanted: what it must be, to end the sentence "It must be ...".
    """
    if not condition:
        message = f"The features cannot be computed with {name} “{value}”."
        raise InputError("features-option", message, f"It must be {wanted}.")


def read(kind: type[Data], values: Mapping[str, Json], name: str) -> Data:
    """The instance of a dataclass that JSON data describe; fields that are absent keep their defaults.

    Args:
        kind: a dataclass all of whose fields have defaults: the settings of an extractor, or a choice of features.
        values: JSON data by field.
        name: what is read, as errors call it.

    Raises InputError ``features-option``, which names the field that is unknown, of another type or not allowed.
    """
    known = list(kind.__dataclass_fields__)  # type: ignore[attr-defined]
    for field in values:
        if field not in known:
            fix = f"It has {', '.join(sorted(known))}." if known else "Leave it out."
            raise InputError("features-option", f"{name} has no setting “{field}”.", fix)
    try:
        return from_json(kind, values, name)
    except InputError as error:
        raise InputError("features-option", error.message, error.fix) from error
