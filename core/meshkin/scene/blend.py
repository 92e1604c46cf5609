"""The running Blender, and .blend files opened and saved by scripts and commands."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..base.errors import InputError, StorageError


def version() -> str:
    """The running Blender's version, such as ``5.2.0 LTS``."""
    return str(bpy.app.version_string)


def absolute_path(path: str, library: bpy.types.Library | None = None) -> str:
    """A path as Blender stores it, made absolute: “//” is the folder of the open file, or of ``library``."""
    return str(bpy.path.abspath(path, library=library))


def open_file(path: Path) -> None:
    """Open a .blend file; raises InputError ``file-missing`` or ``file-unreadable``."""
    if not path.is_file():
        raise InputError("file-missing", f"There is no file {path}.", "Check the path.")
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False)
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


def save_file(path: Path) -> None:
    """Save a copy of the open file, with images that are not saved packed; raises StorageError ``save-failed``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(path.resolve()), copy=True, check_existing=False)
    except (RuntimeError, OSError) as error:
        raise StorageError(
            "save-failed", f"{path} could not be saved: {error}.", "Check the folder and its space."
        ) from error
