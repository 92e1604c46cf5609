"""Names that Blender cuts off: how they are cut, so that what was written under one is found again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

MAX_NAME_BYTES = 63
"""Longest name, in UTF-8, of vertex groups, bones, shape keys and custom properties in every Blender, and of objects
before 5.0. Source: ``MAX_VGROUP_NAME``, ``MAXBONENAME``, ``MAX_IDPROP_NAME`` and ``MAX_NAME`` (64 with the final zero)
in Blender's DNA."""


def cut(name: str, size: int = MAX_NAME_BYTES) -> str:
    """Return as many whole characters of the name as fit into ``size`` bytes."""
    return name.encode()[:size].decode(errors="ignore")


def key_of(name: str) -> str:
    """Return a key for a name among Blender's custom properties: itself, or of one that is too long a digest."""
    return name if cut(name) == name else hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def cut_apart(names: Iterable[str]) -> dict[str, str]:
    """Return each name's cut form. Names that are the same to where they are cut get numbers, in their order, so that
    they stay apart; a name that fits is not changed."""
    distinct = list(dict.fromkeys(names))
    taken = {name for name in distinct if cut(name) == name}
    table = {}
    for name in distinct:
        short, number = cut(name), 0
        while short != name and short in taken:
            number += 1
            ending = f".{number:03d}"
            short = cut(name, MAX_NAME_BYTES - len(ending)) + ending
        taken.add(short)
        table[name] = short
    return table
