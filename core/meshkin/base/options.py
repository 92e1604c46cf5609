"""The one description of each option, from which panels, redo panels and the command line are made.

Options are fields of frozen dataclasses, one for each stage, that lie beside the stage they drive. A field is declared
with :func:`option`, which keeps its name, description, choices and range as the field's metadata. Standard library
only: Blender reads these modules while it starts.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .errors import InputError


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of the values that an option may have.

    Attributes:
        value: what the option holds then.
        name: what the panel calls this value.
        description: the tooltip.
    """

    value: str
    name: str
    description: str = ""


@dataclasses.dataclass(frozen=True)
class Text:
    """How an option that is not a plain value is written as text, in a field of the panel or as an argument.

    Attributes:
        parse: makes the value; raises ValueError naming the part that it does not understand.
        write: the text that ``parse`` makes this value of.
        example: a text that ``parse`` understands, for error messages.
    """

    parse: Callable[[str], Any]
    write: Callable[[Any], str]
    example: str


@dataclasses.dataclass(frozen=True)
class Option:
    """What is known of one option.

    Attributes:
        field: the name of the dataclass's field.
        default: the value when nobody says otherwise.
        name: what the panel calls it.
        description: one phrase: the tooltip, and the help of the command line.
        flat: a name that no other option has: that of the panel's property, of the command line's flag (with hyphens)
            and of the keyword that scripts used before options were grouped.
        choices: the only values it may have; for a tuple, those that it may contain.
        suggestions: values worth offering where any text is allowed.
        least, most: the range of a number, both included; None for no limit.
        soft_most: where the panel's slider ends.
        unit: of a number: "PIXEL", "FACTOR", "FILE_PATH", "DIR_PATH", Blender's subtypes; "" for none.
        flag: the command line's flag where it is not made of ``flat``.
        metavar: what stands for the value in the command line's help.
        text: how it is written as text, where it is not a plain number, text, truth value or choice.
        panel: whether the panel has a field for it; False where buttons or the preferences set it.
        command: whether the command line has a flag for it; False where its value is an object of the open file that
            the command finds by name, or where only a window makes sense of it.
    """

    field: str
    default: Any
    name: str
    description: str
    flat: str
    choices: tuple[Choice, ...] = ()
    suggestions: tuple[Choice, ...] = ()
    least: float | None = None
    most: float | None = None
    soft_most: float | None = None
    unit: str = ""
    flag: str = ""
    metavar: str | None = None
    text: Text | None = None
    panel: bool = True
    command: bool = True

    @property
    def values(self) -> tuple[str, ...]:
        """The values of its choices."""
        return tuple(choice.value for choice in self.choices)

    @property
    def argument(self) -> str:
        """The command line's flag."""
        return self.flag or f"--{self.flat.replace('_', '-')}"

    def parsed(self, value: Any, called: str = "") -> Any:
        """The option's value of what a field of the panel or an argument holds.

        Raises InputError ``option-invalid``, which names the option as ``called``, by default as the panel does.
        """
        if self.text is None or not isinstance(value, str):
            return value
        try:
            return self.text.parse(value)
        except ValueError as error:
            raise InputError(
                "option-invalid",
                f"{called or self.name} is not understood: {error}.",
                f"Write it as in {self.text.example}",
            ) from error


def option(default: Any, name: str, description: str, **more: Any) -> Any:
    """Declare a dataclass field as an option; ``more`` are further attributes of :class:`Option`."""
    factory: dict[str, Any] = {"default_factory": dict} if isinstance(default, dict) else {"default": default}
    return dataclasses.field(metadata={"name": name, "description": description, **more}, **factory)


def options_of(group: type) -> dict[str, Option]:
    """All options of a group (a dataclass whose fields are made by :func:`option`), by the names of their fields."""
    return {
        field.name: Option(
            **{
                "field": field.name,
                "default": {} if field.default is dataclasses.MISSING else field.default,
                "flat": field.name,
                **field.metadata,
            }
        )
        for field in dataclasses.fields(group)
    }


def numbers(text: str) -> tuple[int, ...]:
    """The whole numbers in a text such as "3, 7"."""
    return tuple(int(word) for word in text.replace(",", " ").split())


def names(text: str) -> tuple[str, ...]:
    """The names in a text such as "one, two"."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def assignments(parts: Iterable[str]) -> dict[str, Any]:
    """The values in texts of the form "name=value", each a JSON value or, where it is none, a text."""
    values = {}
    for part in parts:
        name, sign, value = part.partition("=")
        if not sign:
            raise ValueError(part)
        try:
            values[name.strip()] = json.loads(value)
        except ValueError:
            values[name.strip()] = value.strip()
    return values


def _joined(values: Iterable[Any]) -> str:
    return ", ".join(str(value) for value in values)


def _written_assignments(values: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}={json.dumps(value)}" for name, value in values.items())


NUMBERS = Text(numbers, _joined, "3, 7")
NAMES = Text(names, _joined, "Col, UVMap")
ASSIGNMENTS = Text(
    lambda text: assignments(part for part in text.split(";") if part.strip()), _written_assignments, "steps=20; seed=3"
)
