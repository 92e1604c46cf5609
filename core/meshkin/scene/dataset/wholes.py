"""Objects of several pieces, which are one object of a data set: what an armature poses, what an empty shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np

from ...geometry.arrays import Floats
from ..rig.binding import armature_of
from .geometry import SURFACE_TYPES, SceneSurface, SceneSurfaces

RIG_NAME = re.compile(r"(.*armature|rig|metarig|skeleton)(\.\d+)?", re.I)
"""Names of armatures that say nothing of the character."""
_FIRST_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Wholes:
    """Which surfaces of a scene are pieces of one object.

    Attributes:
        whole_of: for each piece the name of its whole, an armature; by names.
        called: what these are called, by the names of their armatures.
        showing: names of the empties that are what their collection shows.
    """

    whole_of: Mapping[str, str]
    called: Mapping[str, str]
    showing: frozenset[str]

    @staticmethod
    def of(objects: Iterable[bpy.types.Object]) -> Wholes:
        """The wholes among objects: each armature that poses, or carries, surfaces of the scene, and each empty that
        shows a collection."""
        objects = list(objects)
        showing = frozenset(obj.name for obj in objects if obj.type == "EMPTY" and obj.instance_type == "COLLECTION")
        armatures = {obj for obj in objects if obj.type == "ARMATURE"}
        pieces: dict[str, list[bpy.types.Object]] = {}
        for obj in bpy.context.scene.objects if armatures else ():
            armature = _carrier(obj, armatures) if obj.type in SURFACE_TYPES else None
            if armature is not None:
                pieces.setdefault(armature.name, []).append(obj)
        seen = {name: own for name, own in pieces.items() if not all(obj.hide_render for obj in own)}
        whole_of = {obj.name: name for name, own in seen.items() for obj in own}
        return Wholes(whole_of, {name: _called(name, own) for name, own in seen.items()}, showing)

    def joined(self, found: SceneSurfaces) -> list[SceneSurface]:
        """Surfaces with those of one whole as one, in the order in which they come first."""
        groups: dict[tuple[str, str], list[SceneSurface]] = {}
        for number, surface in enumerate(found.surfaces):
            if surface.owner in self.showing:
                key = surface.owner, ""
            elif surface.owner == surface.name and surface.name in self.whole_of:
                key = self.whole_of[surface.name], ""
            else:
                key = surface.name, str(number)  # copies of one object are objects of their own
            groups.setdefault(key, []).append(surface)
        return [
            _joined(name, own, found.poses.get(name, own[0].pose)) if len(own) > 1 or name in self.called else own[0]
            for (name, _), own in groups.items()
        ]


def _carrier(obj: bpy.types.Object, armatures: set[bpy.types.Object]) -> bpy.types.Object | None:
    """The armature, of these, that poses an object or what it hangs on."""
    at: bpy.types.Object | None = obj
    while at is not None:
        if (posing := armature_of(at)) in armatures:
            return posing
        if at in armatures:
            return at
        at = at.parent
    return None


def _called(name: str, pieces: Sequence[bpy.types.Object]) -> str:
    """The name of a character: that of its armature, if it says more than that it is one; else the word that most names
    of its pieces begin with; else the name of the largest."""
    if not RIG_NAME.fullmatch(name):
        return name
    words = Counter(match.group() for obj in pieces if (match := _FIRST_WORD.match(obj.name)))
    ((word, count),) = words.most_common(1) or [("", 0)]
    return word if count > 1 else str(max(pieces, key=lambda obj: max(obj.dimensions)).name)


def _joined(name: str, pieces: Sequence[SceneSurface], pose: Floats) -> SceneSurface:
    """Surfaces as one of that name, in the frame of a pose; names of parts and key points are of the whole."""
    starts = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
    names = list(dict.fromkeys(part for piece in pieces for part in piece.part_names))
    places = [piece.coordinates for piece in pieces if piece.coordinates is not None]
    return replace(
        pieces[0],
        name=name,
        owner=name,
        vertices=np.concatenate([piece.vertices for piece in pieces]),
        faces=np.concatenate([piece.faces + start for piece, start in zip(pieces, starts[:-1], strict=True)]),
        normals=np.concatenate([piece.normals for piece in pieces]),
        parts=np.concatenate([_renumbered(piece, names) for piece in pieces]),
        part_names=tuple(names),
        coordinates=np.concatenate(places) if len(places) == len(pieces) else None,
        pose=pose,
        key_points=tuple({key: place for piece in pieces for key, place in piece.key_points}.items()),
    )


def _renumbered(piece: SceneSurface, names: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """The parts (F,) of a piece by their places among names; -1 for those without a name."""
    numbers = [names.index(name) for name in piece.part_names]
    return np.array([*numbers, -1], np.int32)[np.where(piece.parts < len(numbers), piece.parts, -1)]
