"""The command batch: many commands from one manifest, and what came of them."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..base import processes
from ..base.errors import InputError
from ..base.storage import make_folder
from ..batch import local, manifest, records, running
from ..batch.plan import Plan, Task, make
from ..batch.records import Record
from . import batch_reports, blender
from .arguments import STRICT_EXIT_CODE, CommandResult, command
from .console import drive

ENGINES = ("local",)
"""Where the items of a batch can be run."""
_SHOWN_FAILURES = 20
"""How many failed items are listed by the command (chosen: a screen); the report has all."""


def add(commands: Any) -> None:
    """Add this module's commands to the parser, after all that items of a batch can be."""
    verbs = dict(commands.choices)
    parser = command(commands, "batch", _batch, "run many commands from one manifest, and continue where that stopped")
    parser.add_argument(
        "manifest", type=Path, metavar="MANIFEST", help="a JSON, TOML or CSV file: what is to be done; or “report”"
    )
    parser.add_argument(
        "reported", type=Path, nargs="?", metavar="FOLDER", help="after “report”: the batch whose report is written"
    )
    parser.add_argument("--output", type=Path, dest="batch_folder", metavar="FOLDER", help="gets results and records")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="where items are run; default: local")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="items at once; default: one for two processors; each needs memory"
    )
    parser.add_argument("--resume", action="store_true", help="leave out what is done already, with the same inputs")
    parser.add_argument("--dry-run", action="store_true", help="list what would be done, in order, and check it")
    parser.add_argument("--only", metavar="I-J", help="only the items with these numbers of --dry-run; resumes")
    parser.set_defaults(verbs=verbs)


def _batch(arguments: argparse.Namespace) -> CommandResult:
    jobs = arguments.jobs or max((os.cpu_count() or 1) // 2, 1)
    if jobs < 1:
        raise InputError("batch-jobs", "--jobs must be at least 1.", "Leave it out for the usual number.")
    if str(arguments.manifest) == "report" and arguments.reported:
        return batch_reports.write(arguments.reported, arguments.verbs, jobs, _runner_command())
    if arguments.reported or not arguments.batch_folder:
        raise InputError("batch-folder", "It is not said where results go.", "Write --output FOLDER.")
    plan = _planned(arguments)
    tasks = _chosen(plan, arguments.only)
    if arguments.dry_run:
        return _listed(plan, tasks)
    make_folder(plan.folder)
    if not (arguments.resume or arguments.only) and (plan.folder / "batch.json").exists():
        raise InputError(
            "batch-exists", f"{plan.folder} has a batch already.", "Add --resume, or choose another folder."
        )
    if not arguments.only:  # else other machines may be writing there
        records.remove_leftovers(plan)
    records.save_plan(plan)
    engine = local.LocalEngine(plan, jobs, _runner_command())
    return _result(plan, drive(running.run(plan, tasks, engine)), arguments)


def _runner_command() -> Sequence[str]:
    code = "from meshkin import cli\nfrom meshkin.cli import items\nitems.run_all(cli.main)"
    return blender.command(processes.package_program(code, reads_input=True))


def _planned(arguments: argparse.Namespace) -> Plan:
    """The plan of the manifest, all of whose commands can be parsed."""
    items = manifest.read(arguments.manifest)
    made = make(items, arguments.manifest, arguments.batch_folder, _suffixes(arguments.verbs))
    for task in made.tasks:
        _check_arguments(task, arguments.verbs[task.item.verb])
    return made


def _suffixes(verbs: Mapping[str, argparse.ArgumentParser]) -> dict[str, str]:
    """Of each command that writes something, the suffix of that; "" for a folder."""
    suffixes = {}
    for name, parser in verbs.items():
        for action in parser._actions:
            if "--output" in action.option_strings:
                suffixes[name] = Path(str(action.metavar)).suffix
    return suffixes


def _check_arguments(task: Task, parser: argparse.ArgumentParser) -> None:
    """Raise InputError ``batch-arguments`` for what the command's parser refuses."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parser.parse_args(list(task.argv[1:]))
    except SystemExit as end:
        reason = said.getvalue().strip().rpartition("error: ")[2]
        raise InputError(
            "batch-arguments", f"“{task.id}” cannot be run: {reason}.", f"See meshkin {task.item.verb} --help."
        ) from end


def _chosen(plan: Plan, only: str | None) -> Sequence[Task]:
    """The tasks with the numbers I to J; all without that."""
    if not only:
        return plan.tasks
    first, _, last = only.partition("-")
    try:
        start, end = int(first), int(last or first)
    except ValueError:
        start = end = 0
    if not 1 <= start <= end:
        raise InputError("batch-only", f"“{only}” are no items.", "Write --only 1-20: from the first to the last.")
    return plan.tasks[start - 1 : end]


def _listed(plan: Plan, tasks: Sequence[Task]) -> CommandResult:
    """What would be done."""
    lines, items = [], []
    numbers = {task.id: number for number, task in enumerate(plan.tasks, 1)}
    for task in tasks:
        state = "done" if running.is_finished(plan, task) else "to do"
        lines.append(f"{numbers[task.id]:>5} {state:5} {task.id}: meshkin {' '.join(task.argv)}")
        items.append({"number": numbers[task.id], "id": task.id, "state": state, "command": list(task.argv)})
    todo = sum(item["state"] == "to do" for item in items)
    lines.append(f"{todo} of {len(items)} items are to do.")
    return lines, {"items": items, "stages": plan.stages()}


def _result(plan: Plan, ended: Sequence[Record], arguments: argparse.Namespace) -> CommandResult:
    """What came of the items: whether all went well, and what did not."""
    counts = {state: sum(record.state == state for record in ended) for state in ("done", "failed", "blocked")}
    lines = [f"{counts['done']} of {len(ended)} items are done."]
    bad = [record for record in ended if record.state != "done"]
    lines += [f"{record.id}: {_reason(record)}" for record in bad[:_SHOWN_FAILURES]]
    if len(bad) > _SHOWN_FAILURES:
        lines.append(f"… and {len(bad) - _SHOWN_FAILURES} more.")
    warned = [record.id for record in ended if record.exit_code == STRICT_EXIT_CODE]
    warnings = []
    if warned:
        arguments.strict = True
        warnings = [{"code": "batch-warned", "message": f"{len(warned)} items have warnings: {', '.join(warned)}."}]
    data = {"ok": not bad, "folder": str(plan.folder), **counts, "warnings": warnings}
    return lines, {**data, "items": {record.id: record.exit_code for record in ended}}


def _reason(record: Record) -> str:
    return f"{records.error_text(record)} ({record.id}.log)"
