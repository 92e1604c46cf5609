"""Commands in a Blender that is started for them, where Python has no ``bpy``."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from ..base.errors import WorkerError
from ..worker import environment
from . import doctor
from .console import RESULT_FILE

_BOOTSTRAP = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
folder = {folder!r}
spec = spec_from_file_location("meshkin", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["meshkin"] = module = module_from_spec(spec)
spec.loader.exec_module(module)
from meshkin import cli
sys.exit(cli.main({argv!r}))
"""
"""Gives a Blender this very package, and none of the libraries beside it: they are for another Python."""


def run(argv: list[str]) -> int:
    """Run a command in a Blender started for it; raises WorkerError ``blender-missing`` or ``blender-failed``."""
    program = doctor.find_blender()
    if program is None:
        raise WorkerError(
            "blender-missing",
            "This command needs Blender, and none was found.",
            "Put Blender on the path, set MESHKIN_BLENDER, or pip install bpy into this Python.",
        )
    code = _BOOTSTRAP.format(folder=str(Path(__file__).resolve().parents[1]), argv=argv)
    with tempfile.TemporaryDirectory(prefix="meshkin-") as folder:
        result = Path(folder) / "result"
        variables = {**os.environ, RESULT_FILE: str(result)}
        if worker := environment.find():  # which may be this Python: there it would not be found
            variables["MESHKIN_WORKER_PYTHON"] = str(worker)
        command = [program, "--background", "--factory-startup", "--python-expr", code]
        try:
            status = _status(command, variables)
        except OSError as error:
            raise WorkerError(
                "blender-failed", f"{program} cannot be started: {error.strerror}.", "Set MESHKIN_BLENDER to Blender."
            ) from error
        if not result.exists():
            raise WorkerError(
                "blender-failed",
                f"Blender ended with status {status} before the command was done.",
                "See above for what it said.",
            )
        print(result.read_text(encoding="utf-8"), end="", flush=True)
    return status


def _status(command: list[str], variables: dict[str, str]) -> int:
    """Run a program to its end; after Ctrl-C, which a terminal sends to it too, it has some seconds to tidy up."""
    with subprocess.Popen(command, stdout=sys.stderr, env=variables) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
            if process.poll() is None and sys.platform != "win32":
                process.send_signal(signal.SIGINT)  # it came from a program, to this process alone
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
            process.kill()
            raise
