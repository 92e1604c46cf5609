"""A worker with little jobs for the tests: ``python worker_with_test_jobs.py FOLDER_OF_MESHKIN``."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

Report = Callable[[str, float], None]
Arguments = dict[str, Any]


def echo(arguments: Arguments, report: Report) -> dict[str, Any]:
    return {"arguments": arguments, "pid": os.getpid(), "session": os.getsid(0)}


def count(arguments: Arguments, report: Report) -> dict[str, Any]:
    for step in range(arguments["steps"]):
        report("Counting", step / arguments["steps"])
        time.sleep(arguments.get("seconds", 0.01))
    return {"counted": arguments["steps"]}


def deaf(arguments: Arguments, report: Report) -> dict[str, Any]:
    report("Sleeping", 0.0)
    time.sleep(arguments.get("seconds", 60))
    return {}


def hold_lock(arguments: Arguments, report: Report) -> dict[str, Any]:
    report("Holding", 0.0)
    return {"sum": sum(range(arguments["n"]))}  # one native call: no other thread runs meanwhile


def end(arguments: Arguments, report: Report) -> dict[str, Any]:
    report("Ending", 0.5)
    print("last words of the job", file=sys.stderr, flush=True)
    if "signal" in arguments:
        os.kill(os.getpid(), arguments["signal"])
        time.sleep(60)
    os._exit(arguments["status"])


def print_everywhere(arguments: Arguments, report: Report) -> dict[str, Any]:
    print("printed by Python", flush=True)
    os.write(1, b"written to the descriptor\n")
    library = ctypes.CDLL(None)
    library.printf(b"printed by C\n")
    library.fflush(None)
    subprocess.run([sys.executable, "-c", "print('printed by a child: ' + input())"], check=False)
    return {}


def flood(arguments: Arguments, report: Report) -> dict[str, Any]:
    os.write(2, b"x" * 79 + b"\n")
    for _ in range(100):
        os.write(2, (b"y" * 79 + b"\n") * 1000)
    while not 0 < os.fstat(2).st_size < 4 << 20:  # cut, and begun anew
        report("Waiting", 0.0)
        time.sleep(0.05)
    return {}


def fail(arguments: Arguments, report: Report) -> dict[str, Any]:
    raise ValueError("seven is not a color")


def refuse(arguments: Arguments, report: Report) -> dict[str, Any]:
    from meshkin.base.errors import InputError

    raise InputError("mesh-empty", "“Würfel” has no faces.", "Choose another.")


def leave(arguments: Arguments, report: Report) -> dict[str, Any]:
    sys.exit("a library left")


def allocate(arguments: Arguments, report: Report) -> dict[str, Any]:
    return {"length": len(bytearray(1 << 62))}


def allocate_tensor(arguments: Arguments, report: Report) -> dict[str, Any]:
    import torch

    return {"length": len(torch.empty(1 << 58, dtype=torch.float32))}


def fill_disk(arguments: Arguments, report: Report) -> dict[str, Any]:
    with open("/dev/full", "wb", buffering=0) as full:
        full.write(b"x")
    return {}


def not_a_number(arguments: Arguments, report: Report) -> dict[str, Any]:
    report("Counting", float("nan"))
    return {"error": float("nan")}


def modules(arguments: Arguments, report: Report) -> dict[str, Any]:
    return {"modules": sorted(sys.modules), "nice": os.nice(0), "variables": sorted(os.environ)}


JOBS = {
    job.__name__: job
    for job in (
        echo, count, deaf, hold_lock, end, print_everywhere, flood, fail, refuse, leave, allocate, allocate_tensor,
        fill_disk, not_a_number, modules,
    )
}  # fmt: skip

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    from meshkin.worker.server import serve_standard_streams

    serve_standard_streams(lambda: JOBS)
