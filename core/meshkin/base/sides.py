"""Left and right in the names of bones and vertex groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .options import parts, unquoted

_MARKS = (
    # A whole word, also in camel case: left_arm, mixamorig:LeftArm, ArmRight, ARM_LEFT.
    re.compile(r"(?<![A-Za-z])(left|right)(?![a-z])|(?<![A-Z])(Left|Right)(?![a-z])|(LEFT|RIGHT)"),
    # A single letter: arm.L, arm_l.001, L_arm, Bip01 R Hand, arm-r.
    re.compile(r"(?<![A-Za-z0-9])[LlRr](?![A-Za-z])"),
    # A letter before a capital one: lThigh, rShldrBend, LHand, LUpArm; and the second mark of “NPC L Thigh [LThg]”.
    re.compile(r"(?<![A-Za-z0-9])(?:[lr](?=[A-Z])|[LR](?=[A-Z][a-z]))"),
    # A capital letter behind a word: armL, handR.001, FootL_end.
    re.compile(r"(?<=[a-z0-9])[LR](?=$|[._ -]|\d+$)"),
    re.compile("左|右|왼|오른"),
)
"""How riggers mark the side of a bone in its name, the surest first."""
_SECOND_MARK = re.compile(r"(?<=\[)[LR](?=\w)")
"""A letter that repeats another mark of the name: ``NPC L Finger00 [LF00]``, ``NPC R Foot [Rft ]``."""
_OPPOSITE = {"left": "right", "l": "r", "左": "右", "왼": "오른"}
"""Marks of one side, in lower case, and of the other."""
_OPPOSITE |= {other: mark for mark, other in _OPPOSITE.items()}

_POSSIBLE_PAIRS = (
    *(("lt", "rt"), ("lf", "rt"), ("lft", "rgt"), ("lf", "rf"), ("lb", "rb"), ("lh", "rh")),
    *(("fl", "fr"), ("bl", "br"), ("hl", "hr"), ("rl", "rr")),
    *(("links", "rechts"), ("gauche", "droite"), ("gauche", "droit"), ("sx", "dx"), ("izq", "der")),
    *((f"izquierd{end}", f"derech{end}") for end in "oa"),
    *((f"esquerd{end}", f"direit{end}") for end in "oa"),
    *((f"sinistr{end}", f"destr{end}") for end in "oa"),
)
"""Words that may mark a side: abbreviations (``lf_arm`` and ``rt_arm``; front, back, hind or rear legs), and other
languages. They count only where a bone of the other side is there."""
_POSSIBLE = [
    (re.compile(rf"(?<![A-Za-z]){old}(?![a-z])|{old.capitalize()}(?![a-z])|(?<![A-Z]){old.upper()}(?![A-Z])"), new)
    for pair in _POSSIBLE_PAIRS
    for old, new in (pair, pair[::-1])
]


def other_side(name: str) -> str:
    """Return the name with left and right exchanged; a name without a side is returned as it is."""
    return next(_other_names(name), name)


def mirror_indices(names: Sequence[str]) -> list[int]:
    """Return, for each name, the index of the name of the other side; -1 if there is none.

    Where a name can be read in several ways (``eyelid_L_L``, ``lthigh``), the other names tell which one is meant.
    """
    index = {name: number for number, name in enumerate(names)}
    mirror = [
        next((index[other] for other in (*_other_names(name), *_possible_names(name)) if other in index), -1)
        for name in names
    ]
    return [other if other >= 0 and mirror[other] == number else -1 for number, other in enumerate(mirror)]


def _other_names(name: str) -> Iterator[str]:
    """What the name may be on the other side, the most likely first: all marks of its side exchanged, or only one."""
    marks: list[re.Match[str]] = []
    for pattern in _MARKS:
        marks += [mark for mark in pattern.finditer(name) if not any(mark.start() == one.start() for one in marks)]
    if not marks:
        return
    taken = {mark.start() for mark in marks}
    marks += [mark for mark in _SECOND_MARK.finditer(name) if mark.start() not in taken]
    yield _exchanged(name, [mark for mark in marks if _is_left(mark) == _is_left(marks[0])])
    for mark in marks:
        yield _exchanged(name, [mark])


def _is_left(mark: re.Match[str]) -> bool:
    return mark[0][0].lower() in "l左왼"


def _exchanged(name: str, marks: Iterable[re.Match[str]]) -> str:
    """The name with these marks exchanged for those of the other side."""
    for mark in sorted(marks, key=lambda one: one.start(), reverse=True):
        name = name[: mark.start()] + _as_written(_OPPOSITE[mark[0].lower()], mark[0]) + name[mark.end() :]
    return name


def _possible_names(name: str) -> Iterator[str]:
    """Further names that may be this one's of the other side, if there is a bone of that name."""
    for pattern, new in _POSSIBLE:
        for mark in pattern.finditer(name):
            yield name[: mark.start()] + _as_written(new, mark[0]) + name[mark.end() :]
    for place in (0, len(name) - 1):
        if letter := _OPPOSITE.get(name[place : place + 1].lower()):
            yield name[:place] + _as_written(letter, name[place]) + name[place + 1 :]


def _as_written(mark: str, like: str) -> str:
    """A mark in capitals, capitalized or in small letters as another one."""
    return mark.upper() if like.isupper() else mark.capitalize() if like[0].isupper() else mark


def rename(names: Iterable[str], table: Mapping[str, str]) -> list[str]:
    """Return the names, each replaced by its new name if the table has one."""
    return [table.get(name, name) for name in names]


def unique_names(names: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the distinct names in order, and for each of ``names`` its index among them."""
    index = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return list(index), [index[name] for name in names]


def parse_table(text: str) -> dict[str, str]:
    """Return a table of new names from a text with entries ``old = new``, separated by lines, commas or semicolons.

    A name that has one of these, or "=", stands in double quotes.

    Raises:
        ValueError: an entry has another form; the message is the entry.
    """
    table = {}
    for part in parts(text, "\n;,"):
        sides = [unquoted(piece) for piece in parts(part, "=")]
        if len(sides) != 2 or not all(sides):
            raise ValueError(part)
        table[sides[0]] = sides[1]
    return table
