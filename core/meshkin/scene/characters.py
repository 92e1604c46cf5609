"""Characters: which meshes belong together, whichever of a character's objects was picked.

A character is what an armature poses, and what hangs on it or on the same empty; without both, what shares a
collection and a place with it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ..base.errors import InputError
from .mesh import pieces
from .mesh.snapshot import INSTANCE_FIX
from .rig import armature as armatures
from .rig import binding

Picked: TypeAlias = bpy.types.Object | bpy.types.Collection | Sequence[bpy.types.Object]
"""An object or a collection that stands for its character, or the meshes that are meant themselves."""

PROXY_NAME = re.compile(
    r"^(UCX|UBX|UCP|USP|MCDCX)_|(^|[-_. ])(col|colonly|convcol|convcolonly|collider|collision|hitbox)(\.\d+)?$", re.I
)
"""Names of collision meshes, as Unreal, Unity and Godot have them."""
SAME_ROOM = 0.7
"""Intersection over union of the bounding boxes of two levels of detail, at least. Chosen: a helmet has less in common
with the head that it is on."""
INSIDE = 0.5
"""Share of an object's bounding box that lies in another's, from which the two are at one place. Chosen."""
ROOM = 0.1
"""How much larger than the object that other box is made, in its diagonals. Chosen: hair stands out from a head."""


def is_helper(obj: bpy.types.Object) -> bool:
    """Whether a mesh is none of a character's: a physics or collision proxy, a cage, what is not rendered."""
    return bool(
        obj.hide_render
        or obj.display_type in ("BOUNDS", "WIRE")
        or obj.rigid_body
        or obj.rigid_body_constraint
        or PROXY_NAME.search(obj.name)
        or not obj.data.polygons
    )


def candidates(picked: Picked, apart_from: Picked | None = None) -> list[bpy.types.Object]:
    """All meshes of a character, hidden ones too, largest first.

    Args:
        picked: one of its objects, a collection, or the meshes themselves, which are all returned.
        apart_from: what was picked of another character: an empty on which both hang makes them no single one.
    """
    if isinstance(picked, bpy.types.Collection):
        return _meshes(picked.all_objects)
    if not isinstance(picked, bpy.types.Object):
        return list(picked)
    other = apart_from if isinstance(apart_from, bpy.types.Object) else None
    group = _Relations().related(picked, other)
    if group == {picked} and picked.type == "MESH":
        group |= _beside(picked)
    own = [picked] if picked.type not in ("ARMATURE", "EMPTY") else []
    return _sorted({*own, *_meshes(group)})


def members(picked: Picked, apart_from: Picked | None = None) -> list[bpy.types.Object]:
    """The meshes of a character that take part, largest first: those that are shown, or all if the picked is hidden.

    For the arguments see :func:`candidates`. Raises InputError ``not-a-surface``.
    """
    found = candidates(picked, apart_from)
    if not found:
        fix = INSTANCE_FIX if getattr(picked, "instance_collection", None) else "Choose a mesh, or a rig that has one."
        raise InputError("not-a-surface", f"No mesh belongs to “{name_of(picked)}”.", fix)
    return shown(found, picked)


def shown(meshes: Sequence[bpy.types.Object], picked: Picked) -> list[bpy.types.Object]:
    """Those of a character's meshes that are shown; all if what was picked is hidden, or is a list of meshes."""
    if isinstance(picked, bpy.types.Object):
        takes_all = not picked.visible_get()
    else:
        takes_all = not isinstance(picked, bpy.types.Collection)
    chosen = [obj for obj in meshes if takes_all or obj == picked or obj.visible_get()]
    return chosen or list(meshes)


def name_of(picked: Picked) -> str:
    """What is picked, by name."""
    return ", ".join(obj.name for obj in picked) if isinstance(picked, Sequence) else str(picked.name)


@dataclass(frozen=True)
class Pair:
    """The meshes of two characters.

    Attributes:
        sources, targets: the meshes.
        alone: the source's mesh that was picked, with those that continue its surface; empty if that is no choice.
    """

    sources: list[bpy.types.Object]
    targets: list[bpy.types.Object]
    alone: list[bpy.types.Object]


def pair(source: Picked, target: Picked, leave_out: Collection[object] = ()) -> Pair:
    """The meshes of source and target, without those that are left out.

    Of two meshes of one character, each stands for itself: a body gives its weights to its shirt.

    Raises InputError ``not-a-surface``.
    """
    sources, targets = members(source, target), members(target, source)
    if set(candidates(source, target)) & set(candidates(target, source)):
        sources, targets = _of_one_character(source, target, sources, targets)
    else:
        sources = [obj for obj in sources if obj == source or obj not in leave_out]
        targets = [obj for obj in targets if obj == target or obj not in leave_out]
    alone: list[bpy.types.Object] = []
    if isinstance(source, bpy.types.Object) and source in sources and len(sources) > 1:
        alone = [source, *pieces.continuing(source, [obj for obj in sources if obj != source])]
    return Pair(sources, targets, alone)


def _of_one_character(
    source: Picked, target: Picked, sources: list[bpy.types.Object], targets: list[bpy.types.Object]
) -> tuple[list[bpy.types.Object], list[bpy.types.Object]]:
    """The meshes of source and target that are of one character: a mesh that was picked stands for itself."""
    target_alone = isinstance(target, bpy.types.Object) and target in targets
    if target_alone:
        targets = [obj for obj in targets if obj == target]
    if not (isinstance(source, bpy.types.Object) and source in sources):
        return [obj for obj in sources if obj not in targets] if target_alone else sources, targets
    if not target_alone:
        return [source], [obj for obj in targets if obj != source]
    found = pieces.continuing(source, [obj for obj in candidates(source) if obj != source])
    return [source, *(found if target not in found else ())], targets


def groups(picked: Sequence[Picked]) -> list[list[bpy.types.Object]]:
    """The meshes of several characters, each mesh once; of two meshes of one character each stands for itself."""
    if len(picked) == 2:
        both = pair(*picked)
        return [both.sources, both.targets]
    found: list[list[bpy.types.Object]] = []
    for each in picked:
        known = {obj for group in found for obj in group}
        if group := [obj for obj in members(each) if obj not in known]:
            found.append(group)
    return found


def of_selected(meshes: Sequence[bpy.types.Object]) -> list[list[bpy.types.Object]]:
    """Meshes that were selected, those of one character together, in their order.

    Two that fill the same room, as levels of detail do, are not one surface: each stands for itself.
    """
    found: list[list[bpy.types.Object]] = []
    for obj in meshes:
        related = set(candidates(obj))
        fitting = (
            group for group in found if group[0] in related and not any(_fill_one_room(obj, each) for each in group)
        )
        if group := next(fitting, None):
            group.append(obj)
        else:
            found.append([obj])
    return found


def _fill_one_room(one: bpy.types.Object, other: bpy.types.Object) -> bool:
    """Whether two objects' bounding boxes are nearly the same."""
    boxes = np.stack((_box(one), _box(other)))
    common = np.prod(np.maximum(boxes[:, 1].min(axis=0) - boxes[:, 0].max(axis=0), 0))
    both = np.prod(boxes[:, 1] - boxes[:, 0], axis=1).sum() - common
    return bool(common > SAME_ROOM * both)


def rig_of(picked: Picked) -> bpy.types.Object:
    """The armature that is picked, or that poses a picked mesh, or the first of a character's meshes that has one.

    Raises InputError ``no-armature``, ``not-a-surface``.
    """
    if isinstance(picked, bpy.types.Object) and picked.type == "ARMATURE":
        return picked
    meshes = [picked] if isinstance(picked, bpy.types.Object) and picked.type != "EMPTY" else members(picked)
    posed = (obj for obj in meshes if binding.armature_of(obj))
    return armatures.check(next(posed, meshes[0]))


def selected_pair(context: bpy.types.Context) -> tuple[bpy.types.Object, bpy.types.Object] | None:
    """The two characters that are selected, source first: the active object is of the target. Two meshes of one
    character are a pair, too. None if there are not exactly two."""
    active = context.view_layer.objects.active
    chosen = [obj for obj in context.selected_objects if obj != active]
    if active is None or not active.select_get() or not chosen:
        return None
    relations = _Relations()
    groups: list[tuple[bpy.types.Object, set[bpy.types.Object]]] = []
    for obj in (active, *chosen):
        if any(obj in group for _, group in groups):
            continue
        other = active if groups else chosen[-1]
        group = {obj, *relations.related(obj, other), *candidates(obj, other)}
        if any(each.type == "MESH" for each in group):
            groups.append((obj, group))
    if len(groups) == 1 and len(chosen) == 1 and chosen[0].type == active.type == "MESH":
        return chosen[0], active
    if len(groups) != 2 or groups[0][0] != active:
        return None
    return groups[1][0], active


# Relations --------------------------------------------------------------------------------------------------------


class _Relations:
    """Who hangs on whom, looked up once: Blender finds an object's children by looking at all objects.

    Attributes:
        children: of each object that has some.
        posed: the meshes of the scene that modifiers let each armature pose.
    """

    def __init__(self) -> None:
        self.children: dict[bpy.types.Object, list[bpy.types.Object]] = {}
        self.posed: dict[bpy.types.Object, list[bpy.types.Object]] = {}
        for obj in bpy.context.scene.objects:
            if obj.parent:
                self.children.setdefault(obj.parent, []).append(obj)
            for modifier in obj.modifiers:
                if modifier.type == "ARMATURE" and modifier.object:
                    self.posed.setdefault(modifier.object, []).append(obj)

    def related(self, picked: bpy.types.Object, other: bpy.types.Object | None) -> set[bpy.types.Object]:
        """All objects that armatures and parents join with one, itself included."""
        group: set[bpy.types.Object] = set()
        waiting = [picked, self._root(picked, other)]
        while waiting:
            obj = waiting.pop()
            if obj in group:
                continue
            group.add(obj)
            waiting += self.children.get(obj, ())
            near = self.posed.get(obj, ()) if obj.type == "ARMATURE" else binding.armatures_of(obj)
            waiting += [self._root(each, other) for each in near if each not in group]
        return group

    def _root(self, obj: bpy.types.Object, other: bpy.types.Object | None) -> bpy.types.Object:
        """The topmost of an object's parents on which no other character hangs."""
        root = obj
        while root.parent is not None:
            if root.parent.type != "ARMATURE":
                below = self._below(root.parent)
                rigs = {each for each in below if each.type == "ARMATURE"}
                if len([rig for rig in rigs if not _hangs_on(rig, rigs)]) > 1:
                    break
                if other in below and other != root and not _hangs_on(other, {root}):
                    break
            root = root.parent
        return root

    def _below(self, obj: bpy.types.Object) -> list[bpy.types.Object]:
        """An object and all that hang on it."""
        found = [obj]
        for each in found:
            found += self.children.get(each, ())
        return found


def _hangs_on(obj: bpy.types.Object, parents: Collection[bpy.types.Object]) -> bool:
    """Whether one of these is above an object."""
    above = obj.parent
    while above is not None and above not in parents:
        above = above.parent
    return above is not None


def _beside(picked: bpy.types.Object) -> set[bpy.types.Object]:
    """The meshes that share a collection and a place with one that neither has an armature nor a parent."""
    found = {picked}
    for collection in picked.users_collection:
        if collection == bpy.context.scene.collection or any(obj.type == "ARMATURE" for obj in collection.all_objects):
            continue
        loose = [obj for obj in _meshes(collection.all_objects) if not (obj.parent or binding.armatures_of(obj))]
        boxes = {obj: _box(obj) for obj in (picked, *loose)}
        waiting = [picked]
        while waiting:
            box = boxes[waiting.pop()]
            near = [obj for obj in loose if obj not in found and (_holds(box, boxes[obj]) or _holds(boxes[obj], box))]
            found.update(near)
            waiting += near
    return found


def _box(obj: bpy.types.Object) -> NDArray[np.float64]:
    """The bounding box of an object in the world, (2, 3)."""
    corners = np.array([obj.matrix_world @ Vector(corner) for corner in obj.bound_box], np.float64)
    return np.stack((corners.min(axis=0), corners.max(axis=0)))


def _holds(box: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether at least :data:`INSIDE` of each side of another box lies in this one, made a little larger."""
    room = ROOM * np.linalg.norm(box[1] - box[0])
    common = np.minimum(box[1] + room, other[1]) - np.maximum(box[0] - room, other[0])
    return bool((common >= INSIDE * (other[1] - other[0])).all())


def _meshes(objects: Iterable[bpy.types.Object]) -> list[bpy.types.Object]:
    """The meshes among these objects that show a character: neither helpers nor what armatures show for bones."""
    rigs = [obj for obj in bpy.data.objects if obj.type == "ARMATURE" and obj.pose]
    shapes = {bone.custom_shape for rig in rigs for bone in rig.pose.bones}
    return _sorted(obj for obj in objects if obj.type == "MESH" and obj not in shapes and not is_helper(obj))


def _sorted(objects: Iterable[bpy.types.Object]) -> list[bpy.types.Object]:
    """Objects, those first that have the most vertices, then by name; so the same whichever was picked."""
    return sorted(objects, key=lambda obj: (-len(getattr(obj.data, "vertices", ())), obj.name))
