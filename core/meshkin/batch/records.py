"""What a batch's folder tells: for each item a record (ID.json) and a log (ID.log), and the list of items (batch.json).

Files only, each written whole or not at all, so that the folder may lie on a network and several machines may write
there at once.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..base.errors import InputError, MeshKinError, StorageError
from ..base.json_data import Json, from_json, to_json
from ..base.storage import read_file, temporary_prefix, write_file
from .plan import PLAN_NAME, Plan, Task

WARNED = 7
"""Exit code of a command with ``--strict`` that has warnings: its result is written."""
ItemState = Literal["done", "failed", "blocked", "waiting"]
"""How an item stands: blocked is one that comes after a failed one."""


@dataclass(frozen=True)
class Record:
    """How one item ended.

    Attributes:
        id, verb, gpu, after, key, source, target: as of the item and its task.
        arguments: the whole command.
        output: what it writes.
        exit_code: of the command; None for one that was not run.
        seconds: how long it took.
        began: when, seconds since the epoch.
        machine: where.
        answer: what the command printed with ``--json``.
    """

    id: str
    verb: str
    arguments: list[str]
    gpu: bool
    after: list[str]
    key: str
    source: str
    target: str
    output: Path
    exit_code: int | None = None
    seconds: float = 0.0
    began: float = 0.0
    machine: str = ""
    answer: dict[str, Json] = field(default_factory=dict)

    @property
    def state(self) -> ItemState:
        if self.exit_code is None:
            return "blocked" if self.answer else "waiting"
        return "done" if self.exit_code in (0, WARNED) else "failed"

    @property
    def is_finished(self) -> bool:
        """Whether the item went well, and what it wrote is still there."""
        return self.state == "done" and self.output.exists()


def empty(task: Task, key: str) -> Record:
    """The record of a task that was not run yet."""
    item = task.item
    return Record(
        id=item.id,
        verb=item.verb,
        arguments=list(task.argv),
        gpu=item.gpu,
        after=list(item.after),
        key=key,
        source=item.source,
        target=item.target,
        output=task.output,
    )


def record_file(folder: Path, name: str) -> Path:
    """Where the record of an item lies."""
    return folder / f"{name}.json"


def plan_file(folder: Path) -> Path:
    """Where a batch's list of items lies."""
    return folder / f"{PLAN_NAME}.json"


def log_file(folder: Path, name: str) -> Path:
    """Where an item's log lies: what it printed, progress and warnings."""
    return folder / f"{name}.log"


def write(folder: Path, record: Record) -> None:
    """Write a record, whole or not at all; raises StorageError."""
    text = json.dumps(to_json(record), indent=1, ensure_ascii=False)
    write_file(record_file(folder, record.id), lambda file: file.write_text(text + "\n", encoding="utf-8"))


def read(folder: Path, name: str) -> Record | None:
    """The record of an item; None if there is none that can be read."""
    try:
        data = json.loads(read_file(record_file(folder, name)))
        return from_json(Record, data)
    except (OSError, ValueError, MeshKinError):
        return None


def failure(error: MeshKinError) -> dict[str, Json]:
    """The answer of a command that ended with this error."""
    return {"ok": False, "error": dict(error.to_dict())}


def error_text(record: Record) -> str:
    """What went wrong with an item, and what to do about it; "" if nothing did."""
    error = record.answer.get("error")
    if not isinstance(error, dict):
        return "" if record.state == "done" else f"It ended with exit code {record.exit_code}."
    return f"{error.get('message', '')} {error.get('fix', '')}".strip()


def ended(record: Record, exit_code: int | None, began: float, answer: dict[str, Json], machine: str = "") -> Record:
    """A record with what came of its item, now."""
    seconds = round(time.time() - began, 3)
    return Record(
        **{
            **vars(record),
            "exit_code": exit_code,
            "seconds": seconds,
            "began": began,
            "answer": answer,
            "machine": machine,
        }
    )


def save_plan(plan: Plan) -> None:
    """Write the list of a batch's items, without their keys, which its report is made from; raises StorageError."""
    data = {"manifest": str(plan.manifest.resolve()), "items": [to_json(empty(task, "")) for task in plan.tasks]}
    text = json.dumps(data, indent=1, ensure_ascii=False)
    write_file(plan_file(plan.folder), lambda file: file.write_text(text + "\n", encoding="utf-8"))


def remove_leftovers(plan: Plan) -> None:
    """Delete what processes that were killed had begun to write (:func:`meshkin.base.storage.write_file`)."""
    written = [path for task in plan.tasks for path in (task.output, record_file(plan.folder, task.id))]
    begun = {path.parent / f"{temporary_prefix(path)}{path.suffix}" for path in written}
    for folder in {path.parent for path in written}:
        for found in folder.glob(".*-????????*"):
            name = found.name.removesuffix(found.suffix)[:-8]
            if folder / f"{name}{found.suffix}" in begun:
                found.unlink(missing_ok=True)
    for path in written:
        path.with_name(f"{path.name}@").unlink(missing_ok=True)  # Blender's


def load_all(folder: Path) -> tuple[Path, list[Record]]:
    """The manifest of a batch's folder, and how each of its items stands, in order.

    Raises InputError ``batch-none`` if that is no folder of a batch, StorageError ``file-damaged``.
    """
    file = plan_file(folder)
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        planned = [from_json(Record, each) for each in data["items"]]
        manifest = Path(data["manifest"])
    except FileNotFoundError as error:
        raise InputError("batch-none", f"There is no batch in {folder}.", "Give the --output of a batch.") from error
    except (OSError, ValueError, LookupError, TypeError, InputError) as error:
        raise StorageError("file-damaged", f"{file} cannot be read.", "Start the batch again with --resume.") from error
    found = ((record, read(folder, record.id)) for record in planned)
    return manifest, [known or record for record, known in found]
