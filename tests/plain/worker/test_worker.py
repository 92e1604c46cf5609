"""The worker as a real process: jobs, cancel, and every way to lose it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import pytest

import meshkin
from helpers import worker_requests as requests
from helpers.places import TESTS
from helpers.processes import has_ended, wait_for
from helpers.worker_requests import Count, CountFiles, Echo, EndProcess, Fail, HoldLock, Sleep, Unknown, WaitForFile
from meshkin.base.errors import InputError, MeshKinError, StorageError, WorkerError
from meshkin.base.json_data import Json
from meshkin.base.progress import Progress, finish
from meshkin.worker import client, messages, processes
from meshkin.worker.client import TimeLimits, Worker
from meshkin.worker.requests.base import NoResult, Request

CORE = Path(meshkin.__file__).parent.parent
COMMAND = (sys.executable, TESTS / "helpers" / "worker_with_test_jobs.py", CORE)
HELLO = json.dumps(["HELLO", {"protocol": messages.PROTOCOL, "version": meshkin.__version__, "pid": 1}])

Start = Callable[..., Worker]
R = TypeVar("R")


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHKIN_HOME", str(tmp_path / "Zuhause 日本"))


@pytest.fixture
def start() -> Iterator[Start]:
    workers: list[Worker] = []

    def begin(*command: str | Path, clock: Callable[[], float] = time.monotonic, **limits: float) -> Worker:
        workers.append(Worker(command or COMMAND, limits=TimeLimits(**limits), clock=clock))
        return workers[-1]

    yield begin
    for worker in workers:
        worker.stop()


class Clock:
    """A time that passes when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def running(self, job: Generator[Progress, None, R]) -> Generator[Progress, None, R]:
        """The job, five seconds a turn."""
        while True:
            try:
                progress = next(job)
            except StopIteration as end:
                result: R = end.value
                return result
            self.now += 5
            yield progress


def until(stage: str, job: Generator[Progress, None, Any]) -> Progress:
    """Go on with the job up to a stage."""
    for progress in job:
        if progress.stage == stage:
            return progress
        time.sleep(0.01)
    raise AssertionError(f"{stage} never came")


def failure(job: Generator[Progress, None, Any]) -> MeshKinError:
    with pytest.raises(MeshKinError) as raised:
        finish(job)
    return raised.value


# Jobs


def test_a_job_and_the_next_in_the_same_process(start: Start) -> None:
    worker = start()
    values: dict[str, Json] = {"name": "Ärmel “日本”\n", "numbers": [1, 0.1, None, True]}
    first, second = (finish(worker.run(Echo(values))) for _ in range(2))
    assert first.values == values
    assert first.pid == second.pid == worker.pid
    assert first.session == worker.pid  # of its own: Ctrl-C in the terminal does not reach it


def test_progress_is_told(start: Start, tmp_path: Path) -> None:
    """Each step when it is reached, and none of them twice with another in between."""
    told: list[Progress] = []
    job = start().run(CountFiles(tmp_path, 4))

    def is_told(progress: Progress) -> bool:
        told.append(next(job))
        return told[-1] == progress

    for number in range(4):
        wait_for(partial(is_told, Progress("Counting", number / 4)), f"{number} of 4 is not told")
        (tmp_path / str(number)).touch()
    assert finish(job).counted == 4
    stages = [progress for progress, _ in groupby(told)]
    assert [progress.fraction for progress in stages if progress.stage == "Counting"] == [0, 0.25, 0.5, 0.75]


def test_next_does_not_wait(start: Start, tmp_path: Path) -> None:
    """While a job waits for something else, there are many turns."""
    job = start().run(WaitForFile(tmp_path / "go on"))
    until("Waiting", job)
    for _ in range(200):
        assert next(job).stage == "Waiting"
    (tmp_path / "go on").touch()
    assert finish(job) == NoResult()


def test_it_starts_light_and_steps_back(start: Start) -> None:
    process = finish(start().run(requests.LookAtProcess()))
    assert not {"torch", "numpy", "scipy", "transformers"} & set(process.modules)
    assert process.nice >= 5
    assert not [name for name in process.variables if name.startswith("PYTHON")]


def test_only_messages_on_standard_output(start: Start) -> None:
    worker = start()
    finish(worker.run(requests.PrintEverywhere()))
    assert finish(worker.run(Echo())).pid == worker.pid
    log = worker.log.read_text()
    for line in ("printed by Python", "written to the descriptor", "printed by C"):
        assert line in log
    assert "EOFError" in log  # the child found nothing on standard input: it took no message


def test_two_jobs_wait_for_each_other(start: Start, tmp_path: Path) -> None:
    worker = start()
    first, second = worker.run(CountFiles(tmp_path, 1)), worker.run(Echo({"n": 2}))
    until("Counting", first)
    assert next(second).stage == "Waiting for the worker"
    (tmp_path / "0").touch()
    assert finish(second).values == {"n": 2}
    assert finish(first).counted == 1


def test_a_native_call_that_lets_no_beat_through_is_left_to_work(start: Start) -> None:
    clock = Clock()
    worker = start(clock=clock)
    count = 300_000_000  # takes seconds
    job = worker.run(HoldLock(count))
    until("Holding", job)

    def has_worked_since(seconds: float) -> bool:
        return (processes.processor_seconds(worker._process) or 0) > seconds

    for _ in range(3):
        before = processes.processor_seconds(worker._process)
        assert before is not None
        clock.now += 60  # it is suspected, and uses the processor meanwhile
        next(job)
        wait_for(partial(has_worked_since, before), "it does not work")
    assert next(job).stage == "Holding"
    assert finish(job).sum == count * (count - 1) // 2


# Errors of a job


@pytest.mark.parametrize(
    ("request_", "code", "says"),
    [
        (Fail(), "worker-bug", "ValueError: seven is not a color"),
        (requests.Leave(), "worker-bug", "SystemExit"),
        (requests.Allocate(tensor=False), "out-of-memory", "memory"),
        (requests.Allocate(tensor=True), "out-of-memory", "memory"),
        (
            requests.NotANumber(),
            "message-invalid",
            "result of the worker cannot be sent: not-a-number.share is no JSON value but the float nan",
        ),
        (Unknown(), "job-unknown", "no-such-job"),
        (
            requests.OtherCount("3"),
            "message-invalid",
            "the worker is not valid: count has no field “folder”",
        ),
    ],
)
def test_an_error_is_told_and_the_worker_stays(start: Start, request_: Request[Any], code: str, says: str) -> None:
    worker = start()
    error = failure(worker.run(request_))
    assert isinstance(error, WorkerError)
    assert error.code == code
    assert says in error.message
    assert error.fix
    assert "Traceback" in worker.log.read_text()
    assert finish(worker.run(Echo())).pid == worker.pid


def test_a_result_that_was_not_expected(start: Start) -> None:
    error = failure(start().run(requests.OtherResult(1, 0.0)))
    assert error.code == "message-invalid"
    assert "A result of the worker is not valid: count has no field “counted”" in error.message


def test_an_expected_error_arrives_as_it_is(start: Start) -> None:
    error = failure(start().run(requests.Refuse()))
    assert (type(error), error.code, error.message) == (InputError, "mesh-empty", "“Würfel” has no faces.")


def test_disk_full_in_a_job(start: Start) -> None:
    error = failure(start().run(requests.FillDisk()))
    assert isinstance(error, StorageError)
    assert error.code == "disk-full"


def test_a_request_that_is_no_data(start: Start) -> None:
    worker = start()
    strange: Any = object()
    error = failure(worker.run(Echo({"strange": strange})))
    assert error.code == "message-invalid"
    assert (
        "A request to the worker cannot be sent: echo.values.strange is no JSON value but the object <object"
        in error.message
    )
    assert finish(worker.run(Echo())).pid == worker.pid


# Cancel


def test_cancel_of_a_job_that_reports_keeps_the_worker(start: Start) -> None:
    worker = start()
    job = worker.run(Count(100_000))
    until("Counting", job)
    job.close()
    told: list[Progress] = []
    assert finish(worker.run(Echo()), told.append).pid == worker.pid
    assert "Counting" not in [progress.stage for progress in told]
    wait_for(lambda: worker.alive, "the cancel is never over")


def test_cancel_of_a_waiting_job_lets_the_running_one_go_on(start: Start, tmp_path: Path) -> None:
    worker = start()
    running, waiting = worker.run(WaitForFile(tmp_path / "go on")), worker.run(Echo())
    until("Waiting", running)
    next(waiting)
    waiting.close()
    wait_for(lambda: worker.alive, "the cancel was not acknowledged")
    (tmp_path / "go on").touch()
    assert finish(running) == NoResult()


@pytest.mark.parametrize(("request_", "stage"), [(Sleep(), "Sleeping"), (HoldLock(10**12), "Holding")])
def test_cancel_of_a_job_that_does_not_listen_ends_the_worker(start: Start, request_: Request[Any], stage: str) -> None:
    worker = start(cancel=0.3)
    job = worker.run(request_)
    until(stage, job)
    job.close()
    wait_for(lambda: has_ended(worker.pid), "it still runs")
    assert failure(worker.run(Echo())).code == "worker-died"


def test_closing_before_the_worker_is_ready(start: Start) -> None:
    worker = start()
    job = worker.run(Fail())
    next(job)
    job.close()
    assert finish(worker.run(Echo())).pid == worker.pid


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
        Worker.start(tmp_path / "python")
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
from meshkin.worker.client import Worker
worker = Worker(sys.argv[3:])
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
from meshkin.worker import client, messages, processes
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
from meshkin.worker.client import Worker
from meshkin.worker.requests.base import NoResult, Request
import sys
class Unknown(Request[NoResult], job="no-such-job"): pass
try:
    finish(Worker.start(sys.executable).run(Unknown()))
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


# The log


def test_a_home_that_cannot_be_written(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MESHKIN_HOME", str(tmp_path / "file" / "home"))
    worker = start()
    assert finish(worker.run(Echo())).pid == worker.pid
    assert "echo" in worker.end_of_log()
    worker.log.unlink()


def test_the_log_is_bounded(start: Start) -> None:
    worker = start()
    finish(worker.run(requests.Flood()))
    assert worker.log.stat().st_size < 4 << 20
    assert "dropped" in worker.end_of_log()


def test_old_logs_go(start: Start) -> None:
    logs = set()
    for _ in range(10):
        worker = start(sys.executable, "-c", "")
        logs.add(worker.log)
        worker.stop()
    assert len(logs) == 10
    assert worker.log in set(worker.log.parent.iterdir())
    assert len(list(worker.log.parent.iterdir())) <= 8
