"""Left and right in the names of bones and vertex groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_WORD = re.compile(r"(?<![A-Za-z])(left|right)(?![a-z])|(?<![A-Z])(Left|Right)(?![a-z])|(LEFT|RIGHT)")
"""A whole word, also in camel case: ``left_arm``, ``mixamorig:LeftArm``, ``ArmRight``, ``ARM_LEFT``."""
_LETTER = re.compile(r"(?<![A-Za-z0-9])([LlRr])(?![A-Za-z])")
"""A letter of its own: ``arm.L``, ``arm_l.001``, ``L_arm``, ``Bip01 R Hand``, ``arm-r``."""
_TAIL = re.compile(r"(?<=[a-z0-9])([LR])(?=$|[._-]?\d*$)")
"""A capital at the end: ``armL``, ``handR.001``."""
_OTHER = {"left": "right", "right": "left", "l": "r", "r": "l"}


def side(name: str) -> int:
    """1 for a name of the left side, -1 for the right, 0 for neither."""
    found = _find(name)
    return 0 if found is None else 1 if found.group(0).lower().startswith("l") else -1


def other_side(name: str) -> str:
    """The name of the mirrored bone; the same name where it has no side."""
    found = _find(name)
    if found is None:
        return name
    old = found.group(0)
    new = _OTHER[old.lower()]
    new = new.upper() if old.isupper() else new.capitalize() if old[0].isupper() else new
    return name[: found.start()] + new + name[found.end() :]


def twins(names: Sequence[str]) -> list[int]:
    """For each name the number of its other side's among them, -1 where there is none."""
    number = {name: index for index, name in enumerate(names)}
    return [number.get(other, -1) if (other := other_side(name)) != name else -1 for name in names]


def renamed(names: Iterable[str], table: Mapping[str, str], flip: bool = False) -> list[str]:
    """The names with left and right exchanged if asked, then those in the table replaced."""
    flipped = (other_side(name) if flip else name for name in names)
    return [table.get(name, name) for name in flipped]


def merged(names: Sequence[str]) -> tuple[list[str], list[int]]:
    """The names without repetition, and for each of those given its number among them."""
    number = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return list(number), [number[name] for name in names]


def parse_table(text: str) -> dict[str, str]:
    """A table of names from lines, or parts between commas or semicolons, of the form ``old = new``.

    Raises ValueError naming the part that is not of that form.
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


def _find(name: str) -> re.Match[str] | None:
    return _WORD.search(name) or _LETTER.search(name) or _TAIL.search(name)
