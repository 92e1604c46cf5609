"""A worker with little jobs for the tests: ``python worker_with_test_jobs.py FOLDER_OF_MESHKIN``."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path[:1] = [sys.argv[1], str(Path(__file__).parent.parent)]

from helpers import worker_requests as requests
from meshkin.base.errors import InputError
from meshkin.base.progress import ProgressCallback
from meshkin.base.storage import cache_folder
from meshkin.worker.job import table
from meshkin.worker.requests.base import NoResult
from meshkin.worker.requests.maintenance import Device, ExamineWorker, ExamineWorkerResult


def echo(request: requests.Echo, report: ProgressCallback) -> requests.EchoResult:
    return requests.EchoResult(request.values, os.getpid(), os.getsid(0))


def count(request: requests.Count, report: ProgressCallback) -> requests.Counted:
    for step in range(request.steps):
        report("Counting", step / request.steps)
        time.sleep(request.seconds)
    return requests.Counted(request.steps)


def sleep(request: requests.Sleep, report: ProgressCallback) -> NoResult:
    report("Sleeping", 0.0)
    time.sleep(request.seconds)
    return NoResult()


def wait_for_file(request: requests.WaitForFile, report: ProgressCallback) -> NoResult:
    report("Waiting", 0.0)
    while not request.file.exists():
        time.sleep(0.01)
    return NoResult()


def count_files(request: requests.CountFiles, report: ProgressCallback) -> requests.Counted:
    for number in range(request.files):
        while not (request.folder / str(number)).exists():
            report("Counting", number / request.files)
            time.sleep(0.01)
    return requests.Counted(request.files)


def hold_lock(request: requests.HoldLock, report: ProgressCallback) -> requests.HoldLockResult:
    report("Holding", 0.0)
    return requests.HoldLockResult(sum(range(request.count)))  # one native call: no other thread runs meanwhile


def end(request: requests.EndProcess, report: ProgressCallback) -> NoResult:
    report("Ending", 0.5)
    print("last words of the job", file=sys.stderr, flush=True)
    if request.signal is not None:
        os.kill(os.getpid(), request.signal)
        time.sleep(60)
    os._exit(request.status)


def print_everywhere(request: requests.PrintEverywhere, report: ProgressCallback) -> NoResult:
    print("printed by Python", flush=True)
    os.write(1, b"written to the descriptor\n")
    library = ctypes.CDLL(None)
    library.printf(b"printed by C\n")
    library.fflush(None)
    subprocess.run([sys.executable, "-c", "print('printed by a child: ' + input())"], check=False)
    return NoResult()


def flood(request: requests.Flood, report: ProgressCallback) -> NoResult:
    os.write(2, b"x" * 79 + b"\n")
    for _ in range(100):
        os.write(2, (b"y" * 79 + b"\n") * 1000)
    while not 0 < os.fstat(2).st_size < 4 << 20:  # cut, and begun anew
        report("Waiting", 0.0)
        time.sleep(0.05)
    return NoResult()


def fail(request: requests.Fail, report: ProgressCallback) -> NoResult:
    raise ValueError("seven is not a color")


def refuse(request: requests.Refuse, report: ProgressCallback) -> NoResult:
    raise InputError("mesh-empty", "“Würfel” has no faces.", "Choose another.")


def leave(request: requests.Leave, report: ProgressCallback) -> NoResult:
    sys.exit("a library left")


def allocate(request: requests.Allocate, report: ProgressCallback) -> NoResult:
    if request.tensor:
        import torch

        torch.empty(1 << 58, dtype=torch.float32)
    bytearray(1 << 62)
    return NoResult()


def fill_disk(request: requests.FillDisk, report: ProgressCallback) -> NoResult:
    with open("/dev/full", "wb", buffering=0) as full:
        full.write(b"x")
    return NoResult()


def not_a_number(request: requests.NotANumber, report: ProgressCallback) -> requests.Share:
    report("Counting", float("nan"))
    return requests.Share(float("nan"))


def look_at_process(request: requests.LookAtProcess, report: ProgressCallback) -> requests.LookAtProcessResult:
    modules, variables = tuple(sorted(sys.modules)), tuple(sorted(os.environ))
    return requests.LookAtProcessResult(modules, os.nice(0), variables, Path.cwd(), cache_folder())


def use_device(request: requests.UseDevice, report: ProgressCallback) -> requests.EchoResult:
    report("Waiting", 0.0)
    while not request.file.exists():
        time.sleep(0.01)
    return requests.EchoResult({}, os.getpid(), os.getsid(0))


def examine(request: ExamineWorker, report: ProgressCallback) -> ExamineWorkerResult:
    """With the devices that a test wants."""
    names = os.environ.get("TEST_DEVICES", "cpu").split()
    devices = tuple(Device(name, 0, "") for name in names)
    return ExamineWorkerResult(sys.version, Path(sys.executable), {}, devices)


JOBS = table(
    echo, count, sleep, wait_for_file, count_files, hold_lock, end, print_everywhere, flood, fail, refuse, leave,
    allocate, fill_disk, not_a_number, look_at_process, use_device, examine,
)  # fmt: skip

if __name__ == "__main__":
    from meshkin.worker.server import serve_standard_streams

    serve_standard_streams(JOBS.get)
