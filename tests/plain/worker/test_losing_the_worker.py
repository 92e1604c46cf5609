"""Every way to lose the worker, or it Blender; and the one that MeshKin itself starts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.places import CORE, TESTS
from helpers.processes import has_ended, wait_for
from helpers.worker_requests import Count, Echo, EndProcess, Sleep, Unknown
from helpers.workers import COMMAND, HELLO, Clock, Start, failure, until
from meshkin.base.errors import WorkerError
from meshkin.base.progress import finish
from meshkin.worker import client, messages
from meshkin.worker.child import start_child

pytestmark = pytest.mark.usefixtures("own_home")


# Losing the worker


def test_killed_in_the_middle(start: Start) -> None:
    worker = start()
    error = failure(worker.run(EndProcess(signal=signal.SIGKILL)))
    assert error.code == "worker-died"
    assert "SIGKILL" in error.message
    assert "memory" in error.message
    assert "last words of the job" in error.message
    assert str(worker.log) in error.fix


def test_crash_in_native_code_shows_where(start: Start) -> None:
    error = failure(start().run(EndProcess(signal=signal.SIGSEGV)))
    assert error.code == "worker-died"
    assert "SIGSEGV" in error.message
    assert "worker_with_test_jobs.py" in error.message


def test_exit_in_the_middle(start: Start) -> None:
    error = failure(start().run(EndProcess(3)))
    assert error.code == "worker-died"
    assert "status 3" in error.message


def test_killed_between_jobs(start: Start) -> None:
    worker = start()
    finish(worker.run(Echo()))
    os.kill(worker.pid, signal.SIGKILL)
    assert failure(worker.run(Echo())).code == "worker-died"
    assert not worker.alive


def test_one_that_was_given_up_gets_no_job(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even while the system has not yet ended it, which takes a moment."""
    worker = start(cancel=0.2)
    job = worker.run(Sleep())
    until("Sleeping", job)
    with monkeypatch.context() as patch:
        patch.setattr(worker.link, "kill", lambda: None)
        job.close()
        wait_for(lambda: not worker.cancelling, "the job is still being cancelled")
        assert worker.link.is_there()
        assert not worker.alive
    worker.link.kill()


def test_stopped_process_is_silent(start: Start) -> None:
    clock = Clock()
    worker = start(clock=clock)
    job = worker.run(Count(100_000))
    until("Counting", job)
    os.kill(worker.pid, signal.SIGSTOP)
    error = failure(clock.running(job))
    assert error.code == "worker-silent"
    assert re.search(r"\d: count|job 1", error.message)
    wait_for(lambda: has_ended(worker.pid), "it was not killed")


def test_a_worker_that_never_says_hello(start: Start) -> None:
    clock = Clock()
    worker = start(sys.executable, "-c", "import time; time.sleep(60)", clock=clock)
    job = worker.run(Echo())
    assert next(job).stage == "Starting the worker"
    clock.now += 59
    assert next(job).stage == "Starting the worker"
    clock.now += 2
    assert failure(job).code == "worker-start-failed"
    wait_for(lambda: has_ended(worker.pid), "it was not killed")


def test_a_worker_that_cannot_start_shows_its_log(start: Start) -> None:
    error = failure(start(sys.executable, "-c", "import no_such_library").run(Echo()))
    assert error.code == "worker-start-failed"
    assert "No module named 'no_such_library'" in error.message


def test_a_file_that_is_no_program(start: Start, tmp_path: Path) -> None:
    (tmp_path / "python").write_text("not a program")
    with pytest.raises(WorkerError) as raised:
        start_child(tmp_path / "python")
    assert raised.value.code == "worker-start-failed"


@pytest.mark.parametrize("before", ["", f"print({HELLO!r})\n"])
def test_garbage_instead_of_messages(start: Start, before: str) -> None:
    worker = start(sys.executable, "-u", "-c", f"{before}print('Loading…  43%')\nimport time; time.sleep(60)")
    error = failure(worker.run(Echo()))
    assert error.code == "message-invalid"
    assert "Loading…  43%" in error.message
    wait_for(lambda: has_ended(worker.pid), "it was not killed")


def test_a_worker_of_another_version(start: Start) -> None:
    hello = HELLO.replace(f'"protocol": {messages.PROTOCOL}', '"protocol": 99')
    error = failure(start(sys.executable, "-u", "-c", f"print({hello!r}); input()").run(Echo()))
    assert error.code == "worker-version"
    assert "99" in error.message


# Blender's end


PARENT = """
import signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have what they run in the background ignore it
sys.path[:0] = sys.argv[1:3]
from helpers.worker_requests import Sleep
from meshkin.base.errors import Cancelled
from meshkin.base.progress import finish
from meshkin.worker.child import Child, start_child
from meshkin.worker.running import Worker
worker = Worker(Child(sys.argv[3:]))
def tell(progress):
    if progress.stage in ("Sleeping", "Waiting for the worker"):
        print(progress.stage, worker.pid, flush=True)
try:
    finish(worker.run(Sleep()), tell)
except Cancelled as error:
    print(error.code, worker.alive, flush=True)
"""


def parent_with_worker() -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-c", PARENT, CORE, TESTS, *COMMAND]
    parent = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    for line in parent.stdout:
        if line.startswith("Sleeping"):
            return parent, int(line.split()[-1])
    raise AssertionError("the worker's job never began")


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_its_parent_is_killed(ending: signal.Signals) -> None:
    parent, pid = parent_with_worker()
    with parent:
        assert not has_ended(pid)
        parent.send_signal(ending)
        parent.wait()
        wait_for(lambda: has_ended(pid), "the worker outlived its parent")


def test_interrupt_cancels() -> None:
    parent, pid = parent_with_worker()
    with parent:
        parent.send_signal(signal.SIGINT)
        assert parent.stdout
        assert parent.stdout.read().split() == ["cancelled", "False"]
        assert parent.wait() == 0
        wait_for(lambda: has_ended(pid), "the worker outlived its parent")


def test_a_fork_leaves_the_worker_to_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the child's copy of the pipe keep the worker from seeing its parent's end."""
    script = """
import os, sys, time
from meshkin.worker import client, messages
from meshkin.base.progress import finish
from meshkin.worker.requests.maintenance import ExamineWorker
worker = client.shared(sys.executable)
next(worker.run(ExamineWorker()))
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
print(worker.pid, child, flush=True)
os._exit(0)
"""
    run = subprocess.Popen([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(CORE)!r})\n{script}"],
                           stdout=subprocess.PIPE, text=True)  # fmt: skip
    with run:
        assert run.stdout
        worker, child = map(int, run.stdout.readline().split())
        try:
            wait_for(lambda: has_ended(worker), "the worker outlived its parent")
        finally:
            os.kill(child, signal.SIGKILL)


# The worker MeshKin itself starts


def test_the_shared_worker_is_kept_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHKIN_WORKER_PYTHON", sys.executable)
    try:
        worker = client.shared()
        assert failure(worker.run(Unknown())).code == "job-unknown"
        assert client.shared() is worker
        os.kill(worker.pid, signal.SIGKILL)
        wait_for(lambda: not worker.alive, "the death is not noticed")
        replacement = client.shared()
        assert replacement.pid != worker.pid
        assert failure(replacement.run(Unknown())).code == "job-unknown"
    finally:
        client.stop()
    assert has_ended(replacement.pid)


def test_no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MESHKIN_WORKER_PYTHON", str(tmp_path / "nowhere"))
    with pytest.raises(WorkerError) as raised:
        client.shared()
    assert raised.value.code == "worker-missing"
    assert "nowhere" in raised.value.message
    assert "MESHKIN_WORKER_PYTHON" in raised.value.fix


def test_the_worker_sees_nothing_of_what_lies_beside_meshkin(tmp_path: Path) -> None:
    """Inside Blender, libraries for another Python lie there; and a user's path must not matter either."""
    beside = tmp_path / "añadidos 日本" / "site-packages"
    beside.mkdir(parents=True)
    (beside / "meshkin").symlink_to(CORE / "meshkin")
    (beside / "numpy.py").write_text("raise ImportError('that of another Python')")
    script = """
from meshkin.base.errors import MeshKinError
from meshkin.base.progress import finish
from meshkin.worker.child import Child, start_child
from meshkin.worker.running import Worker
from meshkin.worker.requests.base import NoResult, Request
import sys
class Unknown(Request[NoResult], job="no-such-job"): pass
try:
    finish(Worker(start_child(sys.executable)).run(Unknown()))
except MeshKinError as error:
    print(error.code, error.message)
"""
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(beside), "PYTHONSTARTUP": "x"},
        cwd=beside,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split()[0] == "job-unknown", run.stdout + run.stderr
