"""Plans: the items of a manifest in the order in which they can be done, and what tells whether one is done already."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..base.errors import InputError
from ..base.storage import is_file, readable_failure
from .manifest import ManifestItem, check_ids

PLAN_NAME = "batch"
"""The file of a batch's folder that lists its items, without the suffix."""
REPORT_NAME = "report"
"""The files of its report, without the suffix."""
_KEY_BYTES = 16
"""Bytes of an item's key (chosen: as of the cache's)."""


@dataclass(frozen=True)
class Task:
    """An item that is ready to be run.

    Attributes:
        item: what the manifest says; its ``after`` has all that the arguments use, too.
        argv: the whole command, with ``--json`` and the output.
        output: the file or folder that it writes.
        key: hash of the arguments, of the files that they name, and of the same of all items before.
        stage: how many items stand one after another before it.
    """

    item: ManifestItem
    argv: tuple[str, ...]
    output: Path
    key: str
    stage: int

    @property
    def id(self) -> str:
        return self.item.id


@dataclass(frozen=True)
class Plan:
    """All tasks of a batch, each after those that it needs.

    Attributes:
        tasks: by stages; in each, those for the graphics card first.
        manifest: the file; paths in arguments are relative to its folder.
        folder: what gets records, logs and results.
    """

    tasks: tuple[Task, ...]
    manifest: Path
    folder: Path

    def stages(self) -> str:
        """How many tasks each stage has: ``16g+2,60`` are 16 for the graphics card and 2 others, then 60."""
        counts: dict[int, dict[bool, int]] = {}
        for task in self.tasks:
            stage = counts.setdefault(task.stage, {})
            stage[task.item.gpu] = stage.get(task.item.gpu, 0) + 1
        return ",".join(
            "+".join(f"{count}{'g' if gpu else ''}" for gpu, count in stage.items()) for stage in counts.values()
        )


def make(items: Sequence[ManifestItem], file: Path, folder: Path, suffixes: Mapping[str, str]) -> Plan:
    """Plan items.

    Args:
        items: of a manifest.
        file: the manifest.
        folder: what gets the results.
        suffixes: the commands that items may be, and of each the suffix of what it writes; "" for a folder.

    Raises InputError ``batch-id``, ``batch-verb``, ``batch-after``,
    ``batch-circle``, ``batch-output``.
    """
    check_ids(items, (PLAN_NAME, REPORT_NAME))
    outputs = _outputs(items, folder, suffixes)
    needs = {item.id: _needs(item, outputs) for item in items}
    stages = _stages(needs)
    order = sorted(items, key=lambda item: (stages[item.id], not item.gpu))
    hashes: dict[str, str] = {}
    keys: dict[str, str] = {}
    tasks = []
    for item in order:
        keys[item.id] = _key(item, [keys[other] for other in needs[item.id]], file.parent, hashes)
        item_after = ManifestItem(**{**vars(item), "after": needs[item.id]})
        argv = [item.verb, *(_filled(each, outputs) for each in item.arguments), "--json"]
        argv += ["--output", str(outputs[item.id])]
        tasks.append(Task(item_after, tuple(argv), outputs[item.id], keys[item.id], stages[item.id]))
    return Plan(tuple(tasks), file, folder)


def _outputs(items: Sequence[ManifestItem], folder: Path, suffixes: Mapping[str, str]) -> dict[str, Path]:
    """What each item writes, by its ID."""
    outputs: dict[str, Path] = {}
    for item in items:
        if item.verb not in suffixes:
            raise InputError(
                "batch-verb", f"“{item.id}” cannot be “{item.verb}”.", f"Items are {', '.join(sorted(suffixes))}."
            )
        if any(each.split("=")[0] == "--output" for each in item.arguments):
            raise InputError(
                "batch-output", f"“{item.id}” has the argument --output.", "Give the item an “output” instead."
            )
        path = (folder / (item.output or f"{item.id}{suffixes[item.verb]}")).resolve()
        if not path.is_relative_to(folder.resolve()) or path == folder.resolve() or path in outputs.values():
            raise InputError(
                "batch-output",
                f"“{item.id}” cannot write {path}.",
                "Outputs are different from each other and lie in the batch's folder.",
            )
        outputs[item.id] = path
    return outputs


def _needs(item: ManifestItem, outputs: Mapping[str, Path]) -> list[str]:
    """The IDs of the items that one comes after, by its own word or because it uses what they write."""
    unknown = [other for other in item.after if other not in outputs]
    if unknown:
        raise InputError("batch-after", f"“{item.id}” comes after “{unknown[0]}”, which is no item.", "Check the ID.")
    used = [name for text in item.arguments for name in re.findall(r"\{([^{}]+)\}", text) if name in outputs]
    return list(dict.fromkeys([*item.after, *used]))


def _filled(text: str, outputs: Mapping[str, Path]) -> str:
    """An argument with what other items write in the place of ``{ID}``; other braces stay."""
    return re.sub(r"\{([^{}]+)\}", lambda found: str(outputs.get(found[1], found[0])), text)


def _stages(needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """For each item, how many stand one after another before it; raises InputError ``batch-circle``."""
    stages: dict[str, int] = {}
    waiting = dict(needs)
    while waiting:
        ready = [name for name, others in waiting.items() if all(other in stages for other in others)]
        if not ready:
            names = ", ".join(f"“{name}”" for name in waiting)
            raise InputError("batch-circle", f"Each of {names} waits for another of them.", "Break the circle.")
        for name in ready:
            stages[name] = max((stages[other] + 1 for other in waiting.pop(name)), default=0)
    return stages


def _key(item: ManifestItem, before: Sequence[str], folder: Path, hashes: dict[str, str]) -> str:
    """The key of an item; ``hashes`` are those of files that are known already, by their paths."""
    inputs = []
    for text in item.arguments:
        for piece in (text, text.partition("=")[2]):
            for path in (piece, piece.rpartition(":")[0]):
                if path and is_file(file := folder / path):
                    name = str(file)
                    if name not in hashes:
                        hashes[name] = _hash(file)
                    inputs.append(hashes[name])
    facts = [__version__, item.verb, item.arguments, item.output, inputs, list(before)]
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=_KEY_BYTES).hexdigest()


def _hash(file: Path) -> str:
    """A hash of a file's content; raises StorageError."""
    with readable_failure(file, "reading"), file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=_KEY_BYTES)).hexdigest()
