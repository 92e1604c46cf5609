"""Plans: the items of a manifest in the order in which they can be done, and what tells whether one is done already."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import __version__
from ..base.errors import InputError
from ..base.storage import is_file, readable_failure
from .manifest import ManifestItem, check_ids

PLAN_NAME = "batch"
"""The file of a batch's folder that lists its items, without the suffix."""
REPORT_NAME = "report"
"""The files of its report, without the suffix."""
PICTURES_NAME = "thumbnails"
"""The folder of the report's pictures."""
_SUFFIXES = (".json", ".log", ".csv", ".html")
"""Of what a batch writes of its own accord: records, logs, the list of items, the report."""
_KEY_BYTES = 16
"""Bytes of an item's key (chosen: as of the cache's)."""


@dataclass(frozen=True)
class Task:
    """An item that is ready to be run.

    Attributes:
        item: what the manifest says; its ``after`` has all that the arguments use, too.
        argv: the whole command, with ``--json`` and the output.
        output: the file or folder that it writes.
        stage: how many items stand one after another before it.
        keys: knows the keys of all tasks.
    """

    item: ManifestItem
    argv: tuple[str, ...]
    output: Path
    stage: int
    keys: Keys

    @property
    def id(self) -> str:
        return self.item.id

    @property
    def key(self) -> str:
        """Hash of the arguments, of the files that they name, and of the same of all items before."""
        return self.keys.of(self.id)


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

    def groups(self) -> list[list[tuple[int, bool]]]:
        """For each stage, how many of its tasks need the graphics card (True), and how many others there are."""
        counts: dict[int, dict[bool, int]] = {}
        for task in self.tasks:
            stage = counts.setdefault(task.stage, {})
            stage[task.item.gpu] = stage.get(task.item.gpu, 0) + 1
        return [[(count, gpu) for gpu, count in stage.items()] for stage in counts.values()]

    def stages(self) -> str:
        """The same as a text: ``16g+2,60`` are 16 tasks for the graphics card and 2 others, then 60."""
        return ",".join("+".join(f"{count}{'g' * gpu}" for count, gpu in stage) for stage in self.groups())


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
    check_ids(items, (PLAN_NAME, REPORT_NAME, PICTURES_NAME))
    outputs = _outputs(items, folder, suffixes)
    needs = {item.id: _needs(item, outputs) for item in items}
    stages = _stages(needs)
    order = sorted(items, key=lambda item: (stages[item.id], not item.gpu))
    keys = Keys({item.id: item for item in items}, needs, file.parent)
    tasks = []
    for item in order:
        argv = [item.verb, *(_filled(each, outputs) for each in item.arguments), "--json"]
        argv += ["--output", str(outputs[item.id])]
        complete = replace(item, after=needs[item.id])
        tasks.append(Task(complete, tuple(argv), outputs[item.id], stages[item.id], keys))
    return Plan(tuple(tasks), file, folder)


def _outputs(items: Sequence[ManifestItem], folder: Path, suffixes: Mapping[str, str]) -> dict[str, Path]:
    """What each item writes, by its ID."""
    outputs: dict[str, Path] = {}
    root = folder.resolve()
    names = [PLAN_NAME, REPORT_NAME, *(item.id for item in items)]
    own = (root / f"{name}{suffix}" for name in names for suffix in _SUFFIXES)
    taken = {str(path).lower() for path in (root, root / PICTURES_NAME, *own)}  # as systems have it that ignore case
    for item in items:
        if item.verb not in suffixes:
            raise InputError(
                "batch-verb", f"“{item.id}” cannot be “{item.verb}”.", f"Items are {', '.join(sorted(suffixes))}."
            )
        if any(each.split("=")[0] == "--output" for each in item.arguments):
            raise InputError(
                "batch-output", f"“{item.id}” has the argument --output.", "Give the item an “output” instead."
            )
        path = Path(os.path.normpath(root / (item.output or f"{item.id}{suffixes[item.verb]}")))
        if not path.is_relative_to(root) or str(path).lower() in taken:
            raise InputError(
                "batch-output",
                f"“{item.id}” cannot write {path}.",
                "Outputs lie in the batch's folder, and are different from each other, from records and from logs.",
            )
        outputs[item.id] = path
        taken.add(str(path).lower())
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


class Keys:
    """The keys of items, each computed when it is asked for: files are read only as far as that needs them."""

    def __init__(self, items: Mapping[str, ManifestItem], needs: Mapping[str, Sequence[str]], folder: Path) -> None:
        self._items, self._needs, self._folder = items, needs, folder
        self._keys: dict[str, str] = {}
        self._hashes: dict[Path, str] = {}

    def of(self, name: str) -> str:
        """The key of the item with this ID; raises StorageError for a file that cannot be read."""
        waiting = [name]
        while waiting:
            last = waiting[-1]
            missing = [other for other in self._needs[last] if other not in self._keys]
            if missing:
                waiting += missing
            else:
                self._keys[last] = self._computed(waiting.pop())
        return self._keys[name]

    def _computed(self, name: str) -> str:
        item = self._items[name]
        inputs = []
        for text in item.arguments:
            for piece in (text, text.partition("=")[2]):
                for path in (piece, piece.rpartition(":")[0]):
                    if path and is_file(file := self._folder / path):
                        if file not in self._hashes:
                            self._hashes[file] = _hash(file)
                        inputs.append(self._hashes[file])
        before = [self._keys[other] for other in self._needs[name]]
        facts = [__version__, item.verb, item.arguments, item.output, inputs, before]
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=_KEY_BYTES).hexdigest()


def _hash(file: Path) -> str:
    """A hash of a file's content; raises StorageError."""
    with readable_failure(file, "reading"), file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=_KEY_BYTES)).hexdigest()
