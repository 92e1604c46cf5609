"""Batches on this machine: every item once, whatever fails or is killed meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.processes import has_ended, wait_for
from helpers.shell import blob, json_result, run, write_mesh
from meshkin.data.surface_map import Match

pytestmark = pytest.mark.usefixtures("own_home")


def shapes(folder: Path, sources: int, targets: int) -> Path:
    """Meshes that differ from each other, and the manifest that matches each source to each target."""
    folder.mkdir(exist_ok=True)
    for number in range(sources):
        write_mesh(folder / f"s{number}.obj", *blob(1 + number / 20, 2))
    for number in range(targets):
        write_mesh(folder / f"t{number}.obj", *blob(1.5 + number / 20, 2))
    manifest = folder / "jobs.json"
    matrix = {"sources": ["s*.obj"], "targets": ["t*.obj"], "features": "--features geometric"}
    manifest.write_text(json.dumps({"matrix": matrix}), encoding="utf-8")
    return manifest


def all_records(folder: Path) -> dict[str, dict[str, Any]]:
    """The record of each item, each of which can be read."""
    files = [path for path in folder.glob("[!.]*.json") if path.stem not in ("batch", "report")]
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}


def children(pid: int) -> list[int]:
    """The processes that a process has started, on Linux."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(number) for number in listed.read_text(encoding="ascii").split()] if listed.exists() else []


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a batch with a file that is damaged, after its first run, and what that printed."""
    folder = tmp_path_factory.mktemp("batch")
    manifest = shapes(folder / "in", 1, 2)
    (folder / "in" / "t1.obj").write_text("v 0 0 nan\n", encoding="utf-8")
    ran = run("batch", manifest, "--output", folder / "out", "--jobs", "2", "--json")
    assert ran.returncode == 1
    return folder, json_result(ran)


def test_a_failed_item_stops_those_alone_that_need_it(ended: tuple[Path, dict[str, Any]]) -> None:
    folder, data = ended
    assert (data["done"], data["failed"], data["blocked"]) == (3, 1, 1)
    found = all_records(folder / "out")
    assert found["features-t1"]["exit_code"] == 3
    assert found["features-t1"]["answer"]["error"]["code"] == "mesh-nan"
    assert found["match-s0-t1"]["exit_code"] is None
    assert "features-t1" in found["match-s0-t1"]["answer"]["error"]["message"]
    good = found["match-s0-t0"]
    assert good["exit_code"] == 0
    assert good["seconds"] > 0
    assert good["answer"]["confidence"] > 0.5
    assert "t0" in (folder / "out" / "match-s0-t0.log").read_text(encoding="utf-8")


def test_features_are_computed_once_for_each_shape(ended: tuple[Path, dict[str, Any]], own_home: Path) -> None:
    assert len(list((own_home / "cache" / "features").iterdir())) == 2


def test_results_are_those_of_single_commands(ended: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, _ = ended
    command = ("match", folder / "in" / "s0.obj", folder / "in" / "t0.obj", "--features", "geometric")
    assert run(*command, "--output", tmp_path / "map.npz").returncode == 0
    alone, of_batch = Match.load(tmp_path / "map.npz"), Match.load(folder / "out" / "match-s0-t0.npz")
    assert np.array_equal(alone.to_source.face, of_batch.to_source.face)
    assert np.array_equal(alone.to_source.barycentric, of_batch.to_source.barycentric)


def test_resuming_does_what_is_left(ended: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = ended
    out = folder / "out"
    before = all_records(out)
    again = run("batch", folder / "in" / "jobs.json", "--output", out, "--json")
    assert again.returncode == 3
    assert json_result(again)["error"]["code"] == "batch-exists"
    shutil.copyfile(folder / "in" / "t0.obj", folder / "in" / "t1.obj")
    resumed = run("batch", folder / "in" / "jobs.json", "--output", out, "--resume", "--json")
    assert resumed.returncode == 0, resumed.stderr
    after = all_records(out)
    assert {record["exit_code"] for record in after.values()} == {0}
    assert {name for name in after if after[name] != before[name]} == {"features-t1", "match-s0-t1"}


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_runner_that_is_killed_costs_its_item_alone(tmp_path: Path) -> None:
    manifest = shapes(tmp_path, 1, 1)
    command = [sys.executable, "-m", "meshkin", "batch", str(manifest), "--output", str(tmp_path / "out")]
    with subprocess.Popen([*command, "--jobs", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for((tmp_path / "out" / "features-s0.log").exists, "the first item")
        (runner,) = children(process.pid)
        os.kill(runner, signal.SIGKILL)
        process.communicate(timeout=200)
    assert process.returncode == 1
    found = all_records(tmp_path / "out")
    assert found["features-s0"]["exit_code"] == -signal.SIGKILL
    assert found["features-s0"]["answer"]["error"]["code"] == "blender-crashed"
    assert found["features-t0"]["exit_code"] == 0
    assert found["match-s0-t0"]["exit_code"] is None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_interrupted_like_a_command(tmp_path: Path) -> None:
    """Ctrl-C leaves what is done, and nothing that runs or is half written."""
    manifest, out = shapes(tmp_path, 1, 3), tmp_path / "out"
    command = [sys.executable, "-m", "meshkin", "batch", str(manifest), "--output", str(out), "--jobs", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for(lambda: len(all_records(out)) >= 2, "the first two items")
        runners = children(process.pid)
        workers = [worker for runner in runners for worker in children(runner)]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    for pid in (*runners, *workers):
        wait_for(partial(has_ended, pid), "a process of the batch")
    kept = all_records(out)
    assert {record["exit_code"] for record in kept.values()} == {0}
    assert not list(out.glob(".*"))
    resumed = run("batch", manifest, "--output", out, "--resume", "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert {name: record for name, record in all_records(out).items() if name in kept} == kept


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_sixty_items_killed_twice(tmp_path: Path) -> None:
    manifest = shapes(tmp_path, 6, 10)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "meshkin", "batch", str(manifest), "--output", str(out), "--jobs", "2"]
    kept: dict[str, dict[str, Any]] = {}
    for killed_after in (9, 40):
        process = subprocess.Popen([*command, "--resume"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(list(out.glob("[!.]*.json"))) < killed_after:
            assert process.poll() is None
            time.sleep(0.05)
        runners = children(process.pid)
        workers = [worker for runner in runners for worker in children(runner)]
        process.kill()
        process.wait()
        for pid in (*runners, *workers):
            wait_for(partial(has_ended, pid), "a process of the batch")
        found = all_records(out)
        assert {name: found[name] for name in kept} == kept
        kept = found
    resumed = run("batch", manifest, "--output", out, "--resume", "--json", "--jobs", "2")
    assert resumed.returncode == 0, resumed.stderr
    found = all_records(out)
    assert {name: found[name] for name in kept} == kept  # nothing was done twice
    assert len(found) == 6 + 10 + 60
    assert {record["exit_code"] for record in found.values()} == {0}
    matched = [Match.load(out / f"match-s{source}-t{target}.npz") for source in range(6) for target in range(10)]
    assert len(matched) == 60
    suffixes = {path.suffix for path in out.iterdir()}
    assert suffixes == {".json", ".log", ".npz", ".safetensors"}
    assert not list(out.glob(".*"))  # nothing half written
    assert len(list(out.iterdir())) == 3 * 76 + 1
