"""Descriptions of options, from which the panels, the redo panels and the command line's arguments are made.

Options are the fields of frozen dataclasses. Each stage has one, in a module ``options.py`` of its package. A field is
declared with :func:`option`, which stores its name, description, choices and range in the field's metadata. These
modules import only the standard library, because Blender loads them at its start.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .errors import OptionError


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of the values that an option may have.

    Attributes:
        value: the value.
        name: the value's name in the panel.
        description: the tooltip.
    """

    value: str
    name: str
    description: str = ""


@dataclasses.dataclass(frozen=True)
class Text:
    """How the value of an option is written as text, in a field of the panel or as an argument.

    Attributes:
        parse: returns the value of a text; raises ValueError with the part that it cannot parse.
        write: returns the text of a value, the inverse of ``parse``.
        example: a valid text, for error messages.
    """

    parse: Callable[[str], Any]
    write: Callable[[Any], str]
    example: str


@dataclasses.dataclass(frozen=True)
class Option:
    """The description of one option.

    Attributes:
        field: name of the dataclass's field.
        default: the default value.
        name: the option's name in the panel.
        description: one phrase, for the tooltip and the command line's help.
        flat: a name that no other option has. The panel's property, the command line's flag (with hyphens) and the
            keyword of :meth:`meshkin.workflow.Options.changed` have this name.
        choices: the only allowed values; for a tuple, the only allowed entries.
        suggestions: values to offer if any text is allowed.
        least, most: the range of a number, both included; None for no limit.
        soft_most: the end of the panel's slider.
        unit: the property's subtype in Blender: "PIXEL", "FACTOR", "DISTANCE_CAMERA" (mm), "FILE_PATH" or "DIR_PATH";
            "" for none.
        flag: the command line's flag if it is not made from ``flat``.
        metavar: the placeholder of the value in the command line's help.
        text: how the value is written as text, unless it is a plain number, text, truth value or choice.
        panel: whether the panel has a field for the option; False if buttons or the preferences set it.
        command: whether the command line has a flag for the option; False if it only matters in a window.
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
        """Return the values of the option's choices."""
        return tuple(choice.value for choice in self.choices)

    @property
    def argument(self) -> str:
        """Return the command line's flag."""
        return self.flag or f"--{self.flat.replace('_', '-')}"

    def parsed(self, value: Any, shown_name: str = "") -> Any:
        """Return the option's value that a field of the panel or an argument holds.

        Args:
            value: the field's or argument's value.
            shown_name: what an error calls the option; "" for its name in the panel.

        Raises OptionError ``option-invalid`` for a text that cannot be parsed.
        """
        if self.text is None or not isinstance(value, str):
            return value
        try:
            return self.text.parse(value)
        except ValueError as error:
            raise OptionError(
                "option-invalid",
                f"{shown_name or self.name} cannot be parsed: {error}.",
                f"Write it as in {self.text.example}",
            ) from error


def option(default: Any, name: str, description: str, **more: Any) -> Any:
    """Return a dataclass field that is an option; ``more`` are further attributes of :class:`Option`."""
    factory: dict[str, Any] = {"default_factory": dict} if isinstance(default, dict) else {"default": default}
    return dataclasses.field(metadata={"name": name, "description": description, **more}, **factory)


def options_of(group: type) -> dict[str, Option]:
    """Return the options of a group (a dataclass with fields made by :func:`option`), by the names of their fields."""
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


def check_numbers(group: Any) -> None:
    """Raise OptionError ``option-invalid`` for an option of a group that is no finite number, or out of its range."""
    for name, declared in options_of(type(group)).items():
        value = getattr(group, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        least, most = declared.least, declared.most
        if (
            value != value
            or abs(value) == math.inf
            or (least is not None and value < least)
            or (most is not None and value > most)
        ):
            limits = [f"at least {least:g}"] * (least is not None) + [f"at most {most:g}"] * (most is not None)
            raise OptionError(
                "option-invalid",
                f"{declared.name} cannot be {value}.",
                f"Give a number{', ' * bool(limits)}{' and '.join(limits)}.",
            )


def numbers(text: str) -> tuple[int, ...]:
    """Return the integers in a text such as "3, 7"; raises ValueError."""
    return tuple(int(word) for word in text.replace(",", " ").split())


def parts(text: str, separators: str = ",") -> list[str]:
    """Return the parts of a text between separators, without the blanks around them; empty ones are left out.

    Between double quotes, separators and blanks belong to the part: ``"Eye, left", Shirt``.
    """
    some = re.escape(separators)
    found = re.findall(rf'(?:(?<![^\s={some}])"[^"]*"|[^{some}])+', text)
    return [part for part in map(str.strip, found) if part]


def unquoted(part: str) -> str:
    """Return a name without the double quotes around it."""
    return part[1:-1] if len(part) > 1 and part[0] == part[-1] == '"' else part


def names(text: str) -> tuple[str, ...]:
    """Return the names in a text such as ``Col, UVMap``; one that has a comma stands in double quotes."""
    return tuple(unquoted(part) for part in parts(text))


def quoted(name: str, separators: str = ",") -> str:
    """Return the name as :func:`names` takes it."""
    needs_quotes = name != name.strip() or any(separator in name for separator in separators)
    return f'"{name}"' if needs_quotes else name


def assignments(parts: Iterable[str]) -> dict[str, Any]:
    """Return the values of texts of the form "name=value", by name. A value that is not JSON is taken as text.

    Raises ValueError for a text without "=".
    """
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
"""Integers, separated by commas or blanks."""
NAMES = Text(names, lambda values: ", ".join(map(quoted, values)), 'Col, UVMap, "a, b"')
"""Names, separated by commas; one that has a comma stands in double quotes."""
ASSIGNMENTS = Text(
    lambda text: assignments(part for part in text.split(";") if part.strip()), _written_assignments, "steps=20; seed=3"
)
"""Named values, separated by semicolons."""
