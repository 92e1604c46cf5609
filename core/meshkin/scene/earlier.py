"""Copies of objects that came over before: found by their names, and replaced unless somebody has changed them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import bpy

from ..base.names import cut

COPY_PROPERTY = "meshkin_copy"
"""Custom property of an object that was copied onto a target: a digest of its name, which may be cut, and of what it
was then."""

State = Callable[[bpy.types.Object], str]
"""A digest of what of an object must not be lost."""


def digest(parts: Iterable[bytes | str]) -> str:
    """A digest of texts and bytes."""
    total = hashlib.blake2b(digest_size=8)
    for part in parts:
        content = part if isinstance(part, bytes) else part.encode()
        total.update(len(content).to_bytes(8, "little") + content)
    return total.hexdigest()


def find(copy: bpy.types.Object, name: str, state: State) -> bpy.types.Object | None:
    """The copy that came over before under a name, if it is still what it was then; None without one."""
    before = bpy.data.objects.get(cut(name))
    if before in (None, copy) or before.type != copy.type or before.get(COPY_PROPERTY) != digest([name, state(before)]):
        return None
    return before


def is_untouched(copy: bpy.types.Object, state: State) -> bool:
    """Whether an object is a copy that came over, as it was then, under the name that it had then."""
    return bool(copy.get(COPY_PROPERTY) == digest([copy.name, state(copy)]))


def replace(before: bpy.types.Object | None, copy: bpy.types.Object, name: str, state: State) -> None:
    """Let everything that uses the copy that came over before, if any, use a new one, which gets the name."""
    if before is not None:
        data = before.data
        before.user_remap(copy)
        bpy.data.objects.remove(before)
        if not data.users:
            bpy.data.batch_remove([data])
    copy.name = copy.data.name = cut(name)
    copy[COPY_PROPERTY] = digest([name, state(copy)])
