"""Files loaded in a Blender of their own: Blender's importers crash on some damaged files."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import bpy

from ..base import processes
from ..base.errors import InputError, MeshKinError, from_dict
from ..base.temporary import temporary_folder
from . import files

_OBJECTS, _ANSWER, _OUTPUT = "loaded.blend", "answer.json", "output.txt"
"""Files by which the other Blender answers: the objects; the name of the one, or the error; and what it printed."""


def load(spec: str | Path) -> bpy.types.Object:
    """Load a file as :func:`meshkin.scene.files.load` does, but in another process: a crash ends that one alone.

    Raises InputError as that, and ``file-unreadable`` when Blender crashes.
    """
    with temporary_folder() as folder:
        status = _run(f"from meshkin.scene import isolated\nisolated.answer({str(spec)!r}, {str(folder)!r})", folder)
        if not (folder / _ANSWER).exists():
            raise InputError(
                "file-unreadable",
                f"Blender crashed when it read {spec}: {processes.how_it_ended(status)}.",
                "Export the file again, or choose another format.",
            )
        told = json.loads((folder / _ANSWER).read_text(encoding="utf-8"))
        if error := told.get("error"):
            raise from_dict(error)
        with bpy.data.libraries.load(str(folder / _OBJECTS), link=False) as (available, appended):
            names = list(available.objects)
            appended.objects = list(names)
    for obj in appended.objects:
        bpy.context.scene.collection.objects.link(obj)
    return appended.objects[names.index(told["object"])]


def _run(code: str, folder: Path) -> int:
    """Run code of this package in another Blender; returns its exit status."""
    command = processes.blender_command(bpy.app.binary_path, processes.package_program(code))
    with (folder / _OUTPUT).open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            creationflags=processes.CREATION_FLAGS,
        )
        with process:
            try:
                return process.wait()
            finally:
                process.kill()


def answer(spec: str, folder: str) -> None:
    """Load a file in the other Blender, write what came of it to a folder, and end the process."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    try:
        obj = files.load(spec)
    except MeshKinError as error:
        told: dict[str, object] = {"error": error.to_dict()}
    else:
        told = {"object": obj.name}
        bpy.data.libraries.write(
            str(Path(folder, _OBJECTS)), set(bpy.context.scene.objects), path_remap="ABSOLUTE", fake_user=False
        )
    Path(folder, _ANSWER).write_text(json.dumps(told), encoding="utf-8")
    os._exit(0)  # without Blender's own shutdown, in which some of its modules hang
