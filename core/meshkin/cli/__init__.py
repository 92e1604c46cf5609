"""The command line: ``meshkin …`` in a shell, or ``blender --command meshkin …`` in a Blender that has the add-on.

Results go to standard output. Warnings, progress, and what Blender and libraries print, go to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .. import __version__
from ..base import variables
from ..base.errors import Cancelled, InputError, MeshKinError
from ..base.storage import check_replaceable, make_folder, readable_failure
from . import batches, blender, datasets, families, meshes, painting, pictures, scenes, service, upkeep
from .arguments import STRICT_EXIT_CODE
from .console import (
    clean_output,
    interruptible,
    is_inside_blender,
    load_blender,
    open_closed_streams,
    print_result,
    tell,
)

LEARN_HEAD = ["features", "learn-head"]
"""A command of two words beside the command “features”, which takes a mesh in the second one's place."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, the error's ``exit_code``, or with ``--strict`` that of warnings."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(given[1:] if given[:2] == LEARN_HEAD else given)
    try:
        with interruptible():
            variables.check()
            if getattr(arguments, "output", None):
                _check_writable(arguments.output)
                _check_no_input(arguments.output, arguments)
            if getattr(arguments, "folder", None):
                _check_writable(arguments.folder / "map.npz")
            if arguments.needs_blender and "bpy" not in sys.modules and not is_inside_blender():
                return blender.run(given)
            with clean_output():
                if arguments.needs_blender:
                    load_blender()
                lines, data = arguments.run(arguments)
        print_result(json.dumps({"ok": True, **data}) if arguments.json else "\n".join(lines))
        for warning in data.get("warnings", ()):
            tell(f"meshkin: warning: {warning['message']}")
        if data.get("warnings") and arguments.strict:
            return STRICT_EXIT_CODE
        return 0 if data.get("ok", True) else 1
    except KeyboardInterrupt:
        error: MeshKinError = Cancelled()
    except MeshKinError as raised:
        error = raised
    except Exception as raised:
        tell(traceback.format_exc())
        error = MeshKinError("unexpected", f"{type(raised).__name__}: {raised}.", "Please report this.")
    with contextlib.suppress(MeshKinError):  # the result may be what could not be printed
        print_result(json.dumps({"ok": False, "error": error.to_dict()}) if arguments.json else "")
    tell(f"meshkin: {error}")
    return error.exit_code


def entry(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the ``meshkin`` program on ``argv`` or the process's own arguments, and end the process.

    That is done without Python's shutdown, in which some Blender modules hang.
    """
    open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for characters that the terminal's encoding lacks
    code = main(argv)
    if "meshkin.worker.client" in sys.modules:
        from ..worker import client

        client.stop()
    if "meshkin.scene.blend" in sys.modules:
        from ..scene import blend

        blend.remove_temporary_files()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    program = argparse.ArgumentParser("meshkin", description="Semantic matching and transfer between meshes.")
    program.add_argument("--version", action="version", version=f"meshkin {__version__}")
    commands = program.add_subparsers(dest="command", required=True)
    for module in (meshes, pictures, families, scenes, painting, datasets, upkeep, batches, service):
        module.add(commands)
    return program


def _check_writable(output: Path) -> None:
    """Raise StorageError if the file cannot be written: now, before any work is done."""
    make_folder(output.parent)
    with readable_failure(output, "writing"):
        check_replaceable(output)
        with tempfile.TemporaryFile(dir=output.parent):
            pass


def _check_no_input(output: Path, arguments: argparse.Namespace) -> None:
    """Raise InputError ``output-is-input`` if the output is a file that the command reads: that is not changed."""
    for name in ("file", "mesh", "source", "target", "photo"):
        given = str(getattr(arguments, name, ""))
        for path in (given, given.rpartition(":")[0]):  # FILE.blend:OBJECT
            with contextlib.suppress(OSError, ValueError):
                if path and os.path.samefile(path, output):
                    raise InputError("output-is-input", f"{output} is what is read.", "Write to another file.")
