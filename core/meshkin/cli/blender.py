"""Runs a command in a Blender started for it, so that somebody is left to tell if Blender crashes."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from ..base import processes, temporary
from ..base.errors import WorkerError
from ..worker import environment
from . import doctor
from .console import RESULT_FILE, print_result

_CRASHES = (signal.SIGILL, signal.SIGABRT, signal.SIGFPE, signal.SIGSEGV)
"""Signals by which a program ends that crashes."""
_SHELL = 128
"""What shells add to the signal's number to tell it as an exit code."""


def run(argv: list[str]) -> int:
    """Run a command in a Blender started for it; returns the exit code.

    That is another process of this Python if it has ``bpy``, else the program Blender: in both cases, this process
    lives to tell if Blender crashes.

    Args:
        argv: the command line's arguments.

    Raises WorkerError ``blender-missing``, ``blender-failed`` or ``blender-crashed``.
    """
    program = command(processes.package_program(f"from meshkin import cli\ncli.entry({argv!r})"))
    temporary.remove_leftovers(Path(tempfile.gettempdir()), temporary.PREFIX)
    with temporary.temporary_folder() as folder:
        result_file = folder / "result"
        variables = {**os.environ, **environment.variables_in_blender(folder), RESULT_FILE: str(result_file)}
        try:
            exit_code = _run_program(program, variables)
        except OSError as error:
            raise WorkerError(
                "blender-failed",
                f"{program[0]} cannot be started: {error.strerror}.",
                "Set MESHKIN_BLENDER to Blender's program.",
            ) from error
        if exit_code - _SHELL in _CRASHES:
            exit_code = _SHELL - exit_code
        if exit_code < 0:
            raise WorkerError(
                "blender-crashed",
                f"Blender crashed during the command: {processes.how_it_ended(exit_code)}.",
                "The last messages above say where. If it read a file, export that again or choose another format.",
            )
        if not result_file.exists():
            raise WorkerError(
                "blender-failed",
                f"Blender ended with exit code {exit_code} before the command was done.",
                "Its messages are above.",
            )
        print_result(result_file.read_text(encoding="utf-8").rstrip("\n"))
    return exit_code


def command(code: str) -> list[str]:
    """The command line that runs Python code in Blender; raises WorkerError ``blender-missing``."""
    is_module = importlib.util.find_spec("bpy") is not None
    program = "" if is_module else doctor.find_blender()
    if program is None:
        chosen = os.environ.get("MESHKIN_BLENDER")
        why = f": MESHKIN_BLENDER is “{chosen}”, which is not a program" if chosen else ", which was not found"
        raise WorkerError(
            "blender-missing",
            f"This command needs Blender{why}.",
            "Put Blender on the path, set MESHKIN_BLENDER to its program, or install bpy into this Python with pip.",
        )
    return processes.blender_command(program, code)


def _run_program(command: list[str], variables: dict[str, str]) -> int:
    """Run a program to its end; returns its exit code. If this process is killed, the program ends too.

    A terminal sends Ctrl-C to the program too. It then has 2 seconds to clean up, and 5 more after another signal.
    """
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sys.stderr, env=variables) as process:
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
