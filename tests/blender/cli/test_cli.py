"""The command line as people use it: real processes, their output, their exit codes; what cannot be done, Ctrl-C."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
import pytest

import meshkin
from helpers.processes import has_ended, wait_for
from helpers.shell import GEOMETRIC, WORKER, add_object, blob, check_error, json_result, run, write_mesh

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one.off and two.blend (of one object, “body”)."""
    folder = tmp_path_factory.mktemp("meshes")
    surface = blob(subdivisions=2)
    write_mesh(folder / "one.off", *surface)
    obj = add_object("body", *surface)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "two.blend"))
    bpy.data.objects.remove(obj)
    return folder


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code", "said"),
    [
        (["none.off", *GEOMETRIC], 3, "file-missing", "none.off"),
        (["two.blend:nobody", *GEOMETRIC], 3, "object-unknown", "“body”"),
        (["one.off", "--features", "magic"], 3, "features-unknown", "magic"),
        (["one.off", *GEOMETRIC, "--rings", "round"], 3, "option-invalid", "--rings"),
        (["one.off", "--features", "dinov2"], 4, "model-missing", "meshkin models get"),
    ],
)
def test_what_cannot_be_done_is_said(
    meshes: Path, tmp_path: Path, arguments: Sequence[str], exit_code: int, code: str, said: str
) -> None:
    mesh, *options = arguments
    ran = run("features", meshes / mesh, *options, "--output", tmp_path / "f.safetensors", "--json")
    assert said in ran.stderr
    check_error(ran, exit_code, code)
    assert not list(tmp_path.iterdir())


def test_transfer_names_the_objects_there_are(meshes: Path, tmp_path: Path) -> None:
    command = ("transfer", meshes / "two.blend", "--source", "body", "--target", "soul")
    error = check_error(run(*command, *GEOMETRIC, "--output", tmp_path / "out.blend", "--json"), 3, "object-unknown")
    assert "“body”" in error["fix"]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_warnings_are_printed_and_strict_tells_by_the_exit_code(meshes: Path, tmp_path: Path) -> None:
    """An egg has any number of symmetries, so that its match is a guess; it is written all the same."""
    for name, segments in (("egg.off", 64), ("other.off", 60)):
        bpy.ops.mesh.primitive_uv_sphere_add(segments=segments, ring_count=32)
        ball = bpy.context.object
        corners = np.array([vertex.co for vertex in ball.data.vertices], np.float64) * (0.5, 0.5, 1)
        faces = [list(polygon.vertices) for polygon in ball.data.polygons]
        bpy.data.objects.remove(ball)
        write_mesh(tmp_path / name, corners, faces)
    command = ("match", tmp_path / "egg.off", tmp_path / "other.off", *GEOMETRIC, "--output", tmp_path / "map.npz")
    for strict, code in (((), 0), (("--strict",), 7)):
        ran = run(*command, *strict, "--json")
        assert ran.returncode == code, ran.stderr
        data = json_result(ran)
        assert data["ok"]
        (tmp_path / "map.npz").unlink()
        assert "symmetry-guessed" in [warning["code"] for warning in data["warnings"]]
        for warning in data["warnings"]:
            assert f"meshkin: warning: {warning['message']}" in ran.stderr.splitlines()
    alike = ("match", meshes / "one.off", meshes / "one.off", *GEOMETRIC, "--output", tmp_path / "map.npz")
    ran = run(*alike, "--strict", "--json")
    assert (ran.returncode, json_result(ran)["warnings"]) == (0, [])
    assert "warning:" not in ran.stderr


def test_an_output_that_cannot_be_written_is_refused_before_the_work(meshes: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for output, named in ((tmp_path / "file" / "map.npz", tmp_path / "file"), (tmp_path, tmp_path)):
        ran = run("match", meshes / "one.off", meshes / "one.off", *GEOMETRIC, "--output", output, "--json")
        assert str(named) in check_error(ran, 6, "file-failed")["message"]
        assert len(ran.stderr.splitlines()) == 1
    assert (tmp_path / "file").read_text() == "in the way"


def test_without_a_worker(meshes: Path, tmp_path: Path) -> None:
    nowhere = {"MESHKIN_WORKER_PYTHON": str(tmp_path / "nowhere" / "python")}
    ran = run("features", meshes / "one.off", *GEOMETRIC, "--output", tmp_path / "f", "--json", **nowhere)
    assert nowhere["MESHKIN_WORKER_PYTHON"] in check_error(ran, 5, "worker-missing")["message"]
    ran = run("doctor", "--json", **nowhere)
    assert ran.returncode == 1
    data = json_result(ran)
    assert data["ok"] is False
    (worker,) = (check for check in data["checks"] if check["name"] == "worker")
    assert not worker["ok"]
    assert nowhere["MESHKIN_WORKER_PYTHON"] in worker["found"]
    assert "Unset MESHKIN_WORKER_PYTHON" in worker["fix"]
    told = run("doctor", python=WORKER, **nowhere).stdout.splitlines()
    place = next(index for index, line in enumerate(told) if line.startswith("MISSING worker: "))
    assert told[place + 1].strip() == f"fix: {worker['fix']}"


def test_doctor(own_home: Path) -> None:
    ran = run("doctor", "--json")
    assert ran.returncode == 0, ran.stderr
    data = json_result(ran)
    checks = {check["name"]: check for check in data["checks"]}
    assert data["ok"]
    assert bpy.app.version_string in checks["Blender"]["found"]
    assert WORKER in checks["worker"]["found"]
    assert str(own_home / "cache") in checks["cache"]["found"]
    assert {"memory", "device cpu", "library torch", "library scipy"} <= set(checks)
    missing = [check for check in data["checks"] if not check["ok"]]
    assert missing
    for check in missing:  # the models: the geometric features serve without
        assert check["name"].startswith("model ")
        assert check["fix"] in {f"meshkin models get {name}" for name in ("embedded", "diff3f", "marigold")}


def test_a_python_without_bpy_needs_a_blender(meshes: Path, tmp_path: Path) -> None:
    nowhere = {"MESHKIN_BLENDER": str(tmp_path / "nowhere" / "blender")}
    command = ("match", meshes / "one.off", meshes / "two.blend:body", *GEOMETRIC, "--output", tmp_path / "map.npz")
    error = check_error(run(*command, "--json", python=WORKER, **nowhere), 5, "blender-missing")
    assert nowhere["MESHKIN_BLENDER"] in error["message"]
    assert "MESHKIN_BLENDER" in error["fix"]
    ran = run("doctor", python=WORKER, **nowhere)
    assert ran.returncode == 1
    lines = ran.stdout.splitlines()
    assert lines[0] == f"MISSING Blender: MESHKIN_BLENDER is {nowhere['MESHKIN_BLENDER']}, which is not a program"
    assert "pip install bpy" in lines[1]
    assert any(line.startswith("ok      worker: ") for line in lines)


def test_a_blender_that_ends_too_early_is_reported(meshes: Path, tmp_path: Path) -> None:
    command = ("match", meshes / "one.off", meshes / "one.off", *GEOMETRIC, "--output", tmp_path / "map.npz", "--json")
    ran = run(*command, python=WORKER, MESHKIN_BLENDER="true")  # a program that does nothing
    assert "exit code 0" in check_error(ran, 5, "blender-failed")["message"]


def test_models_and_cache(tmp_path: Path) -> None:
    folders = {"MESHKIN_CACHE": str(tmp_path / "cache")}
    models = json_result(run("models", "list", "--json", python=WORKER, **folders))["models"]
    assert models
    text = run("models", "list", python=WORKER, **folders).stdout
    for model in models:
        assert model["present"] is False
        assert f"{model['name']}: {model['license']}, not fetched" in text.splitlines()
    (tmp_path / "cache" / "maps").mkdir(parents=True)
    (tmp_path / "cache" / "maps" / "old.npz").write_bytes(bytes(1000))
    info = json_result(run("cache", "info", "--json", python=WORKER, **folders))
    assert (info["folder"], info["files"], info["bytes"]) == (folders["MESHKIN_CACHE"], 1, 1000)
    cleared = run("cache", "clear", python=WORKER, **folders)
    assert (cleared.returncode, folders["MESHKIN_CACHE"] in cleared.stdout) == (0, True)
    assert json_result(run("cache", "info", "--json", python=WORKER, **folders))["files"] == 0
    check_error(run("models", "get", "no such model", "--json", python=WORKER, **folders), 4, "model-missing")


def test_usage() -> None:
    assert run("--version", python=WORKER).stdout == f"meshkin {meshkin.__version__}\n"
    ran = run("match", "--json", python=WORKER)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "--output" in ran.stderr


def children(pid: int) -> set[int]:
    """The processes that a process has started."""
    listed = subprocess.run(["ps", "-A", "-o", "ppid=,pid="], capture_output=True, check=True, text=True).stdout
    pairs = [line.split() for line in listed.splitlines()]
    return {int(child) for parent, child in pairs if int(parent) == pid}


def test_ctrl_c_ends_the_job_and_its_worker(tmp_path: Path) -> None:
    mesh = write_mesh(tmp_path / "big.off", *blob(subdivisions=6))
    other = write_mesh(tmp_path / "other.off", *blob(1.2, subdivisions=6))
    command = [sys.executable, "-m", "meshkin", "match", mesh, other, *GEOMETRIC, "--json", "--output"]
    process = subprocess.Popen(
        [*map(str, command), str(tmp_path / "map.npz")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stderr is not None
    while not (line := process.stderr.readline()).startswith("Measuring the surface"):
        assert line, "it ended before it was interrupted"
    workers = children(process.pid)
    assert len(workers) == 1
    process.send_signal(signal.SIGINT)
    output, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(output)["error"]["code"] == "cancelled"
    assert "Traceback" not in said
    assert not (tmp_path / "map.npz").exists()
    wait_for(lambda: all(map(has_ended, workers)), "the worker outlived its job")


def test_a_terminal_gets_a_bar(own_home: Path) -> None:
    ours, theirs = os.openpty()
    command = [WORKER, "-m", "meshkin", "cache", "info"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, encoding="utf-8") as process:
        os.close(theirs)
        shown = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # the other end was closed
                break
        output = process.communicate()[0]
    os.close(ours)
    assert process.returncode == 0
    assert b"\r\033[KStarting the worker [......" in shown
    assert shown.endswith(b"\r\033[K")
    assert output.startswith(str(own_home / "cache"))
