"""Jobs that are stopped, workers that are killed and results that are spoilt in any step: nothing is half written."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from helpers.creatures import creature
from helpers.empty_file import open_empty_file
from helpers.main_job import GEOMETRIC, MATCHED, paint, state
from helpers.outcomes import Outcomes, few
from helpers.places import Place
from helpers.processes import wait_for
from meshkin import workflow
from meshkin.base.errors import MeshKinError
from meshkin.base.progress import finish
from meshkin.worker import client
from meshkin.worker.requests.base import Request
from meshkin.worker.running import Worker

Job = Callable[[bpy.types.Object, bpy.types.Object], workflow.Steps]
JOBS: dict[str, Job] = {
    "features": lambda source, target: workflow.features([source], GEOMETRIC),
    "match": lambda source, target: workflow.match(source, target, GEOMETRIC),
    "weights": lambda source, target: workflow.transfer(source, target, ["weights"], MATCHED),
    "texture": lambda source, target: workflow.transfer(source, target, ["texture"], GEOMETRIC),
    "attributes": lambda source, target: workflow.transfer(source, target, ["attributes"], GEOMETRIC),
    "pose": lambda source, target: workflow.pose(source, target, GEOMETRIC),
}


def begun() -> tuple[bpy.types.Object, bpy.types.Object]:
    """A source with everything that can be transferred, and a target, in an empty file."""
    open_empty_file()
    source, target = creature("source", subdivisions=2), creature("target", 1.2, subdivisions=2)
    paint(source)
    return source, target


def stages_of(job: Job) -> list[str]:
    """Every stage that a job reports."""
    stages: list[str] = []
    finish(job(*begun()), lambda progress: stages.append(progress.stage))
    return list(dict.fromkeys(stages))


def stopped_in(stage: str, job: Job, act: Callable[[workflow.Steps], object]) -> str:
    """Act when a job comes to a stage, then run it to its end; the code of its error, "" for none."""
    steps = job(*begun())
    before = state()
    acted = False
    ended: MeshKinError | None = None
    try:
        while True:
            progress = next(steps)
            if progress.stage == stage and not acted:
                acted = True
                act(steps)
    except StopIteration:
        pass
    except MeshKinError as error:
        ended = error
    if ended is None:
        return ""
    assert ended.message
    assert ended.fix
    assert state() == before
    return ended.code


def close(steps: workflow.Steps) -> None:
    before = state()
    steps.close()
    assert state() == before


def kill(steps: workflow.Steps) -> None:
    worker = client.shared()
    os.kill(worker.pid, signal.SIGKILL)
    wait_for(lambda: not worker.alive, "its death is not noticed")


@pytest.mark.parametrize("name", few(list(JOBS), 2))
def test_stopped_and_killed_in_every_stage(place: Place, outcomes: Outcomes, name: str) -> None:
    for stage in stages_of(JOBS[name]):
        for how, act in (("stopped", close), ("worker killed", kill)):
            code = stopped_in(stage, JOBS[name], act)
            assert code in ("", "worker-died"), (stage, how, code)
            outcomes.tell("a job interrupted", f"{name}, {stage}: {how}", code)
    assert finish(JOBS[name](*begun())).title


SPOILS: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda content: None,
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "zeros": lambda content: bytes(len(content)),
    "text": lambda content: b"no arrays\n",
}


def spoilt(file: Path, spoil: Callable[[bytes], bytes | None]) -> None:
    content = spoil(file.read_bytes())
    file.unlink()
    if content is not None:
        file.write_bytes(content)


def files_in(result: object) -> list[Path]:
    """The files that a result of the worker names."""
    found: list[Path] = []
    for field in dataclasses.fields(result):  # type: ignore[arg-type]
        value: Any = getattr(result, field.name)
        values = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else [value]
        found += [each for each in values if isinstance(each, Path) and each.is_file()]
    return found


@pytest.mark.parametrize("name", few(list(JOBS), 2))
def test_results_that_are_spoilt(place: Place, outcomes: Outcomes, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file that the worker hands over, before Blender reads it."""
    run = Worker.run
    handed: list[str] = []
    spoil: tuple[int, Callable[[bytes], bytes | None]] | None = None

    def spoiling(worker: Worker, request: Request[Any]) -> Any:
        result = yield from run(worker, request)
        for file in files_in(result):
            if file.is_relative_to(place.temporary):
                handed.append(f"{request.job} {file.suffix}")
                if spoil is not None and spoil[0] == len(handed) - 1:
                    spoilt(file, spoil[1])
        return result

    monkeypatch.setattr(Worker, "run", spoiling)
    finish(JOBS[name](*begun()))
    for number, what in list(enumerate(handed)):
        for how, change in SPOILS.items():
            handed.clear()
            spoil = number, change
            steps = JOBS[name](*begun())
            before = state()
            with pytest.raises(MeshKinError) as raised:
                finish(steps)
            assert raised.value.code in ("file-damaged", "image-missing", "file-failed"), (what, how, raised.value)
            assert state() == before
            outcomes.tell("a result spoilt", f"{name}: {number} {what}, {how}", raised.value.code)
    spoil = None
    assert finish(JOBS[name](*begun())).title


def test_results_of_another_shape(place: Place, outcomes: Outcomes) -> None:
    from meshkin.worker.requests.weights import WeightArrays

    wrong = {
        "rows missing": WeightArrays(np.ones((5, 2)), np.zeros(6, bool), np.zeros(6, bool)),
        "a column": WeightArrays(np.ones(6), np.zeros(6, bool), np.zeros(6, bool)),
        "not numbers": WeightArrays(np.full((6, 2), np.nan), np.zeros(6, bool), np.zeros(6, bool)),
        "infinite": WeightArrays(np.full((6, 2), np.inf), np.zeros(6, bool), np.zeros(6, bool)),
    }
    for how, arrays in wrong.items():
        path = arrays.save(place.work / "weights.npz")
        with pytest.raises(MeshKinError) as raised:
            WeightArrays.load(path)
        assert raised.value.code == "file-damaged"
        outcomes.tell("a result spoilt", f"weights: {how}", raised.value.code)
