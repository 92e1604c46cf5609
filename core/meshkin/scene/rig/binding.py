"""Which armature poses an object: found out, and set by an Armature modifier and the object's parent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import bpy

from ...base.errors import InputError
from .. import objects
from ..mesh.resting import place_at_rest
from ..mesh.snapshot import check_writable

FLAGS = ("use_bone_envelopes", "use_deform_preserve_volume", "use_multi_modifier")
"""Settings of an Armature modifier that are copied together with its armature."""
BEFORE_ARMATURE = ("MIRROR", "WELD")
"""Modifiers that complete a mesh, and that an Armature modifier has to come after."""


def armatures_of(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The armatures that pose the object, in their order: of the Armature modifiers that are shown, else its parent.

    Modifiers that are switched off in the viewport count only where nothing else poses the object.
    """
    parent = obj.parent
    by_parent = [parent] if parent and parent.type == "ARMATURE" and obj.parent_type == "ARMATURE" else []
    shown = [modifier.object for modifier in obj.modifiers if _poses(modifier)]
    hidden = [modifier.object for modifier in obj.modifiers if modifier.type == "ARMATURE" and modifier.object]
    return list(dict.fromkeys(shown or by_parent or hidden))


def armature_of(obj: bpy.types.Object) -> bpy.types.Object | None:
    """The first of the armatures that pose the object; None without one."""
    return next(iter(armatures_of(obj)), None)


def meshes_posed_with(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The other meshes of the scene that the object's armature poses and that have vertex groups."""
    armature = armature_of(obj)
    others = [
        other for other in bpy.context.scene.objects if other.type == "MESH" and other != obj and other.vertex_groups
    ]
    return [other for other in others if armature in armatures_of(other)]


def bind(obj: bpy.types.Object, armature: bpy.types.Object) -> None:
    """Let the armature pose the object: as its parent, without moving the object, and by an Armature modifier.

    An existing Armature modifier is used, else a new one is put first in the stack.

    Raises:
        InputError: ``not-an-armature``, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    if armature.type != "ARMATURE":
        raise InputError("not-an-armature", f"“{armature.name}” is not an armature.", "Choose an armature.")
    objects.set_parent(obj, armature)
    _set_modifier(obj, _armature_modifier(obj), armature, 0)


def attach(target: bpy.types.Object, armatures: Sequence[bpy.types.Object], like: bpy.types.Object) -> list[str]:
    """Let armatures pose the target as others pose ``like``.

    The first armature becomes the parent; each poses by an Armature modifier. An existing one is used, unless it is
    another armature's and switched off; a new one comes after the Mirror and Weld modifiers at the front of the stack
    and after those of the armatures before, and before all others. Envelopes and Preserve Volume are set as on
    ``like``.

    Returns:
        sentences about what else poses the target, or did.

    Raises:
        InputError: as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(target)
    first, *more = armatures
    place = place_at_rest(target) if target.parent_type == "BONE" else None
    objects.set_parent(target, first)
    if place is not None:  # what hung on a bone stands at rest, as what an armature has posed
        target.matrix_world = place
    index = 0
    while index < len(target.modifiers) and target.modifiers[index].type in BEFORE_ARMATURE:
        index += 1
    modifier = _set_modifier(target, _armature_modifier(target), first, index)
    copy_modifier_flags(target, like)
    for armature, original in zip(more, _more_modifiers(like, len(more)), strict=True):
        index = target.modifiers.find(modifier.name) + 1
        modifier = _set_modifier(target, _modifier_to_replace(armature, target, armatures), armature, index)
        for flag in FLAGS:
            setattr(modifier, flag, getattr(original or modifier, flag))
    others = [other.name for other in target.modifiers if _poses(other) and other.object not in armatures]
    if not others:
        return []
    return [f"“{target.name}” has more Armature modifiers, which pose it too: {', '.join(others)}."]


def replaced(obj: bpy.types.Object, before: Sequence[bpy.types.Object]) -> list[bpy.types.Object]:
    """Those of the armatures that posed the object before of which others have taken the place: the first at least."""
    now = armatures_of(obj)
    return [*before[:1], *(armature for armature in before[1:] if armature not in now)]


def leave(armatures: Iterable[bpy.types.Object], heir: bpy.types.Object) -> list[str]:
    """Hide those armatures, which another has taken the place of, that nothing uses any more; a sentence for each.

    Where one was the active object, the other is it then. Empties that hang on one and that nothing uses, such as the
    ends of bones in imported files, are hidden with it.
    """
    sentences = []
    for armature in armatures:
        sentence = f"“{armature.name}”, which posed it before, is left as it is"
        users = _objects_that_use(armature)
        hidden = [armature, *(user for user in users if _is_bare_empty(user))]
        layer = bpy.context.view_layer.objects
        in_layer = [obj for obj in hidden if layer.get(obj.name) == obj]
        if armature in in_layer and armature.mode == "OBJECT" and len(hidden) == len(users) + 1:
            if layer.active == armature and layer.get(heir.name) == heir:
                layer.active = heir
                heir.select_set(True)
            for obj in in_layer:
                obj.hide_set(True)
            sentence += ", but hidden: nothing uses it any more (Alt H shows what is hidden)"
        sentences.append(f"{sentence}.")
    return sentences


def _objects_that_use(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The objects that hang on an object, follow it, or refer to it otherwise."""
    return [user for user in bpy.data.user_map(subset=[obj])[obj] if isinstance(user, bpy.types.Object) and user != obj]


def _is_bare_empty(obj: bpy.types.Object) -> bool:
    """Whether an object is an empty that shows nothing and that no other object uses."""
    return obj.type == "EMPTY" and not obj.data and obj.instance_type == "NONE" and not _objects_that_use(obj)


def posing(armatures: Sequence[bpy.types.Object], targets: Sequence[bpy.types.Object]) -> list[str]:
    """Sentences that say which armatures pose which objects."""
    listed = ", ".join(f"“{target.name}”" for target in targets)
    return [f"“{armature.name}” poses {listed}." for armature in armatures] if targets else []


def stop_posing(obj: bpy.types.Object) -> list[str]:
    """Switch the Armature modifiers off that pose an object; returns a sentence about them."""
    posing = list(filter(_poses, obj.modifiers))
    for modifier in posing:
        modifier.show_viewport = modifier.show_render = False
    names = ", ".join(dict.fromkeys(modifier.object.name for modifier in posing))
    return [f"“{obj.name}” was posed by {names}: its Armature modifier is switched off."] if posing else []


def copy_modifier_flags(obj: bpy.types.Object, like: bpy.types.Object) -> list[str]:
    """Copy the :data:`FLAGS` of another object's Armature modifier, if both objects have one.

    Returns:
        sentences about what was changed.
    """
    own, other = _armature_modifier(obj), _armature_modifier(like)
    if own is None or other is None:
        return []
    changed = [flag for flag in FLAGS if getattr(own, flag) != getattr(other, flag)]
    for flag in changed:
        setattr(own, flag, getattr(other, flag))
    labels = [own.bl_rna.properties[flag].name for flag in changed]
    return [f"As on “{like.name}”: {', '.join(labels)} of the Armature modifier."] if labels else []


def _poses(modifier: bpy.types.Modifier) -> bool:
    return bool(modifier.type == "ARMATURE" and modifier.object and modifier.show_viewport)


def _armature_modifier(obj: bpy.types.Object) -> bpy.types.Modifier | None:
    """The object's first Armature modifier that poses it, else the first that waits for an armature."""
    modifiers = [modifier for modifier in obj.modifiers if modifier.type == "ARMATURE"]
    waiting = (modifier for modifier in modifiers if not modifier.object)
    return next(filter(_poses, modifiers), next(waiting, None))


def _more_modifiers(obj: bpy.types.Object, count: int) -> list[bpy.types.Modifier | None]:
    """The Armature modifiers of the object's armatures after the first, so many of them; None for those not there."""
    by_armature = {modifier.object: modifier for modifier in obj.modifiers if modifier.type == "ARMATURE"}
    found = [by_armature.get(armature) for armature in armatures_of(obj)[1 : count + 1]]
    return [*found, *[None] * (count - len(found))]


def _modifier_to_replace(
    armature: bpy.types.Object, obj: bpy.types.Object, new: Sequence[bpy.types.Object]
) -> bpy.types.Modifier | None:
    """An Armature modifier of the object whose armature has a bone of this one, which takes its place.

    Modifiers that another of the ``new`` armatures has got are not taken: two rigs may both have a bone “root”.
    """
    posing = [modifier for modifier in obj.modifiers if _poses(modifier)]
    posing = [modifier for modifier in posing if modifier.object == armature or modifier.object not in new]
    names = armature.data.bones.keys()
    return next((one for one in posing if any(name in one.object.data.bones for name in names)), None)


def counterparts(source: bpy.types.Object, target: bpy.types.Object) -> dict[bpy.types.Object, bpy.types.Object]:
    """For each armature that poses the source the one of the target's that has most of its bones, or its first."""
    own = armatures_of(target)
    return {
        armature: max(own, key=lambda each: len(set(each.data.bones.keys()) & set(armature.data.bones.keys())))
        for armature in (armatures_of(source) if own else [])
    }


def _set_modifier(
    obj: bpy.types.Object, modifier: bpy.types.Modifier | None, armature: bpy.types.Object, index: int
) -> bpy.types.Modifier:
    """Give an Armature modifier of the object an armature; None for a new one at ``index`` of the stack."""
    if modifier is None:
        modifier = obj.modifiers.new("Armature", "ARMATURE")
        obj.modifiers.move(len(obj.modifiers) - 1, index)
    modifier.object, modifier.use_vertex_groups = armature, True
    modifier.show_viewport = modifier.show_render = True
    return modifier
