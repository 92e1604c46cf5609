"""Processes that are interrupted or killed, and code that lies where MeshKin is started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.outcomes import Outcomes
from helpers.places import Place
from helpers.processes import has_ended, wait_for
from helpers.shell import GEOMETRIC, WORKER, check_error, json_result, run, tetrahedron

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

BAITS = (
    "pip",
    "venv",
    "huggingface_hub",
    "runpy",
    "threading",
    "numpy",
    "torch",
    "bpy",
    "json",
    "subprocess",
    "signal",
    "typing",
)
"""Modules that MeshKin's processes import."""


@pytest.fixture
def baited(place: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to start in, with modules that leave a file where they are run; returns that file."""
    taken = place.work / "taken"
    for name in BAITS:
        (place.work / f"{name}.py").write_text(f"open({str(taken)!r}, 'a').write({name!r})\n", encoding="utf-8")
    monkeypatch.chdir(place.work)
    return taken


def test_nothing_in_the_current_folder_is_run(baited: Path) -> None:
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_DISABLE_TELEMETRY": "1"}
    for command, code, error in (
        (("models", "get", "embedded"), 4, "model-download-failed"),
        (("models", "get", "facebook/dinov2-base"), 4, "model-download-failed"),
        (("worker", "setup"), 5, "pip-failed"),
    ):
        check_error(run(*command, "--json", python=WORKER, **nobody), code, error)
        assert not baited.exists(), baited.read_text()
    assert json_result(run("cache", "info", "--json", python=WORKER))["files"] == 0
    assert not baited.exists(), baited.read_text()


@contextlib.contextmanager
def a_server_that_never_answers() -> Iterator[str]:
    """The address of one on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def descendants(pid: int) -> set[int]:
    """The processes that a process has started, and those that they have."""
    listed = subprocess.run(["ps", "-A", "-o", "ppid=,pid="], capture_output=True, check=True, text=True).stdout
    rows = [(int(parent), int(child)) for parent, child in map(str.split, listed.splitlines())]
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        new = {child for above, child in rows if above == parent}
        found |= new
        waiting += sorted(new)
    return found


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("model", ["embedded", "facebook/dinov2-base"])
def test_a_download_ends_with_the_command(place: Place, outcomes: Outcomes, how: signal.Signals, model: str) -> None:
    """Also if that is killed; what it has half made is gone at the latest with the next command."""
    models = place.home / "models"
    with a_server_that_never_answers() as address:
        servers = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": address, "PIP_FIND_LINKS": "", "HF_ENDPOINT": address}
        command = [WORKER, "-m", "meshkin", "models", "get", model, "--json"]
        process = subprocess.Popen(
            command, env={**os.environ, **servers}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait_for(lambda: len(descendants(process.pid)) >= 2, "it does not download")
        time.sleep(0.3)
        started = descendants(process.pid)
        process.send_signal(how)
        output, _ = process.communicate(timeout=60)
    wait_for(lambda: all(map(has_ended, started)), "what it started outlived it")
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert '"cancelled"' in output
        assert not list(models.iterdir())
    assert json_result(run("cache", "info", "--json", python=WORKER))["ok"]
    wait_for(lambda: not list(models.iterdir()), "the half-made model is left")
    outcomes.tell("a download interrupted", f"{model}: {how.name}", "cancelled" if how == signal.SIGINT else "ended")


def test_temporary_files_of_a_killed_command_go_with_the_next(place: Place) -> None:
    mesh = tetrahedron(place.work)
    command = [sys.executable, "-m", "meshkin", "features", mesh, *GEOMETRIC, "--output", place.work / "f.safetensors"]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    assert process.stderr
    while not (line := process.stderr.readline()).startswith("Reading the mesh"):
        assert line, "it ended before it was killed"
    started = descendants(process.pid)
    process.kill()
    process.communicate()
    wait_for(lambda: all(map(has_ended, started)), "what it started outlived it")
    assert run(*map(str, command[3:])).returncode == 0
    wait_for(lambda: not list(place.temporary.iterdir()), "temporary files are left")


@pytest.mark.parametrize("delay", [0.3, 0.6, 0.9, 1.2, 1.5, 2.0])
def test_ctrl_c_while_blender_loads(place: Place, outcomes: Outcomes, delay: float) -> None:
    mesh = tetrahedron(place.work)
    output = place.work / "f.safetensors"
    command = [sys.executable, "-m", "meshkin", "features", mesh, *GEOMETRIC, "--output", output, "--json"]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(delay)
    early = process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    if early and not output.exists():
        assert process.returncode == 130, said
    assert "Traceback" not in said
    output.unlink(missing_ok=True)
    outcomes.tell("Ctrl-C", f"after {delay} s", "cancelled" if process.returncode == 130 else "")
    assert [file.name for file in place.work.iterdir()] == ["one.off"]
