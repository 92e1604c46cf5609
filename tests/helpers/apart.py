"""Code that may crash Blender, run in a fork of this process, which lives to tell."""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from meshkin.base.errors import MeshKinError

SECONDS = 60
"""After which a fork hangs."""


def outcome_apart(act: Callable[[], object], output: Path) -> str:
    """The code of the error that an act ends with in a fork, "" for none; "crashed", "hangs" or the bug's name.

    What it prints goes to ``output``. A fork of a process with threads may deadlock: one that hangs is killed.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        faulthandler.disable()  # pytest's would tell the crash that is expected
        printed = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        code = "left"
        try:
            act()
            code = "ok"
        except MeshKinError as error:
            code = error.code if error.fix and error.message and "Traceback" not in error.message else "not a sentence"
        except BaseException as error:
            code = f"bug: {type(error).__name__}: {error}"
        finally:
            os.write(writing, code.encode(errors="replace")[:1000])
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
    return {"ok": "", "": "crashed"}.get(told.decode(), told.decode())
