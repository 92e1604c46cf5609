"""Batches on a Ray cluster of two nodes: each item once and the same results, whatever is killed on the way."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from helpers import two_nodes
from helpers.shell import WORKER, blob, json_result, run, write_mesh
from meshkin.data.surface_map import Match

pytestmark = [
    pytest.mark.usefixtures("own_home"),
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="a program that stands for Blender is a shell script"),
]


@contextlib.contextmanager
def cluster(blender: Path) -> Iterator[tuple[str, IO[str]]]:
    """The address of a cluster whose nodes use this program as Blender; a line written to it costs a node."""
    blender.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -c "$4"\n', encoding="utf-8")
    blender.chmod(0o755)
    os.environ.update({"MESHKIN_BLENDER": str(blender), "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"})
    with subprocess.Popen(
        [WORKER, two_nodes.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdin
        assert process.stdout
        lines = (line.strip() for line in process.stdout)
        address = next(line for line in lines if line.rpartition(":")[2].isdecimal())
        yield address, process.stdin
        process.stdin.close()


def test_a_batch_on_two_nodes(tmp_path: Path) -> None:
    for number in range(2):
        write_mesh(tmp_path / f"s{number}.obj", *blob(1 + number / 20, 2))
    for number in range(4):
        write_mesh(tmp_path / f"t{number}.obj", *blob(1.5 + number / 20, 2 + number % 2))
    matrix = {"sources": ["s*.obj"], "targets": ["t*.obj"], "features": "--features geometric"}
    manifest, out = tmp_path / "jobs.json", tmp_path / "ray"
    manifest.write_text(json.dumps({"matrix": matrix}), encoding="utf-8")

    def finished() -> dict[str, str]:
        records = {path.name: path.read_text(encoding="utf-8") for path in out.glob("*-*.json")}
        return {name: text for name, text in records.items() if '"exit_code": 0' in text}

    def wait(count: int) -> None:
        deadline = time.monotonic() + 300
        while len(finished()) < count:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    with cluster(tmp_path / "blender") as (address, nodes):
        command = ["batch", str(manifest), "--output", str(out), "--engine", "ray", "--address", address, "--resume"]
        first = subprocess.Popen([WORKER, "-m", "meshkin", *command], stderr=subprocess.DEVNULL)
        wait(4)
        first.kill()
        first.wait()
        kept = finished()
        second = subprocess.Popen(
            [WORKER, "-m", "meshkin", *command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait(len(kept) + 3)
        print(file=nodes, flush=True)
        printed, log = second.communicate(timeout=600)
        assert second.returncode == 0, log[-3000:]
    told = json.loads(printed.splitlines()[-1])
    assert (told["done"], told["failed"], told["blocked"]) == (6 + 8, 0, 0)
    assert {name: text for name, text in finished().items() if name in kept} == kept
    local = run("batch", manifest, "--output", tmp_path / "local", "--jobs", "2", "--json")
    assert json_result(local)["items"] == told["items"]
    for path in (tmp_path / "local").glob("match-*.npz"):
        here, there = Match.load(path).to_source, Match.load(out / path.name).to_source
        assert np.array_equal(here.face, there.face)
        assert np.array_equal(here.barycentric, there.barycentric)
    assert not list(out.glob(".*"))
