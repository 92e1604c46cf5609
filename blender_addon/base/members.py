"""Source and target as characters: what belongs to each, with ticks, and what the selection means."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

import hashlib
from typing import Any

import bpy
from bpy.props import BoolProperty, PointerProperty

from . import status
from .text import translated

ROLES = ("source", "target")
"""What can be picked, by the names of the settings."""
ROWS = 3
"""Lines of a list that are shown at first. Chosen: the buttons stay in sight."""


class MESHKIN_PG_member(bpy.types.PropertyGroup):
    """One mesh of a character."""

    object: PointerProperty(type=bpy.types.Object)
    used: BoolProperty(
        name="Take Part", description="Whether this mesh takes part; without the tick it is left out", default=True
    )


class MESHKIN_UL_members(bpy.types.UIList):
    """The meshes of a character, each with a tick."""

    def draw_item(self, context: Any, layout: Any, data: Any, item: Any, icon: Any, active: Any, name: Any) -> None:
        obj = item.object
        row = layout.row(align=True)
        row.prop(item, "used", text="")
        text = obj.name if obj else translated("(deleted)")
        row.label(text=text, icon="MESH_DATA" if obj else "ERROR", translate=False)
        if obj and not obj.visible_get():
            row.label(text="", icon="HIDE_ON")


def draw(layout: bpy.types.UILayout, settings: Any, role: str) -> None:
    """Draw the list of a role's character."""
    listed = getattr(settings, f"{role}_members")
    if listed:
        layout.label(text=f"{translated(role.capitalize())}: {counted(settings, role)}")
        names = f"{role}_members", f"{role}_index"
        rows = min(ROWS, len(listed))
        layout.template_list("MESHKIN_UL_members", role, settings, names[0], settings, names[1], rows=rows)


def follow(settings: Any) -> None:
    """Let the lists be made anew soon if other meshes belong to the characters now: drawing must not change them."""
    outdated = any(_is_outdated(settings, role) for role in ROLES)
    if outdated and not bpy.app.timers.is_registered(_update_lists):
        bpy.app.timers.register(_update_lists, first_interval=0.01)


def counted(settings: Any, role: str) -> str:
    """Return how many of a role's meshes are ticked, in words."""
    listed = getattr(settings, f"{role}_members")
    text = translated("{ticked} of {count} meshes")
    return text.format(ticked=sum(item.used for item in listed), count=len(listed))


def has_picked(settings: Any, role: str) -> None:
    """Note what a role's new object stands for, and with which selection it was picked.

    An armature or an empty is replaced by the largest mesh that belongs to it.
    """
    from meshkin.scene import characters

    obj, collection = getattr(settings, role), getattr(settings, f"{role}_collection")
    if obj and obj.type in ("ARMATURE", "EMPTY") and (found := characters.candidates(obj, _other(settings, role))):
        setattr(settings, role, characters.shown(found, obj)[0])
        return
    if collection and (obj is None or obj.name not in collection.all_objects):
        setattr(settings, f"{role}_collection", None)
    settings.picked_with = _selection(bpy.context)
    update(settings)


def update(settings: Any, *roles: str) -> None:
    """List what belongs to each role's character now. Ticks stay; what is hidden is listed without one."""
    from meshkin.scene import characters

    for role in roles or ROLES:
        listed, obj = getattr(settings, f"{role}_members"), getattr(settings, role)
        before = {item.object: item.used for item in listed if item.object}
        found = _candidates(characters, settings, role)
        shown = characters.shown(found, obj) if found else []
        listed.clear()
        for each in found:
            item = listed.add()
            item.object, item.used = each, before.get(each, each in shown)


def picked(settings: Any, role: str) -> Any:
    """Return what a job is to take for a role: the object, which stands for its character, or the meshes ticked."""
    from meshkin.scene import characters

    update(settings, role)
    obj, listed = getattr(settings, role), getattr(settings, f"{role}_members")
    ticked = [item.object for item in listed if item.used]
    usual = characters.shown([item.object for item in listed], obj)
    if ticked == usual and not getattr(settings, f"{role}_collection"):
        return obj
    return sorted(ticked or [obj], key=lambda each: each != obj)


def ticked(settings: Any, role: str) -> list[bpy.types.Object]:
    """Return the meshes of a role that are ticked, as they were listed last."""
    return [item.object for item in getattr(settings, f"{role}_members") if item.used and item.object]


def selected_pair(context: bpy.types.Context) -> tuple[bpy.types.Object, bpy.types.Object] | None:
    """Return the two characters that are selected, source first, if they were selected after the last pick."""
    settings = context.scene.meshkin
    if settings.source and settings.target and settings.picked_with == _selection(context):
        return None
    return any_selected_pair(context)


def any_selected_pair(context: bpy.types.Context) -> tuple[bpy.types.Object, bpy.types.Object] | None:
    """Return the two characters that are selected, source first; None if there are not exactly two."""
    from meshkin.scene import characters  # a moment, once; search asks, too, when no sidebar was ever open

    pair: tuple[bpy.types.Object, bpy.types.Object] | None = characters.selected_pair(context)
    return pair


def pick(settings: Any, pair: tuple[bpy.types.Object, bpy.types.Object]) -> None:
    """Make two characters source and target."""
    settings.source_collection = settings.target_collection = None
    settings.source, settings.target = largest(pair)


def largest(pair: tuple[bpy.types.Object, bpy.types.Object]) -> tuple[bpy.types.Object, bpy.types.Object]:
    """Return the largest mesh of each of two characters; two meshes of one character stand for themselves."""
    from meshkin.scene import characters

    found = [characters.candidates(one, other) for one, other in (pair, pair[::-1])]
    if not (found[0] and found[1]) or set(found[0]) & set(found[1]):
        return pair
    return characters.shown(found[0], pair[0])[0], characters.shown(found[1], pair[1])[0]


def _candidates(characters: Any, settings: Any, role: str) -> list[bpy.types.Object]:
    """Return all meshes of a role's character."""
    obj = getattr(settings, role)
    if obj is None or obj.name not in settings.id_data.objects:
        return []
    collection = getattr(settings, f"{role}_collection")
    found: list[bpy.types.Object] = characters.candidates(collection or obj, _other(settings, role))
    return found


def _other(settings: Any, role: str) -> bpy.types.Object | None:
    other: bpy.types.Object | None = settings.target if role == "source" else settings.source
    return other


def _is_outdated(settings: Any, role: str) -> bool:
    """Whether other meshes belong to a role's character now than its list has; False until that can be looked up."""
    characters = status.scene_module("characters")
    if characters is None or getattr(settings, role) is None:
        return False
    listed = [item.object for item in getattr(settings, f"{role}_members")]
    return listed != _candidates(characters, settings, role)


def _update_lists() -> None:
    for scene in bpy.data.scenes:
        if scene.library is None:
            update(scene.meshkin)
    status.redraw()


def _selection(context: bpy.types.Context) -> str:
    """Return a short text that tells one selection from another."""
    active = context.view_layer.objects.active
    names = [active.name if active else "", *sorted(obj.name for obj in context.selected_objects)]
    return hashlib.blake2b("\n".join(names).encode(), digest_size=8).hexdigest()


CLASSES: list[type] = [MESHKIN_PG_member, MESHKIN_UL_members]
