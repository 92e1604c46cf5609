"""Runs a command in a Blender started for it, because this Python has no ``bpy``."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from ..base.errors import WorkerError
from ..base.temporary import temporary_folder
from ..worker import environment
from . import doctor
from .console import RESULT_FILE

_COMMAND_BOOTSTRAP = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
folder = {folder!r}
spec = spec_from_file_location("meshkin", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["meshkin"] = module = module_from_spec(spec)
spec.loader.exec_module(module)
from meshkin import cli
sys.exit(cli.main({argv!r}))
"""
"""Program that runs a command inside Blender. It loads this package alone: the libraries installed beside it are for
another Python."""


def run(argv: list[str]) -> int:
    """Run a command in a Blender started for it; returns the exit code.

    Args:
        argv: the command line's arguments.

    Raises WorkerError ``blender-missing`` or ``blender-failed``.
    """
    program = doctor.find_blender()
    if program is None:
        raise WorkerError(
            "blender-missing",
            "This command needs Blender, which was not found.",
            "Put Blender on the path, set MESHKIN_BLENDER to its program, or install bpy into this Python with pip.",
        )
    code = _COMMAND_BOOTSTRAP.format(folder=str(Path(__file__).resolve().parents[1]), argv=argv)
    with temporary_folder() as folder:
        result_file = folder / "result"
        variables = {**os.environ, RESULT_FILE: str(result_file)}
        if worker := environment.find():  # it may be this Python, which would not be found inside Blender
            variables["MESHKIN_WORKER_PYTHON"] = str(worker)
        command = [program, "--background", "--factory-startup", "--python-expr", code]
        try:
            exit_code = _run_program(command, variables)
        except OSError as error:
            raise WorkerError(
                "blender-failed",
                f"{program} cannot be started: {error.strerror}.",
                "Set MESHKIN_BLENDER to Blender's program.",
            ) from error
        if not result_file.exists():
            raise WorkerError(
                "blender-failed",
                f"Blender ended with exit code {exit_code} before the command was done.",
                "Its messages are above.",
            )
        print(result_file.read_text(encoding="utf-8"), end="", flush=True)
    return exit_code


def _run_program(command: list[str], variables: dict[str, str]) -> int:
    """Run a program to its end; returns its exit code.

    A terminal sends Ctrl-C to the program too. It then has 2 seconds to clean up, and 5 more after another signal.
    """
    with subprocess.Popen(command, stdout=sys.stderr, env=variables) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
            if process.poll() is None and sys.platform != "win32":
                process.send_signal(
                    signal.SIGINT
                )  # the first signal came from a program and reached this process alone
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
            process.kill()
            raise
