"""A batch as a job template of the Open Job Description (specification 2023-09), as AWS Deadline Cloud takes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..base.storage import write_file
from .plan import Plan

SPECIFICATION = "jobtemplate-2023-09"
"""Of the Open Job Description."""
MOST_TASKS = 1024
"""Values that a task parameter may have (the specification)."""
MOST_NAME = 64
"""Characters of a name (the specification)."""


def write(plan: Plan, file: Path, chunk: int) -> None:
    """Write the template, JSON, of which each task runs up to ``chunk`` items; raises StorageError."""
    text = json.dumps(template(plan, chunk, file.parent), indent=2, ensure_ascii=False) + "\n"
    write_file(file, lambda path: path.write_text(text, encoding="utf-8"))


def template(plan: Plan, chunk: int, place: Path) -> dict[str, Any]:
    """The template, which will lie in the folder ``place``.

    It has a step for each stage, one more for its items that need the graphics card, and the report at the end.
    """
    steps: list[dict[str, Any]] = []
    before: list[str] = []
    first = 1
    for number, stage in enumerate(plan.groups(), 1):
        names = []
        for count, gpu in stage:
            name = f"Stage {number}{' GPU' if gpu else ''}"
            steps.append(_step(name, _items(first, count, chunk), before, gpu))
            names.append(name)
            first += count
        before = names
    steps.append(_with_dependencies({"name": "Report", "script": _script("report", "{{Param.Output}}")}, before))
    return {
        "specificationVersion": SPECIFICATION,
        "name": f"MeshKin {plan.manifest.stem}"[:MOST_NAME],
        "parameterDefinitions": [
            _path(
                "Inputs",
                "The manifest's folder; its paths are relative to that",
                "IN",
                plan.manifest.parent,
                place,
            ),
            {"name": "Manifest", "type": "STRING", "default": plan.manifest.name},
            _path("Output", "What gets results, records and the report", "INOUT", plan.folder, place),
            {"name": "MeshKin", "type": "STRING", "default": "meshkin", "description": "The command"},
        ],
        "steps": steps,
    }


def _path(name: str, description: str, flow: str, path: Path, place: Path) -> dict[str, Any]:
    """A parameter that is a folder; its default is one inside that of the template, as the specification wants it."""
    parameter = {"name": name, "type": "PATH", "objectType": "DIRECTORY", "dataFlow": flow, "description": description}
    resolved, root = path.resolve(), place.resolve()
    return (
        {**parameter, "default": resolved.relative_to(root).as_posix()} if resolved.is_relative_to(root) else parameter
    )


def _items(first: int, count: int, chunk: int) -> list[str]:
    """What ``--only`` gets in each task."""
    size = max(chunk, -(-count // MOST_TASKS))
    return [f"{start}-{min(start + size, first + count) - 1}" for start in range(first, first + count, size)]


def _step(name: str, items: list[str], before: list[str], gpu: bool) -> dict[str, Any]:
    step: dict[str, Any] = {
        "name": name,
        "parameterSpace": {"taskParameterDefinitions": [{"name": "Items", "type": "STRING", "range": items}]},
        "script": _script(
            "{{Param.Inputs}}/{{Param.Manifest}}", "--only", "{{Task.Param.Items}}", "--output", "{{Param.Output}}"
        ),
    }
    if gpu:
        step["hostRequirements"] = {"amounts": [{"name": "amount.worker.gpu", "min": 1}]}
    return _with_dependencies(step, before)


def _with_dependencies(step: dict[str, Any], before: list[str]) -> dict[str, Any]:
    return {**step, "dependencies": [{"dependsOn": name} for name in before]} if before else step


def _script(*arguments: str) -> dict[str, Any]:
    return {"actions": {"onRun": {"command": "{{Param.MeshKin}}", "args": ["batch", *arguments]}}}
