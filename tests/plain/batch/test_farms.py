"""Render farms: Flamenco's job type and Manager, and the job template for Deadline Cloud."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import quickjs
from openjd.model import create_job, decode_job_template, preprocess_job_parameters

from helpers.flamenco_farm import compiled, farm, job_type
from meshkin import cli
from meshkin.batch import flamenco, manifest, plan, records

SETTINGS = {"manifest": "/shared/jobs.toml", "output": "/shared/out", "stages": "16g+2,7", "chunk_size": 5}
SUFFIXES = {"match": ".npz", "features": ".safetensors"}


def test_the_job_type_declares_what_flamenco_can_show() -> None:
    told = job_type()
    assert told["label"] == "MeshKin Batch"
    assert {each["key"] for each in told["settings"] if each.get("required")} == {"manifest", "output", "stages"}
    assert told["name"] == flamenco.JOB_TYPE


def test_tasks_cover_every_item_once_in_stages() -> None:
    tasks = {task["name"]: task for task in compiled({**SETTINGS, "gpu_task_type": "gpu"})}
    first = ["items-1-5", "items-6-10", "items-11-15", "items-16-16", "items-17-18"]
    second = ["items-19-23", "items-24-25"]
    assert list(tasks) == [*first, "stage-1-done", *second, "stage-2-done", "report"]
    assert [tasks[name]["type"] for name in first] == ["gpu"] * 4 + ["misc"]
    assert all(tasks[name]["dependencies"] == [] for name in first)
    assert tasks["stage-1-done"]["dependencies"] == first
    assert [tasks[name]["dependencies"] for name in second] == [["stage-1-done"]] * 2
    assert tasks["report"]["dependencies"] == ["stage-2-done"]
    assert tasks["items-6-10"]["commands"] == [
        {
            "name": "exec",
            "parameters": {
                "exe": "{meshkin}",
                "args": ["batch", "/shared/jobs.toml", "--only", "6-10", "--output", "/shared/out"],
            },
        }
    ]
    for task in tasks.values():
        for command in task["commands"]:
            if command["name"] == "exec":
                cli.parser().parse_args(command["parameters"]["args"])


def test_many_items_do_not_depend_on_each_other_one_by_one() -> None:
    tasks = compiled({**SETTINGS, "stages": "1000,10000", "chunk_size": 1, "report": False})
    assert len(tasks) == 11_002
    assert sum(len(task["dependencies"]) for task in tasks) == 1000 + 10_000 + 10_000


def test_what_is_not_submitted_has_its_default() -> None:
    """The Manager gives a job type what was submitted, no more: hidden settings come from no submit panel."""
    required = {"manifest": "/shared/jobs.toml", "output": "/shared/out", "stages": "21"}
    tasks = {task["name"]: task for task in compiled(required)}
    assert list(tasks) == ["items-1-10", "items-11-20", "items-21-21", "stage-1-done", "report"]
    commands = [command for task in tasks.values() for command in task["commands"] if command["name"] == "exec"]
    assert {command["parameters"]["exe"] for command in commands} == {"{meshkin}"}
    assert {task["type"] for task in tasks.values()} == {"misc"}


@pytest.mark.parametrize("stages", ["", "5,", "0", "five", "5g2"])
def test_stages_that_are_none_are_refused(stages: str) -> None:
    with pytest.raises(quickjs.JSException, match="dry-run"):
        compiled({**SETTINGS, "stages": stages})


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """A manifest of two sources and three targets, whose features need the graphics card."""
    for name in ("s0", "s1", "t0", "t1", "t2"):
        (tmp_path / f"{name}.obj").write_text(name)
    matrix = {"sources": ["s*.obj"], "targets": ["t*.obj"], "gpu": True}
    (tmp_path / "jobs.json").write_text(json.dumps({"matrix": matrix}))
    return tmp_path / "jobs.json"


class Workers:
    """Flamenco's workers, which do the items that a task names, but for their content."""

    def __init__(self, broken: str = "") -> None:
        self.done: list[str] = []
        self.reports = 0
        self.broken = broken

    def __call__(self, arguments: list[str]) -> bool:
        given = cli.parser().parse_args(arguments)
        if given.reported:
            self.reports += 1
            return True
        made = plan.make(manifest.read(given.manifest), given.manifest, given.batch_folder, SUFFIXES)
        first, _, last = given.only.partition("-")
        for task in made.tasks[int(first) - 1 : int(last)]:
            if task.id == self.broken:
                return False
            assert all(other in self.done for other in task.item.after)
            task.output.write_text("result")
            records.write(made.folder, records.ended(records.empty(task, task.key), 0, 0.0, {"ok": True}))
            self.done.append(task.id)
        return True


def submitted(jobs: Path, url: str, capfd: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the answer of a batch on the farm."""
    command = ["batch", str(jobs), "--output", str(jobs.parent / "out"), "--engine", "flamenco", "--json"]
    code = cli.main([*command, "--manager", url, *more])
    data: dict[str, Any] = json.loads(capfd.readouterr().out)
    return code, data


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flamenco, "POLL", 0.01)


def test_a_batch_on_a_farm(jobs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    workers = Workers()
    with farm(workers) as (url, state):
        code, data = submitted(jobs, url, capfd, "--chunk", "2", "--worker-tag", "GPU", "--gpu-task-type", "gpu")
        assert state.submitted["worker_tag"] == state.tags[0]["id"]
        assert state.submitted["type_etag"] == "1"
        assert {task["type"] for task in state.tasks if task["name"].startswith("items-1-")} == {"gpu"}
    assert code == 0
    assert data["status"] == "completed"
    assert data["done"] == len(workers.done) == len(set(workers.done)) == 5 + 6
    assert workers.reports == 1


@pytest.mark.parametrize("status", [0, 502, 503])
def test_a_farm_that_is_away_for_a_moment_is_waited_for(
    jobs: Path, capfd: pytest.CaptureFixture[str], status: int
) -> None:
    def work(arguments: list[str]) -> bool:
        state.failing, state.failure = 3, status
        return workers(arguments)

    workers = Workers()
    with farm(work) as (url, state):
        code, _ = submitted(jobs, url, capfd)
    assert code == 0


def test_a_job_that_fails(jobs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with farm(Workers(broken="match-s1-t0")) as (url, _):
        code, data = submitted(jobs, url, capfd, "--chunk", "1")
    assert code == 1
    assert data["status"] == "failed"
    assert data["items"]["match-s1-t0"] is None


@pytest.mark.parametrize(
    ("code", "version", "more"),
    [
        ("flamenco-old", "3.2", ()),
        ("flamenco-no-type", "3.7", ()),
        ("flamenco-no-tag", "3.7", ("--worker-tag", "none")),
        ("flamenco-refused", "3.7", ()),
        ("flamenco-silent", "", ()),
        ("flamenco-no-manager", "", ("--manager", "")),
    ],
)
def test_what_a_farm_lacks_is_said(
    jobs: Path, capfd: pytest.CaptureFixture[str], code: str, version: str, more: tuple[str, ...]
) -> None:
    with farm(Workers(), version) as (url, state):
        if code == "flamenco-no-type":
            state.types.clear()
        if code == "flamenco-refused":
            state.etag = "2"  # the job type was replaced while the Manager was asked
        _, data = submitted(jobs, url if version else "http://127.0.0.1:9", capfd, *more)
    assert data["error"]["code"] == code
    assert data["error"]["fix"]


def test_a_task_fails_only_for_what_may_go_better_elsewhere(
    jobs: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad mesh is bad everywhere; a machine without a worker is not."""
    for exit_code, expected in ((3, 0), (5, 1), (-9, 1)):
        command = ["batch", str(jobs), "--output", str(jobs.parent / str(exit_code)), "--only", "1-1", "--json"]
        monkeypatch.setattr("meshkin.cli.batches.drive", lambda steps, exit_code=exit_code: [ended(exit_code, jobs)])
        monkeypatch.setattr("meshkin.cli.nodes.runner_command", lambda: ["none"])
        assert cli.main(command) == expected
        assert json.loads(capfd.readouterr().out)["failed"] == 1


def ended(exit_code: int, jobs: Path) -> records.Record:
    (task, *_) = plan.make(manifest.read(jobs), jobs, jobs.parent / "out", SUFFIXES).tasks
    return records.ended(records.empty(task, task.key), exit_code, 0.0, {"ok": False})


def test_the_job_template_is_one_of_the_open_job_description(jobs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["batch", str(jobs), "--output", str(jobs.parent / "out"), "--chunk", "4", "--job-template"]
    file = jobs.parent / "template.json"
    assert cli.main([*command, str(file)]) == 0
    template = decode_job_template(template=json.loads(file.read_text(encoding="utf-8")))
    values = preprocess_job_parameters(
        job_template=template, job_parameter_values={}, job_template_dir=jobs.parent, current_working_dir=jobs.parent
    )
    job = create_job(job_template=template, job_parameter_values=values)
    assert [step.name for step in job.steps] == ["Stage 1 GPU", "Stage 2", "Report"]
    ranges = [list(step.parameterSpace.taskParameterDefinitions["Items"].range) for step in job.steps[:2]]
    assert ranges == [["1-4", "5-5"], ["6-9", "10-11"]]
    assert [each.dependsOn for each in job.steps[2].dependencies] == ["Stage 2"]
    requirements = job.steps[0].hostRequirements.amounts
    assert [(each.name, each.min) for each in requirements] == [("amount.worker.gpu", 1)]
    arguments = [str(each) for each in job.steps[0].script.actions.onRun.args]
    assert arguments[:3] == ["batch", "{{Param.Inputs}}/{{Param.Manifest}}", "--only"]


def test_a_template_elsewhere_asks_for_the_folders(jobs: Path) -> None:
    """The specification has no default that is an absolute path, or outside of the template's folder."""
    file = jobs.parent / "templates" / "template.json"
    command = ["batch", str(jobs), "--output", str(jobs.parent / "out"), "--job-template", str(file)]
    assert cli.main(command) == 0
    parameters = json.loads(file.read_text(encoding="utf-8"))["parameterDefinitions"]
    assert [each["name"] for each in parameters if "default" not in each] == ["Inputs", "Output"]
    decode_job_template(template=json.loads(file.read_text(encoding="utf-8")))
