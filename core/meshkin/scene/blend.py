"""This Blender, and .blend files opened and saved by scripts and commands."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..base.errors import InputError, StorageError


def version() -> str:
    """This Blender's version, as it calls itself."""
    return str(bpy.app.version_string)


def absolute_path(path: str, library: bpy.types.Library | None = None) -> str:
    """A path as Blender stores it, made absolute: “//” stands for the folder of the open file, or of ``library``."""
    return str(bpy.path.abspath(path, library=library))


def open_file(path: Path) -> None:
    """Open a .blend file in this Blender; raises InputError ``file-missing`` or ``file-unreadable``."""
    if not path.is_file():
        raise InputError("file-missing", f"There is no file {path}.", "Check the path.")
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False)
    except RuntimeError as error:
        raise InputError(
            "file-unreadable", f"Blender cannot open {path}: {error}.", "Save it with this Blender."
        ) from error


def find(name: str) -> bpy.types.Object:
    """The object of that name in the open file; raises InputError ``object-unknown`` naming those there are."""
    obj = bpy.data.objects.get(name)
    if obj is None:
        names = ", ".join(f"“{one.name}”" for one in bpy.data.objects if one.type == "MESH")
        raise InputError(
            "object-unknown", f"There is no object “{name}” in the file.", f"Its meshes are {names or 'none'}."
        )
    return obj


def save_file(path: Path) -> None:
    """Save a copy of the open file, images packed where they are not saved; raises StorageError ``save-failed``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(path.resolve()), copy=True, check_existing=False)
    except (RuntimeError, OSError) as error:
        raise StorageError(
            "save-failed", f"{path} could not be saved: {error}.", "Check the folder and its space."
        ) from error
