"""The last match of two objects, noted on the target and saved with the file.

The note has the map's key in the cache, not the map itself, and the content hashes of both shapes, so that a map is
never used for a mesh that has changed since.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError, StorageError
from ...base.names import key_of
from ...base.storage import bring, map_path
from ...data.snapshot import Snapshot
from ...data.surface_map import Match
from . import rest
from . import snapshot as snapshots

MATCHES_PROPERTY = "meshkin_matches"
"""Custom property of an object: the notes of its matches as a target, by the source's identity."""
IDENTITY_PROPERTY = "meshkin_id"
"""Custom property of an object: its identity in these notes, which stays when the object is renamed."""


@dataclass(frozen=True)
class MatchedSnapshots:
    """Snapshots of two objects as they are now, and the match between them.

    Attributes:
        source, target: the snapshots; of a character's meshes, joined.
        match: between them.
        source_meshes, target_meshes: the meshes of which they are joined.
    """

    source: Snapshot
    target: Snapshot
    match: Match
    source_meshes: tuple[MatchedMesh, ...]
    target_meshes: tuple[MatchedMesh, ...]

    def swapped(self) -> MatchedSnapshots:
        """The same with source and target exchanged."""
        return MatchedSnapshots(self.target, self.source, self.match.swapped(), self.target_meshes, self.source_meshes)


@dataclass(frozen=True)
class MatchedMesh:
    """An object that is matched, alone or as one of a character's meshes.

    Attributes:
        object: the object.
        snapshot: of the object as it is shown now.
        rows: int32 (W,), the vertex of all meshes together for each vertex of its own.
    """

    object: bpy.types.Object
    snapshot: Snapshot
    rows: NDArray[np.int32]


@dataclass(frozen=True)
class DoubtfulPlace:
    """A place of the target where its match is doubtful.

    Attributes:
        name: of the bone or part, or where on the body it is; no other place of this match has it.
        share: of the target's area, in [0, 1].
        confidence: mean, in [0, 1].
        center: in the coordinates of the target's mesh that has the note.
        normal: in these, the mean of the unit normals: short where they differ.
        radius: around the center, in largest dimensions of that mesh.
    """

    name: str
    share: float
    confidence: float
    center: tuple[float, float, float]
    normal: tuple[float, float, float]
    radius: float


def remember(  # what there is to know of a match
    sources: Sequence[bpy.types.Object],
    targets: Sequence[bpy.types.Object],
    shapes: tuple[Snapshot, Snapshot],
    key: str,
    flip: bool = False,
    pairs: NDArray[np.int64] | None = None,
    places: Sequence[Sequence[DoubtfulPlace]] = (),
) -> None:
    """Note on the target that the map kept under ``key`` is its match with the source.

    Args:
        sources, targets: the objects; of a character all meshes that were matched as one.
        shapes: their shapes at rest, joined.
        key: of the map in the cache.
        flip: whether the match was mirrored.
        pairs: int64 (P, 2), the vertices of the point pairs that guided the match; None for none.
        places: for each of the targets where the match is doubtful, the worst first.
    """
    for obj in (*sources, *(targets if len(targets) > 1 else ())):
        identify(obj)
    note = {
        "map": key,
        "shapes": [shape.key for shape in shapes],
        "flip": flip,
        "pairs": _flat(pairs),
    }
    if len(sources) > 1 or len(targets) > 1:
        note |= {"sources": [identity(obj) for obj in sources], "targets": [identity(obj) for obj in targets]}
    for number, target in enumerate(targets):
        note["places"] = json.dumps([asdict(place) for place in places[number]] if places else [])
        if MATCHES_PROPERTY not in target:
            target[MATCHES_PROPERTY] = {}
        for source in sources:
            target[MATCHES_PROPERTY][identity(source)] = note


def identify(source: bpy.types.Object) -> None:
    """Give an object an identity that stays when it is renamed; a linked one keeps its name as such."""
    if IDENTITY_PROPERTY not in source and source.library is None:
        source[IDENTITY_PROPERTY] = secrets.token_hex(6)


def identity(obj: bpy.types.Object) -> str:
    """The identity of an object in notes on others."""
    return key_of(str(obj.get(IDENTITY_PROPERTY) or obj.name))


def is_matched(source: bpy.types.Object, target: bpy.types.Object) -> bool:
    """Whether the two objects were matched, in either direction; fast enough for drawing."""
    return bool(_note(source, target) or _note(target, source))


def is_flipped(source: bpy.types.Object, target: bpy.types.Object) -> bool:
    """Whether their last match was flipped; fast enough for drawing."""
    return bool(_note(source, target).get("flip", False))


def pair_count(source: bpy.types.Object, target: bpy.types.Object) -> int:
    """How many point pairs guided their last match; fast enough for drawing."""
    return len(_note(source, target).get("pairs", ())) // 2


def was_flipped_with(source: bpy.types.Object, target: bpy.types.Object, pairs: NDArray[np.int64]) -> bool:
    """Whether their last match was flipped and guided by exactly these point pairs, int64 (P, 2)."""
    note = _note(source, target)
    return bool(note.get("flip", False)) and list(note["pairs"]) == _flat(pairs)


def doubtful_places(source: bpy.types.Object, target: bpy.types.Object) -> list[DoubtfulPlace]:
    """Where on the target their last match is doubtful, the worst first; fast enough for drawing."""
    return [DoubtfulPlace(**place) for place in json.loads(_note(source, target).get("places", "[]"))]


def matched_with(source: bpy.types.Object) -> list[bpy.types.Object]:
    """The objects of the scene that were matched with this one as their source."""
    return [obj for obj in bpy.context.scene.objects if obj != source and _note(source, obj)]


def load(source: bpy.types.Object, target: bpy.types.Object, in_any_pose: bool = False) -> MatchedSnapshots:
    """The last match of two objects, in either direction.

    Args:
        source, target: the objects.
        in_any_pose: whether both may have been moved and bent since they were matched, which is told by their numbers
            of vertices alone: good enough to look at.

    Raises:
        InputError: ``not-matched``; ``match-outdated`` when one of them was changed since; ``match-gone`` when the
            cache does not hold the map any more.
    """
    swap = not _note(source, target)
    note = _note(target, source) if swap else _note(source, target)
    names = f"“{source.name}” and “{target.name}”"
    if not note:
        raise InputError("not-matched", f"{names} are not matched yet.", "Press Match first.")
    first, second = (target, source) if swap else (source, target)
    objects = _meshes(note, "sources", first), _meshes(note, "targets", second)
    ends = [_joined(meshes) for meshes in objects]
    for (_, shape, _), key in zip(ends, note["shapes"], strict=True):
        if shape.key != key and not in_any_pose:
            raise InputError(
                "match-outdated", f"“{shape.name}” was changed since it was matched.", "Match the two again."
            )
    match = _load_map(note["map"], names)
    if (len(match.to_target.face), len(match.to_source.face)) != tuple(len(shown.vertices) for shown, _, _ in ends):
        raise InputError("match-outdated", f"The map between {names} is of other meshes.", "Match the two again.")
    matched = MatchedSnapshots(ends[0][0], ends[1][0], match, ends[0][2], ends[1][2])
    return matched.swapped() if swap else matched


def matched_as_one(source: bpy.types.Object, target: bpy.types.Object) -> tuple[bpy.types.Object, ...]:
    """All meshes of the target that were matched as one with the source; raises InputError ``match-outdated``."""
    return _meshes(_note(source, target), "targets", target)


def _meshes(note: Mapping[str, Any], role: str, alone: bpy.types.Object) -> tuple[bpy.types.Object, ...]:
    """The meshes that were matched as one; raises InputError ``match-outdated`` if one is missing."""
    if role not in note:
        return (alone,)
    known = {identity(obj): obj for obj in bpy.context.scene.objects}
    if any(name not in known for name in note[role]):
        text = f"A mesh that was matched with “{alone.name}” is not in the scene any more."
        raise InputError("match-outdated", text, "Match the two again.")
    return tuple(known[name] for name in note[role])


def _joined(objects: Sequence[bpy.types.Object]) -> tuple[Snapshot, Snapshot, tuple[MatchedMesh, ...]]:
    """Objects as they are shown and at rest, joined, and each of them."""
    shown = [snapshots.take(obj) for obj in objects]
    shape = Snapshot.joined([rest.take_at_rest(obj, each) for obj, each in zip(objects, shown, strict=True)])
    joined = Snapshot.joined(shown)
    rows = np.split(joined.original, np.cumsum([len(each.original) for each in shown])[:-1])
    meshes = tuple(MatchedMesh(obj, each, own) for obj, each, own in zip(objects, shown, rows, strict=True))
    return joined, shape, meshes


def _load_map(key: str, names: str) -> Match:
    """The map with this key in the cache, which is marked as used; raises InputError ``match-gone``."""
    path = map_path(key)
    bring(path)
    try:
        match = Match.load(path)
    except StorageError as error:
        raise InputError(
            "match-gone", f"The map between {names} is not in the cache any more.", "Match the two again."
        ) from error
    with contextlib.suppress(OSError):  # a cache that can only be read cannot be marked
        os.utime(path)
    return match


def _note(source: bpy.types.Object, target: bpy.types.Object) -> dict[str, Any]:
    """The note on the target about its match with the source; empty if there is none."""
    notes = target.get(MATCHES_PROPERTY)
    note = notes.get(identity(source)) if notes else None
    return note.to_dict() if note else {}


def _flat(pairs: NDArray[np.int64] | None) -> list[int]:
    return [] if pairs is None else [int(vertex) for vertex in pairs.ravel()]
