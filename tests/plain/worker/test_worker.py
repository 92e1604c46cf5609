"""The worker as a real process: jobs, their errors, cancel, the log."""

from __future__ import annotations

import sys
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from helpers import worker_requests as requests
from helpers.processes import has_ended, wait_for
from helpers.worker_requests import Count, CountFiles, Echo, Fail, HoldLock, Sleep, Unknown, WaitForFile
from helpers.workers import Clock, Start, failure, until
from meshkin.base.errors import InputError, StorageError, WorkerError
from meshkin.base.json_data import Json
from meshkin.base.progress import Progress, finish
from meshkin.worker.requests.base import NoResult, Request

pytestmark = pytest.mark.usefixtures("own_home")


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
        return (worker.child.processor_seconds() or 0) > seconds

    for _ in range(3):
        before = worker.child.processor_seconds()
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
