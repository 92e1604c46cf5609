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
from helpers.shell import WORKER, blob, run, write_mesh
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


def matrix(folder: Path, name: str, sources: str, targets: str) -> Path:
    """A manifest that matches each source to each target."""
    cast = {"sources": [sources], "targets": [targets], "features": "--features geometric"}
    (folder / name).write_text(json.dumps({"matrix": cast}), encoding="utf-8")
    return folder / name


def test_sixty_items_on_two_nodes(tmp_path: Path) -> None:
    """The batch is killed twice, and before, between and after a node is lost in the middle of its items."""
    for number in range(6):
        write_mesh(tmp_path / f"s{number}.obj", *blob(1 + number / 20, 2))
    for number in range(10):
        write_mesh(tmp_path / f"t{number}.obj", *blob(1.5 + number / 20, 2))
    manifest, out = matrix(tmp_path, "jobs.json", "s*.obj", "t*.obj"), tmp_path / "out"

    def finished() -> dict[str, str]:
        records = {path.name: path.read_text(encoding="utf-8") for path in out.glob("[!.]*-*.json")}
        return {name: text for name, text in records.items() if '"exit_code": 0' in text}

    def wait(process: subprocess.Popen[str], count: int) -> None:
        deadline = time.monotonic() + 600
        while len(finished()) < count:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    kept: dict[str, str] = {}
    with cluster(tmp_path / "blender") as (address, nodes):
        engine = ("--engine", "ray", "--address", address, "--resume", "--json")
        command = [WORKER, "-m", "meshkin", "batch", str(manifest), "--output", str(out), *engine]
        for lost_after, killed_after in ((6, 12), (24, 36), (48, 0)):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            wait(process, lost_after)
            print(file=nodes, flush=True)  # costs a node
            if killed_after:
                wait(process, killed_after)
                process.kill()
            printed, log = process.communicate(timeout=900)
            assert {name: text for name, text in finished().items() if name in kept} == kept  # nothing was done twice
            kept = finished()
    assert process.returncode == 0, log[-3000:]
    told = json.loads(printed.splitlines()[-1])
    assert (told["done"], told["failed"], told["blocked"]) == (6 + 10 + 60, 0, 0)
    assert len(kept) == 6 + 10 + 60
    assert len({match for match in out.glob("match-*.npz") if Match.load(match)}) == 60
    assert not list(out.glob(".*"))  # nothing half written
    assert len(list(out.iterdir())) == 3 * 76 + 1

    some = matrix(tmp_path, "some.json", "s[01].obj", "t[89].obj")
    variables = {"MESHKIN_CACHE": str(tmp_path / "cache")}  # of its own: nothing comes from the nodes
    assert run("batch", some, "--output", tmp_path / "local", "--jobs", "2", **variables).returncode == 0
    local = sorted((tmp_path / "local").glob("match-*.npz"))
    assert len(local) == 4
    for path in local:
        here, there = Match.load(path).to_source, Match.load(out / path.name).to_source
        assert np.array_equal(here.face, there.face)
        assert np.array_equal(here.barycentric, there.barycentric)
