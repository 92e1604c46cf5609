"""Left and right in the names of bones and vertex groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_WORD = re.compile(r"(?<![A-Za-z])(left|right)(?![a-z])|(?<![A-Z])(Left|Right)(?![a-z])|(LEFT|RIGHT)")
"""A whole word, also in camel case: ``left_arm``, ``mixamorig:LeftArm``, ``ArmRight``, ``ARM_LEFT``."""
_LETTER = re.compile(r"(?<![A-Za-z0-9])([LlRr])(?![A-Za-z])")
"""A single letter: ``arm.L``, ``arm_l.001``, ``L_arm``, ``Bip01 R Hand``, ``arm-r``."""
_LAST_LETTER = re.compile(r"(?<=[a-z0-9])([LR])(?=$|[._-]?\d*$)")
"""A capital letter at the end: ``armL``, ``handR.001``."""
_OPPOSITE = {"left": "right", "right": "left", "l": "r", "r": "l"}
"""The other side's marker, in lower case."""


def other_side(name: str) -> str:
    """Return the name with left and right exchanged; a name without a side is returned as it is."""
    marker = _side_marker(name)
    if marker is None:
        return name
    old = marker.group(0)
    new = _OPPOSITE[old.lower()]
    new = new.upper() if old.isupper() else new.capitalize() if old[0].isupper() else new
    return name[: marker.start()] + new + name[marker.end() :]


def mirror_indices(names: Sequence[str]) -> list[int]:
    """Return, for each name, the index of the name of the other side; -1 if there is none."""
    index = {name: number for number, name in enumerate(names)}
    return [index.get(other, -1) if (other := other_side(name)) != name else -1 for name in names]


def rename(names: Iterable[str], table: Mapping[str, str]) -> list[str]:
    """Return the names, each replaced by its new name if the table has one."""
    return [table.get(name, name) for name in names]


def unique_names(names: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the distinct names in order, and for each of ``names`` its index among them."""
    index = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return list(index), [index[name] for name in names]


def parse_table(text: str) -> dict[str, str]:
    """Return a table of new names from a text with entries ``old = new``, separated by lines, commas or semicolons.

    Raises:
        ValueError: an entry has another form; the message is the entry.
    """
    table = {}
    for part in re.split(r"[\n;,]", text):
        if not part.strip():
            continue
        old, equals, new = (piece.strip() for piece in part.partition("="))
        if not (old and equals and new):
            raise ValueError(part.strip())
        table[old] = new
    return table


def _side_marker(name: str) -> re.Match[str] | None:
    """Return the part of a name that says its side; None for a name without a side."""
    return _WORD.search(name) or _LETTER.search(name) or _LAST_LETTER.search(name)
