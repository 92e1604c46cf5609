"""The main job and all that can go wrong: each error is told, and leaves the scene as it was."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

import meshkin
from helpers.creatures import creature, renumber
from helpers.empty_file import open_empty_file
from helpers.main_job import GEOMETRIC, MATCHED, paint, refused, state
from helpers.places import TESTS
from helpers.processes import wait_for
from meshkin import workflow
from meshkin.base.errors import InputError, MeshKinError, StorageError, WorkerError
from meshkin.base.progress import finish
from meshkin.data.surface_map import Match
from meshkin.worker import client
from meshkin.worker.requests.weights import WeightArrays
from meshkin.worker.running import Worker


def mesh_object(name: str, vertices: Vertices, edges: Corners, faces: Corners) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, edges, faces)
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


Vertices = list[tuple[float, float, float]]
Corners = list[tuple[int, ...]]
NAN = float("nan")


@pytest.mark.parametrize(
    ("vertices", "edges", "faces", "code"),
    [
        ([], [], [], "mesh-empty"),
        ([(0, 0, 0), (1, 0, 0)], [(0, 1)], [], "mesh-empty"),
        ([(0, 0, 0), (1, 0, 0), (2, 0, 0)], [], [(0, 1, 2)], "mesh-no-area"),
        ([(0, 0, 0), (1, 0, 0), (0, 1, 0), (NAN, NAN, NAN)], [], [(0, 1, 2), (0, 2, 3)], "mesh-nan"),
    ],
    ids=["empty", "loose", "flat", "nan"],
)
def test_broken_meshes_are_refused(vertices: Vertices, edges: Corners, faces: Corners, code: str) -> None:
    good, bad = creature("good", subdivisions=2), mesh_object("bad", vertices, edges, faces)
    refused(workflow.features([bad], GEOMETRIC), InputError, code)
    refused(workflow.match(good, bad, GEOMETRIC), InputError, code)
    refused(workflow.match(bad, good, GEOMETRIC), InputError, code)


@pytest.mark.slow
def test_one_triangle_and_thousands_of_loose_parts_work() -> None:
    triangle = bpy.data.objects.new("triangle", bpy.data.meshes.new("triangle"))
    triangle.data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    corners = np.random.default_rng(1).normal(size=(10_000, 1, 3)) + 0.01 * np.eye(3)
    crumbs = bpy.data.objects.new("crumbs", bpy.data.meshes.new("crumbs"))
    crumbs.data.from_pydata(corners.reshape(-1, 3).tolist(), [], np.arange(30_000).reshape(-1, 3).tolist())
    for obj in (triangle, crumbs):
        bpy.context.scene.collection.objects.link(obj)
    report = finish(workflow.match(triangle, crumbs, GEOMETRIC))
    found = Match.load(Path(report.data["map"]))
    assert np.isfinite(found.to_source.barycentric).all()


def test_wishes_that_cannot_be_granted() -> None:
    source, target = creature("source", subdivisions=2), creature("target", subdivisions=2)
    refused(workflow.match(source, source, GEOMETRIC), InputError, "same-object")
    refused(workflow.features([], GEOMETRIC), InputError, "nothing-selected")
    refused(workflow.transfer(source, target, ["soul"], GEOMETRIC), InputError, "transfer-unknown")
    refused(workflow.transfer(source, target, [], GEOMETRIC), InputError, "transfer-unknown")
    refused(workflow.transfer(source, target, ["texture"], GEOMETRIC), InputError, "no-texture")
    refused(workflow.transfer(source, target, ["weights"], GEOMETRIC), InputError, "no-groups")
    refused(workflow.transfer(source, target, ["attributes"], GEOMETRIC), InputError, "no-attributes")
    refused(
        workflow.features([source], workflow.Options(workflow.FeatureOptions("magic"))), InputError, "features-unknown"
    )
    paint(source)
    source.data.uv_layers.remove(source.data.uv_layers[0])
    refused(workflow.transfer(source, target, ["texture"], GEOMETRIC), InputError, "no-uvs")


def test_a_target_changed_while_the_job_runs_is_left_alone() -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.23, subdivisions=3)
    renumber(target)
    paint(source)

    def job() -> workflow.Steps:
        for progress in workflow.transfer(source, target, ["weights"], MATCHED):
            if progress.stage == "Comparing features":
                target.data.vertices[0].co.x = 3
            yield progress
        raise AssertionError("it should not come to its end")

    refused(job(), InputError, "mesh-changed")


@pytest.mark.parametrize("options", [GEOMETRIC, MATCHED], ids=["worn", "matched"])
def test_a_target_deleted_while_the_job_runs(options: workflow.Options) -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.2, subdivisions=3)
    paint(source)
    running = workflow.transfer(source, target, ["weights"], options)
    next(running)
    bpy.data.objects.remove(target)
    with pytest.raises(InputError) as caught:
        finish(running)
    assert caught.value.code == "object-gone"


def stages_of(make: Callable[[], workflow.Steps]) -> list[str]:
    """Every stage that a job reports, in order."""
    stages: list[str] = []
    finish(make(), lambda progress: stages.append(progress.stage))
    return list(dict.fromkeys(stages))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the worker that dies is started by a shell script")
def test_a_worker_killed_in_any_stage_is_reported_and_replaced(home: Path, small_model: str) -> None:
    options = workflow.Options(
        workflow.FeatureOptions("dinov2+geometric", model=small_model, layers=(2,), views=3, resolution=112),
        weights=workflow.WeightOptions(nearness="never"),
    )
    cache = home / "killed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHKIN_CACHE", str(cache))
        client.stop()
        source, target = creature("source", subdivisions=3), creature("target", 1.2, subdivisions=3)
        renumber(target)
        paint(source)
        before = state()
        stages = stages_of(lambda: workflow.transfer(source, target, ["weights"], options))
        done = state()
        assert {RENDERED, *KILLED_IN} <= set(stages)
        for stage in KILLED_IN:
            source, target = begun_anew(cache)
            with dying_in(stage, home):
                assert outcome_of(workflow.transfer(source, target, ["weights"], options)) == ("worker-died", before)
        source, target = begun_anew(cache)
        killed = killed_in(RENDERED, workflow.transfer(source, target, ["weights"], options))
        assert outcome_of(killed) == ("", done)  # it has nothing to do meanwhile: the next job starts another
        client.stop()
        finish(workflow.transfer(source, target, ["weights"], options))
    client.stop()


RENDERED = "Rendering views"
KILLED_IN = ("Reading pictures (DINOv2)", "Measuring the surface", "Comparing features", "Carrying weights")
"""Stages of the worker."""


def begun_anew(cache: Path) -> tuple[bpy.types.Object, bpy.types.Object]:
    """The two creatures in an empty scene, the cache empty too, and no worker."""
    client.stop()
    open_empty_file()
    source, target = creature("source", subdivisions=3), creature("target", 1.2, subdivisions=3)
    renumber(target)
    paint(source)
    for file in cache.rglob("*.*"):
        file.unlink()
    return source, target


@contextlib.contextmanager
def dying_in(stage: str, folder: Path) -> Iterator[None]:
    """Meanwhile a worker that is started ends itself when its job comes to the stage."""
    python = folder / "dying-python"
    program, package = TESTS / "helpers" / "dying_worker.py", Path(meshkin.__file__).parent
    command = (os.environ["MESHKIN_WORKER_PYTHON"], "-I", "-u", "-X", "utf8", str(program), str(package))
    python.write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n", encoding="utf-8")
    python.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHKIN_WORKER_PYTHON", str(python))
        patch.setenv("MESHKIN_TEST_DIES_IN", stage)
        yield
        client.stop()


def killed_in(stage: str, job: workflow.Steps) -> workflow.Steps:
    """The job; the worker is killed when the stage is reached."""
    killed = False
    while True:
        try:
            progress = next(job)
        except StopIteration as end:
            report: workflow.Report = end.value
            return report
        if progress.stage == stage and not killed:
            killed = True
            kill(client.shared())
        yield progress


def kill(worker: Worker) -> None:
    os.kill(worker.pid, signal.SIGKILL)
    wait_for(lambda: not worker.alive, "its death is not noticed")


def outcome_of(job: workflow.Steps) -> tuple[str, dict[str, Any]]:
    """The code of the error that a job ends with, "" for none, and the state then."""
    try:
        finish(job)
    except WorkerError as error:
        return error.code, state()
    return "", state()


def test_inpainting_that_could_not_be_solved_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.2, subdivisions=3)
    paint(source)
    solved = finish(workflow.transfer(source, target, ["weights"], MATCHED))
    assert not any("could not be solved" in line for line in solved.lines())
    load = WeightArrays.load

    def partly_unsolved(path: Path, **lengths: int) -> WeightArrays:
        arrays = load(path, **lengths)
        return replace(arrays, unsolved=np.arange(len(arrays.weights)) < 65)

    monkeypatch.setattr(WeightArrays, "load", partly_unsolved)
    approximated = finish(workflow.transfer(source, target, ["weights"], MATCHED))
    (warning,) = [each for each in approximated.warnings if each.code == "inpainting-unsolved"]
    assert warning.message.startswith("“target”: inpainting could not be solved for 40.1% of the vertices")


def test_cancelled_in_any_step_nothing_is_changed() -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.21, subdivisions=3)
    paint(source)
    before = state()
    for steps in (1, 2, 4, 8, 16, 64):
        job = workflow.transfer(source, target, ["weights", "texture"], GEOMETRIC)
        for _ in range(steps):
            next(job)
        job.close()
        assert state() == before
    finish(workflow.transfer(source, target, ["weights", "texture"], GEOMETRIC))


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "features").write_text("in the way")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHKIN_CACHE", str(tmp_path))
        client.stop()
        obj = creature("one", subdivisions=2)
        before = state()
        with pytest.raises(StorageError) as caught:
            finish(workflow.features([obj], GEOMETRIC))
        assert str(tmp_path / "features") in caught.value.message
        assert state() == before
    client.stop()


def test_truncated_weights_are_noticed_before_a_view_is_rendered(small_model: str, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(small_model, damaged)
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    options = workflow.Options(
        workflow.FeatureOptions("dinov2", model=str(damaged), layers=(2,), views=2, resolution=112)
    )
    obj = creature("one", subdivisions=2)
    stages: list[str] = []
    with pytest.raises(MeshKinError) as caught:
        finish(workflow.features([obj], options), lambda progress: stages.append(progress.stage))
    assert caught.value.code == "model-damaged"
    assert "Rendering views" not in stages
