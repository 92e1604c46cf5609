"""Batches on a Ray cluster of two nodes: the same results, also when a node is lost on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def on_cluster(manifest: Path, out: Path, killed_after: int, blender: Path) -> dict[str, Any]:
    """What a batch on two nodes prints."""
    command = [WORKER, two_nodes.__file__, str(killed_after), "batch", str(manifest), "--output", str(out), "--json"]
    variables = {"MESHKIN_BLENDER": str(blender), "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    environment = {**os.environ, **variables}
    ran = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=900, check=False)
    assert ran.returncode == 0, ran.stderr[-4000:]
    data: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return data


def test_a_batch_on_two_nodes_one_of_which_is_killed(tmp_path: Path) -> None:
    for number in range(2):
        write_mesh(tmp_path / f"s{number}.obj", *blob(1 + number / 20, 2))
    for number in range(4):
        write_mesh(tmp_path / f"t{number}.obj", *blob(1.5 + number / 20, 2 + number % 2))
    matrix = {"sources": ["s*.obj"], "targets": ["t*.obj"], "features": "--features geometric"}
    manifest = tmp_path / "jobs.json"
    manifest.write_text(json.dumps({"matrix": matrix}), encoding="utf-8")
    blender = tmp_path / "blender"
    blender.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -c "$4"\n', encoding="utf-8")
    blender.chmod(0o755)
    told = on_cluster(manifest, tmp_path / "ray", 8, blender)
    assert (told["done"], told["failed"], told["blocked"]) == (6 + 8, 0, 0)
    local = run("batch", manifest, "--output", tmp_path / "local", "--jobs", "2", "--json")
    assert json_result(local)["items"] == told["items"]
    for path in (tmp_path / "local").glob("match-*.npz"):
        here, there = Match.load(path).to_source, Match.load(tmp_path / "ray" / path.name).to_source
        assert np.array_equal(here.face, there.face)
        assert np.array_equal(here.barycentric, there.barycentric)
    assert not list((tmp_path / "ray").glob(".*"))
