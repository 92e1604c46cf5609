"""The shapes that a family is learned from."""

from __future__ import annotations

from collections.abc import Iterable

import bpy

from . import characters
from .characters import Picked
from .rig import binding


def shapes(picked: Iterable[Picked]) -> list[list[bpy.types.Object]]:
    """The meshes of each shape, each mesh once.

    A mesh with an armature or a parent, and what is no mesh, stands for its character; any other mesh for itself, also
    where several stand in one place of one collection.
    """
    found: list[list[bpy.types.Object]] = []
    for each in picked:
        known = {obj for group in found for obj in group}
        if group := [obj for obj in _meshes(each) if obj not in known]:
            found.append(group)
    return found


def _meshes(picked: Picked) -> list[bpy.types.Object]:
    is_alone = (
        isinstance(picked, bpy.types.Object)
        and picked.type == "MESH"
        and picked.parent is None
        and binding.armature_of(picked) is None
    )
    return [picked] if is_alone else characters.members(picked)
