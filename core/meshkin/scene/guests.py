"""Characters of other .blend files that are in the open one while something is done with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from ..base.errors import InputError
from ..base.storage import is_file
from . import files
from .characters import Picked
from .rig import binding


@dataclass(frozen=True)
class Guest:
    """What was brought into the open file.

    Attributes:
        picked: the object or collection that was asked for.
        holder: the collection in which everything that came lies.
    """

    picked: Picked
    holder: bpy.types.Collection


def bring(spec: str) -> Guest:
    """Bring a character into the open file: an object or a collection with the scenes that it is in, or a mesh file.

    Args:
        spec: FILE.blend:NAME, or a mesh file (:func:`meshkin.scene.files.load`).

    Raises InputError ``file-missing``, ``file-unreadable``, ``object-unknown``, and as :func:`load`.
    """
    holder = bpy.data.collections.new("MeshKin Guest")
    bpy.context.scene.collection.children.link(holder)
    found = files.blend_object(spec)
    if not found:
        obj = files.load(spec)
        bpy.context.scene.collection.objects.unlink(obj)
        holder.objects.link(obj)
        return Guest(obj, holder)
    picked = _appended(*found, holder)
    bpy.context.view_layer.update()
    return Guest(picked, holder)


def _appended(path: Path, name: str, holder: bpy.types.Collection) -> Picked:
    """Append what has this name, and the content of all scenes of its file."""
    if not is_file(path.expanduser()):
        raise InputError("file-missing", f"There is no file {path}.", "Check the path.")
    try:
        with bpy.data.libraries.load(str(path.expanduser().resolve()), link=False) as (available, appended):
            kind = "objects" if name in available.objects else "collections"
            if name not in getattr(available, kind):
                names = ", ".join(f"“{other}”" for other in available.objects) or "none"
                raise InputError(
                    "object-unknown", f"There is no object “{name}” in {path}.", f"Its objects are {names}."
                )
            appended.scenes = list(available.scenes)
            setattr(appended, kind, [name])
    except (OSError, RuntimeError) as error:
        raise InputError(
            "file-unreadable", f"Blender cannot open {path}: {error}.", "Save it with this Blender."
        ) from error
    picked: Picked = getattr(appended, kind)[0]
    for scene in appended.scenes:
        for child in scene.collection.children:
            holder.children.link(child)
        for obj in scene.collection.objects:
            holder.objects.link(obj)
    if isinstance(picked, bpy.types.Object):
        if picked not in set(holder.all_objects):
            holder.objects.link(picked)
    elif picked not in set(holder.children_recursive):
        holder.children.link(picked)
    bpy.data.batch_remove(list(appended.scenes))
    return picked


def dismiss(guest: Guest) -> None:
    """Remove what was brought, apart from the rigs that move objects of the open file now, and from their parts."""
    came = set(guest.holder.all_objects)
    kept: set[bpy.types.Object] = set()
    waiting = [obj for obj in bpy.data.objects if obj not in came]
    while waiting:
        obj = waiting.pop()
        used = {obj.parent, *binding.armatures_of(obj)} - {None}
        used |= {bone.custom_shape for bone in obj.pose.bones if bone.custom_shape} if obj.pose else set()
        new = (used & came) - kept
        kept |= new
        waiting += new
    for obj in kept:
        bpy.context.scene.collection.objects.link(obj)
    collections = [*guest.holder.children_recursive, guest.holder]
    bpy.data.batch_remove([*(came - kept), *collections])
