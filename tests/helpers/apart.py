"""Mesh files loaded one by one, each in a fork of this process, which lives to tell if Blender crashes.

``python apart.py FOLDER`` prints for each file of the folder, in the order of the names, its outcome on a line: the
code of the error, "ok", "crashed", "hangs", or what is wrong with the way it is told.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

SECONDS = 30
"""After which a fork hangs."""


def outcomes_of(folder: Path) -> list[str]:
    """The outcomes of the files in a folder, in the order of the names."""
    ran = subprocess.run([sys.executable, __file__, str(folder)], capture_output=True, text=True, check=False)
    return [line.removeprefix("outcome: ") for line in ran.stdout.splitlines() if line.startswith("outcome: ")]


def outcome(path: Path, printed: Path) -> str:
    """The outcome of one file; what is printed goes to a file."""
    from meshkin.base.errors import MeshKinError
    from meshkin.scene import files
    from meshkin.scene.mesh import snapshot

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        stream = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        code = "left"
        try:
            snapshot.take(files.load(path)).check()
            code = "ok"
        except MeshKinError as error:
            code = error.code if error.fix and error.message and "Traceback" not in error.message else "no sentence"
        except BaseException as error:
            code = f"bug: {type(error).__name__}"
        finally:
            os.write(writing, code.encode())
            os._exit(0)
    os.close(writing)
    deadline, told = time.monotonic() + SECONDS, b""
    while select.select([reading], [], [], max(deadline - time.monotonic(), 0))[0]:
        part = os.read(reading, 1000)
        told += part
        if not part:
            break
    else:
        os.kill(child, signal.SIGKILL)
        told = b"hangs"
    os.close(reading)
    os.waitpid(child, 0)
    if "Traceback" in printed.read_text(errors="replace"):
        return "a traceback is printed"
    return told.decode() or "crashed"


def main() -> None:
    """Print the outcomes."""
    folder = Path(sys.argv[1])
    for path in sorted(folder.iterdir()):
        print(f"outcome: {outcome(path, folder.with_name('printed'))}", flush=True)


if __name__ == "__main__":
    main()
