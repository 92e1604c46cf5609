"""The running Blender, and .blend files opened and saved by scripts and commands."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Container
from pathlib import Path
from typing import BinaryIO

import bpy

from ..base import temporary
from ..base.errors import InputError, StorageError
from ..base.options import unquoted
from ..base.storage import disk_full, is_file, make_folder
from .characters import Picked

_TEMPORARY = "blender_"
"""Beginning of the names of the folders of Blender's temporary files, one for each process."""
_marks: list[BinaryIO] = []
"""The files that mark this process's folder as in use."""


def mark_temporary_files() -> None:
    """Mark the folder of Blender's temporary files as in use, and delete those of commands that were killed."""
    folder = Path(bpy.app.tempdir)
    temporary.remove_leftovers(folder.parent, _TEMPORARY)
    if folder.name.startswith(_TEMPORARY) and not _marks:
        with contextlib.suppress(OSError):
            _marks.append(temporary.mark_in_use(folder))


def remove_temporary_files() -> None:
    """Delete the folder of Blender's temporary files: for a process that ends without Blender's own shutdown."""
    while _marks:
        _marks.pop().close()
    folder = Path(bpy.app.tempdir)
    if folder.name.startswith(_TEMPORARY):
        shutil.rmtree(folder, ignore_errors=True)


def forget_all() -> None:
    """Begin anew, as a Blender that was just started: with factory settings and an empty file."""
    bpy.ops.wm.read_factory_settings(use_empty=True)


def remove_objects() -> None:
    """Remove all objects of the open file."""
    bpy.data.batch_remove(list(bpy.data.objects))


def version() -> str:
    """The running Blender's version, such as ``5.2.0 LTS``."""
    return str(bpy.app.version_string)


def absolute_path(path: str, library: bpy.types.Library | None = None) -> str:
    """A path as Blender stores it, made absolute: “//” is the folder of the open file, or of ``library``."""
    return str(bpy.path.abspath(path, library=library))


def open_file(path: Path) -> None:
    """Open a .blend file; raises InputError ``file-missing`` or ``file-unreadable``."""
    if not is_file(path):
        raise InputError("file-missing", f"There is no file {path}.", "Check the path.")
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path.resolve()), load_ui=False)
    except RuntimeError as error:
        raise InputError(
            "file-unreadable", f"Blender cannot open {path}: {error}.", "Save it with this Blender."
        ) from error


def find_object(name: str) -> bpy.types.Object:
    """The object of this name in the open file; raises InputError ``object-unknown`` with the names of the meshes."""
    obj = bpy.data.objects.get(name)
    if obj is None:
        names = ", ".join(f"“{other.name}”" for other in bpy.data.objects if other.type == "MESH")
        raise InputError(
            "object-unknown", f"There is no object “{name}” in the file.", f"Its meshes are {names or 'none'}."
        )
    return obj


def find_picked(text: str) -> Picked:
    """What a name stands for: an object, else a collection; with a comma, the objects listed and no others.

    Raises InputError as :func:`find_object`.
    """
    if text not in bpy.data.objects and text in bpy.data.collections:
        return bpy.data.collections[text]
    if text in bpy.data.objects or "," not in text:
        return find_object(text)
    return find_objects(text)


def has(text: str) -> bool:
    """Whether the open file has an object or a collection of this name."""
    return text in bpy.data.objects or text in bpy.data.collections


def find_objects(text: str) -> tuple[bpy.types.Object, ...]:
    """The objects whose names are listed in a text, between commas; raises InputError as :func:`find_object`.

    A name that has a comma may stand in double quotes, and is found without them, too.
    """
    return tuple(find_object(name) for name in _listed_names(text, bpy.data.objects))


def find_meshes(text: str) -> tuple[bpy.types.Object, ...]:
    """The objects whose names are listed in a text, and the meshes of collections; as :func:`find_objects`."""
    found: list[bpy.types.Object] = []
    for name in _listed_names(text, {*bpy.data.objects.keys(), *bpy.data.collections.keys()}):
        if name not in bpy.data.objects and name in bpy.data.collections:
            found += [obj for obj in bpy.data.collections[name].all_objects if obj.type == "MESH"]
        else:
            found.append(find_object(name))
    return tuple(found)


def find_shown(text: str) -> tuple[bpy.types.Object, ...]:
    """The objects whose names are listed in a text, and all objects of collections; as :func:`find_objects`."""
    found: list[bpy.types.Object] = []
    for name in _listed_names(text, {*bpy.data.objects.keys(), *bpy.data.collections.keys()}):
        is_collection = name not in bpy.data.objects and name in bpy.data.collections
        found += bpy.data.collections[name].all_objects if is_collection else [find_object(name)]
    return tuple(found)


def rendered_meshes() -> tuple[bpy.types.Object, ...]:
    """The meshes of the scene that are rendered, and its armatures, which stand for characters of several meshes."""
    objects = bpy.context.scene.objects
    return tuple(obj for obj in objects if obj.type == "ARMATURE" or (obj.type == "MESH" and not obj.hide_render))


def _listed_names(text: str, known: Container[str]) -> list[str]:
    """Names in a text, between commas; those that are known may have commas themselves."""
    pieces = [piece for piece in text.split(",") if piece.strip()]
    found = []
    while pieces:
        joined = [unquoted(",".join(pieces[: count + 1]).strip()) for count in range(len(pieces))]
        last = max((count for count, name in enumerate(joined) if name in known), default=0)
        found.append(joined[last])
        pieces = pieces[last + 1 :]
    return found


def save_file(path: Path) -> None:
    """Save a copy of the open file, with images that are not saved packed, and without a backup of an older file.

    Raises StorageError ``save-failed``, ``disk-full``.
    """
    make_folder(path.parent)
    preferences = bpy.context.preferences.filepaths
    backups, preferences.save_version = preferences.save_version, 0
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(path.resolve()), copy=True, check_existing=False)
    except (RuntimeError, OSError) as error:
        if os.strerror(errno.ENOSPC) in str(error):
            raise disk_full("writing", path) from error
        raise StorageError(
            "save-failed", f"{path} could not be saved: {error}.", "Check the folder and its space."
        ) from error
    finally:
        preferences.save_version = backups
