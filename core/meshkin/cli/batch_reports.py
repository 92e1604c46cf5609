"""The report of a batch: its pictures are a batch themselves, which lies in a folder of the first."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..batch import local, records, report, running
from ..batch.manifest import ManifestItem
from ..batch.plan import PICTURES_NAME, make
from ..batch.records import Record
from .arguments import MESH_SUFFIXES, CommandResult
from .console import drive

_NAME_BYTES = 10
"""Bytes of a picture's name (chosen: no two of millions are the same)."""


def write(
    folder: Path, verbs: Mapping[str, argparse.ArgumentParser], jobs: int, command: Sequence[str]
) -> CommandResult:
    """Write the report of a batch with its pictures; returns the command's result.

    Args:
        folder: the batch's.
        verbs: the parser of each command.
        jobs: how many pictures are made at once.
        command: what starts a runner (:func:`meshkin.batch.runners.Runner`).
    """
    file, found = records.load_all(folder)
    rows = report.rows(found)
    items: dict[str, ManifestItem] = {}
    shown: dict[str, dict[str, str]] = {}
    for row in rows:
        wanted = _pictures(row.record, verbs)
        shown[row.record.id] = {what: _named(arguments, items) for what, arguments in wanted.items()}
    pictures: dict[str, Path] = {}
    if items:
        plan = make(list(items.values()), file, folder / PICTURES_NAME, {"thumbnail": ".png"})
        records.save_plan(plan)
        made = drive(running.run(plan, plan.tasks, local.LocalEngine(plan, jobs, command)))
        pictures = {record.id: record.output for record in made if record.is_finished}
    by_item = {
        name: {what: pictures[picture] for what, picture in each.items() if picture in pictures}
        for name, each in shown.items()
    }
    files = [report.write_html(folder, file, rows, by_item), report.write_csv(folder, rows)]
    lines = [f"Written to {path}." for path in files]
    if missing := len(items) - len(pictures):
        lines.append(f"{missing} of {len(items)} pictures could not be made: see {folder / PICTURES_NAME}.")
    data = {"output": str(files[0]), "table": str(files[1]), "order": [row.record.id for row in rows]}
    return lines, {**data, "pictures": len(pictures), "missing_pictures": missing}


def _named(arguments: tuple[str, ...], items: dict[str, ManifestItem]) -> str:
    """The ID of the item that makes a picture; each is made once, however many rows show it."""
    name = hashlib.blake2b(json.dumps(arguments).encode(), digest_size=_NAME_BYTES).hexdigest()
    items.setdefault(name, ManifestItem("thumbnail", list(arguments), name))
    return name


def _pictures(record: Record, verbs: Mapping[str, argparse.ArgumentParser]) -> dict[str, tuple[str, ...]]:
    """The arguments of ``thumbnail`` for each picture of an item, as far as its command tells what it is of."""
    given = _parsed(record, verbs)
    if given is None or not isinstance(target := getattr(given, "target", None), str):
        return {}
    source = getattr(given, "source", None)
    pictures: dict[str, tuple[str, ...]] = {}
    if hasattr(given, "file"):  # two objects of a .blend file
        pictures["before"] = (f"{given.file}:{target}",)
        if source:
            is_elsewhere = ".blend:" in source or Path(source).suffix.lower() in MESH_SUFFIXES
            pictures["source"] = (source if is_elsewhere else f"{given.file}:{source}",)
        if record.is_finished:
            pictures["after"] = (f"{record.output}:{target}",)
        return pictures
    pictures["before"] = (target,)
    if record.verb == "match" and source and record.is_finished:
        pictures["source"] = (source, "--places")
        pictures["after"] = (target, "--source", source, "--map", str(record.output))
    return pictures


def _parsed(record: Record, verbs: Mapping[str, argparse.ArgumentParser]) -> Any:
    """A record's command, parsed; None if this version of MeshKin cannot."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
        if record.verb in verbs:
            return verbs[record.verb].parse_args(record.arguments[1:])
    return None
