"""Processes of other Pythons, and what they wrote.

Standard library only: this runs inside Blender, and in a plain Python before anything is installed.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from . import network
from .progress import Progress
from .temporary import temporary_folder

if sys.platform == "win32":
    CREATION_FLAGS = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
else:
    CREATION_FLAGS = 0
"""How processes are created: on Windows without a console window, and apart from Ctrl-C in Blender's."""


# What a child runs first: it keeps its end of a pipe from its parent. When the parent's end is closed, which happens
# however the parent ends, it ends itself with all that it has started.
_CHILD = """
import os, runpy, sys, threading
pipe, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
os.dup2(nothing, 0)

def end_with_parent():
    os.read(pipe, 1)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), 9)
    os._exit(1)

threading.Thread(target=end_with_parent, daemon=True).start()
_, kind, what, *arguments = sys.argv
sys.argv = [what if kind == "-m" else kind, *arguments]
if kind == "-m":
    runpy.run_module(what, run_name="__main__", alter_sys=True)
else:
    exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
"""

_PACKAGE_PROGRAM = """
import os, signal, sys, threading
signal.signal(signal.SIGINT, lambda *_: os._exit(130))
def end_with_parent():
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGINT}})
    os.read(0, 1)
    os._exit(1)
if not {reads_input}:
    threading.Thread(target=end_with_parent, daemon=True).start()
from importlib.util import module_from_spec, spec_from_file_location
folder = {folder!r}
spec = spec_from_file_location("meshkin", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["meshkin"] = module = module_from_spec(spec)
spec.loader.exec_module(module)
{code}
"""


def package_program(code: str, reads_input: bool = False) -> str:
    """A program that runs code of this package inside Blender, and ends with the process at the other end of its input.

    With ``reads_input``, the code sees to that itself.

    It loads this package alone: the libraries installed beside it are for another Python. Ctrl-C is for the main thread
    alone: where that holds it back, no other thread takes it.
    """
    return _PACKAGE_PROGRAM.format(folder=str(Path(__file__).resolve().parents[1]), code=code, reads_input=reads_input)


def blender_command(program: str, code: str) -> list[str]:
    """The command line that runs Python code in Blender's program, or in this Python, "", if it has ``bpy``."""
    if program:
        return [program, "--background", "--factory-startup", "--python-expr", code]
    return [sys.executable, "-P", "-c", code]  # -P: nothing is imported from the current folder


def run_python(
    python: Path | str,
    arguments: Sequence[Path | str],
    log: Path | None,
    progress: Progress,
    read_progress: Callable[[str], Progress | None] = lambda line: None,
) -> Generator[Progress, None, int]:
    """Run a program of Python and return its exit status.

    The interpreter is isolated: it imports nothing from the current folder, and obeys no PYTHON… variables. Closing the
    generator kills the process and those that it started; so does the end of this process, even if it is killed.

    Args:
        python: the interpreter.
        arguments: "-m", a module and its arguments, or "-c", code and its arguments.
        log: file to which the output is added; None for none.
        progress: is yielded until ``read_progress`` gives another one.
        read_progress: called with each line of the output; returns the progress that the line tells, or None.
    """
    with temporary_folder() as folder:
        own = {name: str(folder) for name in ("TMPDIR", "TEMP", "TMP")}  # what it leaves there goes with the folder
        own |= network.variables()
        process = subprocess.Popen(
            [os.fspath(part) for part in (python, "-I", "-c", _CHILD, *arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**clean_variables(), **own},
            start_new_session=True,
            creationflags=CREATION_FLAGS,
        )
        try:
            yield from _output(cast(BinaryIO, process.stdout), log, progress, read_progress)
            return process.wait()
        finally:
            _end(process)
            cast(BinaryIO, process.stdin).close()


def _output(
    output: BinaryIO, log: Path | None, progress: Progress, read_progress: Callable[[str], Progress | None]
) -> Generator[Progress, None, None]:
    """Read a process's output to its end in a thread, and yield the progress meanwhile."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        with output, log.open("ab", buffering=0) if log else contextlib.nullcontext() as written:
            for line in output:
                if written:
                    with contextlib.suppress(OSError):  # no space for the log: the process itself will fail
                        written.write(line)
                lines.put(line)

    reader = threading.Thread(target=read, name="meshkin-child", daemon=True)
    reader.start()
    while reader.is_alive() or not lines.empty():
        while not lines.empty():
            progress = read_progress(lines.get().decode(errors="replace").rstrip()) or progress
        yield progress


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, and those that it started, if it still runs."""
    if process.poll() is not None:
        return
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(5)


def clean_variables() -> dict[str, str]:
    """This process's environment variables, without those that would disturb another Python; Blender sets some."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and name not in ("__PYVENV_LAUNCHER__", "VIRTUAL_ENV")
    }


def end_of_file(path: Path, lines: int) -> str:
    """The last lines of a text file that are not empty; "" if there is no file."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(stream.seek(0, os.SEEK_END) - 65536, 0))
            text = stream.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-lines:])


def how_it_ended(status: int | None) -> str:
    """How a process ended, in words; ``status`` as of :attr:`subprocess.Popen.returncode`."""
    if status is None:
        return "it does not answer"
    if status >= 0:
        return f"it ended with status {status if status < 256 else hex(status)}"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
    if name == "SIGKILL":
        return "it was killed (SIGKILL), maybe by the system because memory ran out"
    return f"it was ended by {name}"


def processor_seconds(process: subprocess.Popen[bytes]) -> float | None:
    """Seconds of processor time that a child process has used; None if the system does not say."""
    try:
        if sys.platform == "win32":
            import ctypes

            times = [ctypes.c_ulonglong() for _ in range(4)]
            handle = int(process._handle)  # type: ignore[attr-defined]
            known = ctypes.windll.kernel32.GetProcessTimes(handle, *(ctypes.byref(each) for each in times))
            return (times[2].value + times[3].value) * 1e-7 if known else None
        if sys.platform == "darwin":
            output = subprocess.check_output(["ps", "-o", "time=", "-p", str(process.pid)], text=True, timeout=1)
            minutes, _, seconds = output.strip().rpartition(":")
            return 60 * float(minutes) + float(seconds)
        fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return None
