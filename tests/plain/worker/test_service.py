"""The local service as a real process: several clients, and every way to lose one of them, a worker, or the service."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import meshkin
from helpers import service
from helpers.places import CORE, TESTS
from helpers.processes import has_ended, wait_for
from helpers.service import RawClient
from helpers.worker_requests import Count, Echo, EndProcess, LookAtProcess, Sleep, UseDevice, WaitForFile
from helpers.workers import failure, until
from meshkin.base.progress import finish
from meshkin.worker import client, messages
from meshkin.worker.requests.base import NoResult
from meshkin.worker.service import address, connection, control
from meshkin.worker.service.connection import Connection, ServiceWorker
from meshkin.worker.service.requests import ReleaseCard

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the worker of the tests is a shell script")


@pytest.fixture(autouse=True)
def own_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A home, a worker with the jobs of tests, and no service that outlives its test."""
    monkeypatch.setenv("MESHKIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MESHKIN_WORKER_PYTHON", str(service.python_with_test_jobs(tmp_path)))
    monkeypatch.setenv("MESHKIN_COMPUTE", "service")
    yield
    client.stop()
    finish(control.end())


def other_client() -> ServiceWorker:
    """A client beside the one that this process shares; what its jobs are done by instead is an error."""
    return ServiceWorker(Connection(address.find()), control._none_instead)


CLIENT = """
import sys, time
sys.path[:0] = sys.argv[1:3]
from helpers import worker_requests as requests
from meshkin.base.progress import finish
from meshkin.worker import client, messages
"""


def client_process(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A program that uses the service as Blender does."""
    command = [sys.executable, "-c", CLIENT + script, CORE, TESTS, *arguments]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)


def is_idle() -> bool:
    """Whether the service has no job."""
    state = service.state()
    return not any(device.job or device.waiting for device in state.devices) and not any(
        each.jobs for each in state.clients
    )


# Jobs of several clients


def test_four_clients_and_two_hundred_jobs() -> None:
    script = """
jobs = [client.shared().run(requests.Echo({"client": sys.argv[3], "n": n})) for n in range(50)]
answers = {}
while len(answers) < 50:
    for n, job in enumerate(jobs):
        if n not in answers:
            try:
                next(job)
            except StopIteration as end:
                answers[n] = end.value
    time.sleep(0.005)
assert all(answers[n].values == {"client": sys.argv[3], "n": n} for n in range(50)), answers
print(*{answer.pid for answer in answers.values()}, client.remark())
"""
    service.started()
    clients = [client_process(script, number) for number in range(4)]
    workers = {each.communicate(timeout=120)[0].strip() for each in clients}
    assert [each.returncode for each in clients] == [0] * 4
    assert len(workers) == 1  # one worker for all, and no client has used its own
    wait_for(lambda: not service.state().clients, "clients are left")


def test_clients_take_turns_and_see_their_place(tmp_path: Path) -> None:
    service.started()
    first, second = other_client(), other_client()
    running = first.run(WaitForFile(tmp_path / "go on"))
    until("Waiting", running)
    many = [first.run(Echo({"n": n})) for n in range(5)]
    for number, job in enumerate(many, 1):
        until(f"Waiting in place {number} of the queue", job)
    one = second.run(Echo())
    until("Waiting in place 2 of the queue", one)  # after the first client's next one, before its others
    until("Waiting in place 6 of the queue", many[-1])
    many[0].close()
    until("Waiting in place 1 of the queue", one)
    (tmp_path / "go on").touch()
    assert finish(running) == NoResult()
    assert finish(one).values == {}
    assert [finish(job).values["n"] for job in many[1:]] == [1, 2, 3, 4]
    for each in (first, second):
        each.stop()


def test_jobs_of_the_processor_run_beside_one_of_the_card(tmp_path: Path) -> None:
    service.started(TEST_DEVICES="cpu cuda:0 cuda:1")
    worker = other_client()
    files = {name: tmp_path / name.replace(":", "-") for name in ("auto", "cuda", "cuda:1", "cpu")}
    jobs = {name: worker.run(UseDevice(name, file)) for name, file in files.items()}
    for name in ("auto", "cuda:1", "cpu"):
        until("Waiting", jobs[name])
    until("Waiting in place 1 of the queue", jobs["cuda"])  # behind “auto”
    assert {device.device for device in service.state().devices} == {"cpu", "cuda:0", "cuda:1"}
    files["cpu"].touch()
    pids = {"cpu": finish(jobs["cpu"]).pid, "none": finish(worker.run(Echo())).pid}
    for name in ("cuda:1", "auto", "cuda"):
        files[name].touch()
        pids[name] = finish(jobs[name]).pid
    assert pids["cpu"] == pids["none"]
    assert pids["auto"] == pids["cuda"]
    assert len(set(pids.values())) == 3
    assert finish(worker.run(UseDevice("toaster", files["cpu"]))).pid == pids["auto"]  # the worker itself refuses it
    worker.stop()


def test_a_client_cancels_only_its_own(tmp_path: Path) -> None:
    service.started()
    clients = [RawClient(), RawClient()]
    for number, each in enumerate(clients):
        each.introduce()
        assert each.receive()[0] == "WELCOME"
        each.send("RUN", number=1, job="wait-for-file", request={"file": str(tmp_path / str(number))})
        assert each.receive()[0] == "PROGRESS"
    clients[1].send("CANCEL", number=1)
    kind, fields = clients[1].receive()
    while kind == "PROGRESS":
        kind, fields = clients[1].receive()
    assert (kind, fields["error"]["code"]) == ("ERROR", "cancelled")
    clients[1].send("CANCEL", number=1)  # over already
    (tmp_path / "0").touch()
    kind, fields = clients[0].receive()
    while kind == "PROGRESS":
        kind, fields = clients[0].receive()
    assert kind == "RESULT"
    for each in clients:
        each.close()


def test_each_job_has_the_folders_and_settings_of_its_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service.started(MESHKIN_PROXY="that-of-the-service")
    worker = other_client()
    for name in ("one", "Zwei 二"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        monkeypatch.setenv("MESHKIN_CACHE", str(tmp_path / name / "cache"))
        process = finish(worker.run(LookAtProcess()))
        assert (process.folder, process.cache) == (tmp_path / name, tmp_path / name / "cache")
        assert "MESHKIN_PROXY" not in process.variables
    worker.stop()


# The end of a worker


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    service.started()
    first, second = other_client(), other_client()
    dies = first.run(EndProcess(signal=signal.SIGKILL))
    next(dies)  # asked for before the other job
    waiting = second.run(Echo({"n": 1}))
    next(waiting)
    error = failure(dies)
    assert error.code == "worker-died"
    assert "last words of the job" in error.message
    answer = finish(waiting)
    assert answer.values == {"n": 1}
    os.kill(answer.pid, signal.SIGKILL)  # between jobs
    wait_for(lambda: has_ended(answer.pid), "it lives")
    replaced = finish(second.run(Echo()))
    assert replaced.pid != answer.pid
    second.run(Sleep()).close()  # a job that does not listen when it is cancelled
    job = first.run(Sleep())
    until("Sleeping", job)
    job.close()
    assert finish(second.run(Echo())).pid != replaced.pid
    for each in (first, second):
        each.stop()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this system does not tell a process's children")
def test_a_worker_that_is_killed_while_it_starts(tmp_path: Path) -> None:
    """The one that says which devices there are; jobs that wait for that are not lost."""
    process = service.started(TEST_DEVICES="cpu cuda:0")
    worker = other_client()
    job = worker.run(UseDevice("cuda:0", tmp_path))
    next(job)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in map(int, children):
        os.kill(pid, signal.SIGKILL)
    assert finish(job).pid not in map(int, children)
    assert "cuda:0" in {device.device for device in service.state().devices}
    worker.stop()


def test_memory_is_released_on_request(tmp_path: Path) -> None:
    process = service.started()
    before = finish(client.shared().run(Echo())).pid
    job = client.shared().run(WaitForFile(tmp_path / "go on"))
    until("Waiting", job)
    assert finish(control.ask(ReleaseCard())).later == 1
    assert not has_ended(before)  # a job is not disturbed
    (tmp_path / "go on").touch()
    assert finish(job) == NoResult()
    wait_for(lambda: has_ended(before), "the worker holds its memory")
    after = finish(client.shared().run(Echo())).pid
    assert finish(control.ask(ReleaseCard())).ended == 1
    wait_for(lambda: has_ended(after), "the worker holds its memory")
    assert process.poll() is None


# The end of a client


@pytest.mark.parametrize("stage", ["connected", "waiting", "running"])
def test_a_client_that_is_killed_frees_its_jobs(stage: str, tmp_path: Path) -> None:
    service.started()
    worker = other_client()
    blocker = worker.run(WaitForFile(tmp_path / "go on"))
    if stage == "waiting":
        until("Waiting", blocker)
    words = {"connected": "", "waiting": "Waiting in place", "running": "Counting"}[stage]
    script = """
for progress in client.shared().run(requests.Count(100_000)):
    if progress.stage.startswith(sys.argv[3]):
        print(progress.stage, flush=True)
        time.sleep(60)
"""
    killed = client_process(script, words)
    assert killed.stdout
    assert killed.stdout.readline().startswith(words)
    killed.kill()
    killed.wait()
    (tmp_path / "go on").touch()
    if stage == "waiting":
        assert finish(blocker) == NoResult()
    assert finish(worker.run(Echo({"n": 1}))).values == {"n": 1}
    wait_for(is_idle, "its jobs are left")
    worker.stop()


def test_a_client_that_does_not_read_holds_nobody_up() -> None:
    process = service.started()
    deaf = RawClient()
    deaf.introduce()
    for number in range(300):
        deaf.send("RUN", number=number, job="echo", request={"values": {"text": "x" * 50_000}})
    worker = other_client()
    assert [finish(worker.run(Echo({"n": n}))).values["n"] for n in range(5)] == list(range(5))
    deaf.close()
    wait_for(is_idle, "its jobs are left")
    assert process.poll() is None
    worker.stop()


def test_a_thousand_connections_that_come_and_go() -> None:
    process = service.started()
    worker = other_client()
    finish(worker.run(Echo()))
    files = Path(f"/proc/{process.pid}/fd")
    before = len(list(files.iterdir())) if files.exists() else 0
    for _ in range(1000):
        RawClient().close()
    assert finish(worker.run(Echo({"n": 1}))).values == {"n": 1}
    if files.exists():
        wait_for(lambda: len(list(files.iterdir())) <= before, "connections are left")
    held = [RawClient() for _ in range(250)]  # more than it takes
    assert finish(worker.run(Echo({"n": 2}))).values == {"n": 2}
    for each in held:
        each.close()
    worker.stop()


LONG = b"x" * (3 << 20)


def test_a_client_that_takes_its_time() -> None:
    """It is told nothing between the greeting and the welcome, by which it knows the service."""
    service.started()
    late = RawClient()
    time.sleep(1.5 * messages.BEAT_SECONDS)
    late.introduce()
    assert json.loads(late.lines.readline())[0] == "WELCOME"
    assert json.loads(late.lines.readline())[0] == "BEAT"


@pytest.mark.parametrize("introduced", [False, True])
def test_garbage(introduced: bool) -> None:
    """Those who say it are left, and nobody else notices."""
    service.started()
    worker = other_client()
    hello = {"number": 1, "job": "echo", "request": {}}
    lines = [b"\n", b"\x00\xff\xfe\n", b"GET / HTTP/1.1\r\n\r\n", b'["RUN", {}]\n', b'["RUN", []]\n', b"[[[[\n", LONG]
    lines += [b'["NONSENSE", {}]\n', json.dumps(["RUN", hello | {"number": "1"}]).encode() + b"\n"]
    lines += [] if introduced else [json.dumps(["RUN", hello]).encode() + b"\n", b'["CANCEL", {"number": 1}]\n']
    for line in lines:
        raw = RawClient()
        if introduced:
            raw.introduce()
            assert raw.receive()[0] == "WELCOME"
        try:
            raw.socket.sendall(line)
            while raw.receive()[0]:
                pass
        except OSError:
            pass  # it was left before all was said
        raw.close()
    assert finish(worker.run(Echo({"n": 1}))).values == {"n": 1}
    wait_for(lambda: len(service.state().clients) == 1, "clients are left")
    worker.stop()


def test_who_may_not_come_in(monkeypatch: pytest.MonkeyPatch) -> None:
    service.started()
    stranger = RawClient()
    stranger.introduce(proof="0" * 64)
    assert stranger.receive() == ("", {})
    old = RawClient()
    old.introduce(version="0.0.1")
    kind, fields = old.receive()
    assert (kind, fields["error"]["code"]) == ("ERROR", "worker-version")
    assert "meshkin serve --stop" in fields["error"]["fix"]
    assert old.receive() == ("", {})


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("opened", [False, True])
def test_another_user_is_refused(opened: bool) -> None:
    """By the permissions, and where someone has opened them, because the system tells who knocks."""
    process = service.started()
    found = address.find()
    places = [Path(found.socket).parent, *Path(found.socket).parent.parents]
    if opened:
        for place in places[:-1]:
            if place.stat().st_uid == os.getuid() and place != Path("/tmp"):
                place.chmod(0o777)
        Path(found.socket).chmod(0o777)
    script = f"""
import os, socket
os.setgid(65534); os.setuid(65534)
stream = socket.socket(socket.AF_UNIX)
try:
    stream.connect({found.socket!r})
    print(stream.recv(100))
except OSError as error:
    print(type(error).__name__)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd="/", check=True)
    assert run.stdout.strip() in (("b''", "ConnectionResetError") if opened else ("PermissionError",))
    assert process.poll() is None


def test_the_socket_is_closed_to_others() -> None:
    service.started()
    found = address.find()
    modes = [path.stat().st_mode & 0o777 for path in (Path(found.socket), Path(found.socket).parent)]
    assert modes == [0o600, 0o700]
    assert (address.folder() / "address.json").stat().st_mode & 0o777 == 0o600


# The service: its start and its end


def test_two_services_started_at_once() -> None:
    both = [service.begin(), service.begin()]
    wait_for(lambda: any(each.poll() is not None for each in both), "both run")
    (ended,) = [each for each in both if each.poll() is not None]
    (runs,) = [each for each in both if each is not ended]
    assert ended.returncode == 5
    assert "runs already" in ended.communicate()[1]
    wait_for(lambda: address.noted() is not None, "none is ready")
    assert address.find().pid == runs.pid
    assert finish(client.shared().run(Echo({"n": 1}))).values == {"n": 1}
    assert client.remark() == ""
    assert finish(control.end()) == runs.pid
    assert runs.wait() == 0


def test_it_ends_when_it_is_idle_but_not_in_the_middle(tmp_path: Path) -> None:
    process = service.started("--idle", "0.03")
    worker = client.shared()
    job = worker.run(Count(250))  # longer
    until("Counting", job)
    pid = service.state().devices[0].pid
    assert finish(job).counted == 250
    assert process.wait(60) == 0
    assert "idle" in process.communicate()[0]
    assert has_ended(pid)
    assert [path.name for path in address.folder().iterdir()] == ["lock"]
    assert finish(client.shared().run(Echo({"n": 1}))).values == {"n": 1}
    assert "does not run" in client.remark()


def test_it_ends_when_nobody_can_find_it() -> None:
    process = service.started()
    (address.folder() / "address.json").unlink()
    assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("way", "stage"), [("SIGKILL", "Waiting in place"), ("SIGKILL", "Counting"), ("stop", "Counting")]
)
def test_losing_the_service_loses_no_job(way: str, stage: str, tmp_path: Path) -> None:
    """A worker of its own does the job again, the report says so, and a service that comes back is found."""
    process = service.started()
    blocker = other_client()
    if stage != "Counting":
        until("Waiting", blocker.run(WaitForFile(tmp_path / "never")))
    job = client.shared().run(Count(20))
    wait_for(lambda: next(job).stage.startswith(stage), f"never {stage}")
    workers = [device.pid for device in service.state().devices]
    if way == "stop":
        assert finish(control.end()) == process.pid
    else:
        process.kill()
    process.wait()
    assert finish(job).counted == 20
    assert "The local service" in client.remark()
    assert "meshkin serve" in client.remark()
    wait_for(lambda: all(map(has_ended, workers)), "workers are left")
    own = client.shared()
    assert not isinstance(own, ServiceWorker)
    service.started()  # over what the killed one left behind
    assert isinstance(client.shared(), ServiceWorker)
    assert finish(client.shared().run(Echo({"n": 1}))).values == {"n": 1}
    assert client.remark() == ""
    wait_for(lambda: has_ended(own.pid), "the other worker is left")


@pytest.mark.parametrize("stage", ["greeting", "Counting"])
def test_a_service_that_hangs(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    process = service.started()
    monkeypatch.setattr(connection, "_START_SECONDS", 0.5)
    if stage == "greeting":
        process.send_signal(signal.SIGSTOP)
        job = client.shared().run(Count(20))
    else:
        monkeypatch.setattr(connection, "_SILENCE_SECONDS", 3.0)
        job = client.shared().run(Count(100_000))
        until("Counting", job)
        process.send_signal(signal.SIGSTOP)
    if stage == "greeting":
        assert finish(job).counted == 20
    else:
        wait_for(lambda: next(job).stage == "Starting the worker", "the service is not given up")
        job.close()
    assert "The local service" in client.remark()
    process.kill()


def test_without_a_service_and_with_one_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert finish(client.shared().run(Echo({"n": 1}))).values == {"n": 1}
    assert "The local service does not run" in client.remark()
    service.started()
    path = address.folder() / "address.json"
    other = json.loads(path.read_text()) | {"version": "9.9", "more": True}
    path.write_text(json.dumps(other))
    finish(client.shared().run(Echo()))
    assert f"9.9, but this is MeshKin {meshkin.__version__}" in client.remark()
    assert "meshkin serve --stop" in client.remark()
    monkeypatch.setenv("MESHKIN_COMPUTE", "own")
    assert client.remark() == ""


def test_where_there_can_be_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It listens on the loopback interface then, and takes only those who have read its address."""
    monkeypatch.setenv("MESHKIN_HOME", str(tmp_path / "a folder with a long name" / ("x" * 100)))
    process = service.started()
    assert (address.find().socket, address.find().port > 0) == ("", True)
    assert isinstance(client.shared(), ServiceWorker)
    assert finish(client.shared().run(Echo({"n": 1}))).values == {"n": 1}
    stranger = RawClient()
    stranger.introduce(proof=address.proof("guessed", "client", "nonce"))
    assert stranger.receive() == ("", {})
    client.stop()
    path = address.folder() / "address.json"  # this client has the address of one that only claims to be the service
    path.write_text(json.dumps(json.loads(path.read_text()) | {"token": "that of another"}))
    finish(client.shared().run(Echo()))
    assert not isinstance(client.shared(), ServiceWorker)
    assert client.remark()
    process.kill()


def test_a_home_on_a_disk_without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a service runs is then told by whether it answers."""
    process = service.started()
    monkeypatch.setattr(address, "lock_file", lambda stream: None)
    assert address.find().pid == process.pid
    assert address.lock() is None
    assert finish(client.shared().run(Echo({"n": 1}))).values == {"n": 1}
    assert client.remark() == ""
    client.stop()
    process.kill()  # what it leaves behind does not answer
    process.wait()
    assert not address.is_running()
    lock = address.lock()
    assert lock
    lock.close()
    assert finish(client.shared().run(Echo())).values == {}
    assert "does not run" in client.remark()


def test_a_service_leaves_the_address_of_another_alone() -> None:
    """As it may happen where there are no locks, and two begin at once."""
    process = service.started()
    path = address.folder() / "address.json"
    other = json.loads(path.read_text()) | {"pid": 1, "token": "that of another"}
    path.write_text(json.dumps(other))
    assert process.wait(60) == 0
    assert json.loads(path.read_text()) == other


@pytest.mark.parametrize("fails", [False, True])
def test_permissions_on_windows(fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what stands for Windows' own programs: the user and the owner alone have rights, and none are inherited."""
    programs = {
        "whoami": r"""printf '"host\\A, B","S-1-5-21-1-2-3-1001"\r\n'""",
        "icacls": f"""printf '%s\n' "$@" > {tmp_path}/said; exit {int(fails)}""",
    }
    (tmp_path / "System32").mkdir()
    for name, script in programs.items():
        program = tmp_path / "System32" / f"{name}.exe"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path))
    with pytest.raises(OSError, match="icacls") if fails else contextlib.nullcontext():
        address.close_on_windows(tmp_path / "a folder")
    said = (tmp_path / "said").read_text().splitlines()
    rights = ["*S-1-5-21-1-2-3-1001:(OI)(CI)F", "*S-1-3-4:(OI)(CI)F"]
    assert said == [str(tmp_path / "a folder"), "/inheritance:r", "/grant:r", *rights]


def test_the_command_line(tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        process = service.begin(*arguments, "--json")
        return process.wait(60), json.loads(process.communicate()[0])

    assert run("--status") == (1, {"ok": False, "running": False})
    assert run("--stop") == (0, {"ok": True, "stopped": 0})
    process = service.started()
    job = client.shared().run(WaitForFile(tmp_path / "go on"))
    until("Waiting", job)
    code, state = run("--status")
    assert (code, state["running"], state["pid"]) == (0, True, process.pid)
    assert [(each["device"], each["job"]) for each in state["devices"]] == [("cpu", "wait-for-file")]
    assert [(each["pid"], each["jobs"]) for each in state["clients"]] == [(os.getpid(), 1)]
    job.close()
    assert run("--release")[0] == 0
    assert run("--stop") == (0, {"ok": True, "stopped": process.pid})
