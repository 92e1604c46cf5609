"""The command batch: many commands from one manifest, and what came of them."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..base.errors import InputError
from ..base.options import names
from ..base.storage import make_folder
from ..batch import flamenco, job_template, local, manifest, ray_engine, records, running
from ..batch.plan import Plan, Task, make
from ..batch.records import Record
from ..features import registry
from ..transfer.attributes.options import TRANSFERS
from . import batch_reports, nodes
from .arguments import STRICT_EXIT_CODE, CommandResult, command
from .console import drive, tell

ENGINES = ("local", "ray", "flamenco")
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
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default=ENGINES[0],
        help="where items are run: on this machine, on a Ray cluster, or by Flamenco's workers; default: local",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="items at once; default: one for two processors; each needs memory"
    )
    parser.add_argument("--resume", action="store_true", help="leave out what is done already, with the same inputs")
    parser.add_argument("--dry-run", action="store_true", help="list what would be done, in order, and check it")
    parser.add_argument("--only", metavar="I-J", help="only the items with these numbers of --dry-run; resumes")
    parser.add_argument(
        "--address", default="", metavar="HOST:PORT", help="the Ray cluster; default: this machine's, or a new one"
    )
    parser.add_argument("--manager", default="", metavar="URL", help="Flamenco's Manager")
    parser.add_argument("--worker-tag", default="", metavar="NAME", help="only Flamenco's workers with this tag")
    parser.add_argument(
        "--gpu-task-type",
        default="misc",
        metavar="TYPE",
        help="Flamenco's type of tasks for items that need the graphics card; default: misc",
    )
    parser.add_argument("--chunk", type=int, default=10, metavar="N", help="items of one task of a farm; default: 10")
    parser.add_argument(
        "--job-template",
        type=Path,
        metavar="FILE.json",
        help="write a job template of the Open Job Description, for AWS Deadline Cloud, and run nothing",
    )
    parser.set_defaults(verbs=verbs)


def _batch(arguments: argparse.Namespace) -> CommandResult:
    jobs = arguments.jobs or max((os.cpu_count() or 1) // 2, 1)
    if jobs < 1 or arguments.chunk < 1:
        raise InputError("batch-jobs", "--jobs and --chunk must be at least 1.", "Leave them out for the usual number.")
    if str(arguments.manifest) == "report" and arguments.reported:
        return batch_reports.write(arguments.reported, arguments.verbs, jobs, nodes.runner_command())
    if arguments.reported or not arguments.batch_folder:
        raise InputError("batch-folder", "It is not said where results go.", "Write --output FOLDER.")
    made = make(manifest.read(arguments.manifest), arguments.manifest, arguments.batch_folder, _suffixes(arguments))
    tasks = _chosen(made, arguments.only)
    for task in tasks:
        _check_arguments(task, arguments.verbs[task.item.verb])
    if arguments.dry_run:
        return _listed(made, tasks)
    if arguments.job_template:
        job_template.write(made, arguments.job_template, arguments.chunk)
        return [f"Written to {arguments.job_template}."], {"output": str(arguments.job_template)}
    _prepare(made, arguments)
    if arguments.engine == "flamenco":
        return _on_farm(made, arguments)
    engine: running.Engine
    if arguments.engine == "ray":
        engine = ray_engine.RayEngine(made, arguments.address, arguments.jobs or 0, nodes.run_item)
    else:
        engine = local.LocalEngine(made, jobs, nodes.runner_command())
    ended = drive(running.run(made, tasks, engine))
    if not arguments.only:  # other machines may be writing there
        records.remove_leftovers(made)  # of nodes that were lost
    return _result(made, ended, arguments)


def _prepare(made: Plan, arguments: argparse.Namespace) -> None:
    """Make the batch's folder ready; raises InputError ``batch-exists``."""
    make_folder(made.folder)
    is_there = records.plan_file(made.folder).exists()
    if arguments.only:  # other machines may be writing there
        if not is_there:
            records.save_plan(made)
        return
    if is_there and not arguments.resume:
        raise InputError(
            "batch-exists", f"{made.folder} has a batch already.", "Add --resume, or choose another folder."
        )
    records.remove_leftovers(made)
    records.save_plan(made)


def _on_farm(made: Plan, arguments: argparse.Namespace) -> CommandResult:
    """Submit a batch to Flamenco, and follow it to its end."""
    if not arguments.manager:
        raise InputError("flamenco-no-manager", "It is not said where Flamenco is.", "Write --manager URL.")
    options = flamenco.FarmOptions(arguments.manager, arguments.chunk, arguments.worker_tag, arguments.gpu_task_type)
    job = flamenco.submit(made, options)
    tell(f"{flamenco.job_page(options, job)} goes on if this is stopped.")
    status = drive(flamenco.follow(options, job))
    _, ended = records.load_all(made.folder)
    lines, data = _result(made, ended, arguments)
    lines.insert(0, f"Flamenco's job {job} is {status}.")
    return lines, {**data, "ok": data["ok"] and status == "completed", "job": job, "status": status}


def _suffixes(arguments: argparse.Namespace) -> dict[str, str]:
    """Of each command that writes something, the suffix of that; "" for a folder."""
    suffixes = {}
    for name, parser in arguments.verbs.items():
        for action in parser._actions:
            if "--output" in action.option_strings:
                suffixes[name] = Path(str(action.metavar)).suffix
    return suffixes


def _check_arguments(task: Task, parser: argparse.ArgumentParser) -> None:
    """Raise InputError ``batch-arguments`` for what the command's parser refuses."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            _check_names(parser.parse_args(list(task.argv[1:])))
    except (SystemExit, InputError) as error:
        text = error.message if isinstance(error, InputError) else said.getvalue()
        reason = text.strip().rpartition("error: ")[2].rstrip(".")
        raise InputError(
            "batch-arguments", f"“{task.id}” cannot be run: {reason}.", f"See meshkin {task.item.verb} --help."
        ) from error


def _check_names(parsed: argparse.Namespace) -> None:
    """Raise InputError for features that there are not, and what cannot be transferred."""
    if hasattr(parsed, "features"):
        registry.find_all(parsed.features)
    unknown = [name for name in names(getattr(parsed, "what", None) or "") if name not in TRANSFERS]
    if unknown:
        raise InputError("transfer-unknown", f"“{unknown[0]}” cannot be transferred.")


def _chosen(made: Plan, only: str | None) -> Sequence[Task]:
    """The tasks with the numbers I to J; all without that."""
    if not only:
        return made.tasks
    first, _, last = only.partition("-")
    try:
        start, end = int(first), int(last or first)
    except ValueError:
        start = end = 0
    if not 1 <= start <= end:
        raise InputError("batch-only", f"“{only}” are no items.", "Write --only 1-20: from the first to the last.")
    return made.tasks[start - 1 : end]


def _listed(made: Plan, tasks: Sequence[Task]) -> CommandResult:
    """What would be done."""
    lines, items = [], []
    numbers = {task.id: number for number, task in enumerate(made.tasks, 1)}
    for task in tasks:
        state = "done" if running.is_finished(made, task) else "to do"
        lines.append(f"{numbers[task.id]:>5} {state:5} {task.id}: meshkin {' '.join(task.argv)}")
        items.append({"number": numbers[task.id], "id": task.id, "state": state, "command": list(task.argv)})
    todo = sum(item["state"] == "to do" for item in items)
    lines.append(f"{todo} of {len(items)} items are to do.")
    return lines, {"items": items, "stages": made.stages()}


def _result(made: Plan, ended: Sequence[Record], arguments: argparse.Namespace) -> CommandResult:
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
    # On a farm, a task that failed is done again on another machine: only what may go better there fails a task.
    final = bool(arguments.only) and all(record.exit_code in (None, InputError.exit_code) for record in bad)
    data = {"ok": final or not bad, "folder": str(made.folder), **counts, "warnings": warnings}
    return lines, {**data, "items": {record.id: record.exit_code for record in ended}}


def _reason(record: Record) -> str:
    return f"{records.error_text(record)} ({record.id}.log)"
