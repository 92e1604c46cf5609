"""The last match of two objects, remembered on the target and saved with the file.

Remembered is where the map lies in the cache, not the map itself; and what the shapes were, so that a map is never
used for a mesh that has become another since.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError, StorageError
from ...base.storage import map_path
from ...data.snapshot import Snapshot
from ...data.surface_map import Match
from . import snapshot as snapshots

MATCHES_PROPERTY = "meshkin_matches"
"""Custom property of an object: its matches as a target, by the source's identity."""
IDENTITY_PROPERTY = "meshkin_id"
"""Custom property of an object: what it is called there, whatever its name becomes."""


@dataclass(frozen=True)
class Matched:
    """Two objects as they are, and the map between them."""

    source: Snapshot
    target: Snapshot
    match: Match


def remember(
    source: bpy.types.Object,
    target: bpy.types.Object,
    shapes: tuple[Snapshot, Snapshot],
    key: str,
    flip: bool = False,
    pairs: NDArray[np.int64] | None = None,
) -> None:
    """Note on the target that the map kept under ``key`` is its match with the source.

    Args:
        flip, pairs: what the match was guided by: mirrored, and the vertices (P, 2) of the point pairs.
    """
    if IDENTITY_PROPERTY not in source and source.library is None:
        source[IDENTITY_PROPERTY] = secrets.token_hex(6)
    if MATCHES_PROPERTY not in target:
        target[MATCHES_PROPERTY] = {}
    target[MATCHES_PROPERTY][_identity(source)] = {
        "map": key,
        "shapes": [shape.key for shape in shapes],
        "flip": flip,
        "pairs": _flat(pairs),
    }


def is_matched(source: bpy.types.Object, target: bpy.types.Object) -> bool:
    """Whether the two were matched, in whichever direction; cheap enough for drawing."""
    return bool(_noted(source, target) or _noted(target, source))


def is_flipped(source: bpy.types.Object, target: bpy.types.Object) -> bool:
    """Whether their last match was flipped; cheap enough for drawing."""
    return bool(_noted(source, target).get("flip", False))


def was_flipped_with(source: bpy.types.Object, target: bpy.types.Object, pairs: NDArray[np.int64]) -> bool:
    """Whether their last match was flipped, and guided by these very point pairs."""
    noted = _noted(source, target)
    return bool(noted.get("flip", False)) and list(noted["pairs"]) == _flat(pairs)


def matched_with(source: bpy.types.Object) -> list[bpy.types.Object]:
    """The objects of the scene that were matched with this one as their source."""
    return [obj for obj in bpy.context.scene.objects if obj != source and _noted(source, obj)]


def load(source: bpy.types.Object, target: bpy.types.Object) -> Matched:
    """The last match of two objects.

    Raises:
        InputError: ``not-matched``; ``match-outdated`` when one of them was changed since; ``match-gone`` when the
            cache does not hold the map any more.
    """
    swap = not _noted(source, target)
    noted = _noted(target, source) if swap else _noted(source, target)
    names = f"“{source.name}” and “{target.name}”"
    if not noted:
        raise InputError("not-matched", f"{names} are not matched yet.", "Press Match first.")
    one, two = snapshots.take(source), snapshots.take(target)
    for shape, key in zip((one, two), list(noted["shapes"])[:: -1 if swap else 1], strict=True):
        if shape.key != key:
            raise InputError(
                "match-outdated", f"“{shape.name}” was changed since it was matched.", "Match the two again."
            )
    path = map_path(noted["map"])
    try:
        found = Match.load(path)
    except StorageError as error:
        raise InputError(
            "match-gone", f"The map between {names} is not in the cache any more.", "Match the two again."
        ) from error
    with contextlib.suppress(OSError):  # marked as used; a cache that can only be read serves as well
        os.utime(path)
    found = found.swapped() if swap else found
    if (len(found.to_target.face), len(found.to_source.face)) != (len(one.vertices), len(two.vertices)):
        raise InputError("match-outdated", f"The map between {names} is of other meshes.", "Match the two again.")
    return Matched(one, two, found)


def _identity(obj: bpy.types.Object) -> str:
    return str(obj.get(IDENTITY_PROPERTY) or obj.name)


def _noted(source: bpy.types.Object, target: bpy.types.Object) -> dict[str, Any]:
    """What the target remembers of its match with the source."""
    group = target.get(MATCHES_PROPERTY)
    found = group.get(_identity(source)) if group else None
    return found.to_dict() if found else {}


def _flat(pairs: NDArray[np.int64] | None) -> list[int]:
    return [] if pairs is None else [int(one) for one in pairs.ravel()]
