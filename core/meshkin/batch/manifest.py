"""Manifests: which commands a batch consists of, as a list or as a matrix of sources, targets and what to do.

JSON and TOML files have ``items``, ``matrix`` (one, or a list) or both; a CSV file has one item a line.
"""

from __future__ import annotations

import csv
import glob
import io
import json
import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..base.errors import InputError
from ..base.json_data import from_json
from ..base.storage import file_name, is_file

WHOLE_VERBS = ("match", "pose")
"""What a matrix can ask for beside what ``transfer --what`` takes."""
_IN_BLEND = ".blend:"
"""What is between the file and the object in FILE.blend:OBJECT."""
_WITHOUT_FEATURES = ("motion",)
"""What is transferred without looking at features."""
_GPU = {**dict.fromkeys(("1", "true", "yes", "x"), True), **dict.fromkeys(("", "0", "false", "no"), False)}
"""What says in a CSV file, in small letters, whether an item needs the graphics card."""
_DELIMITERS = ",;\t"
"""What is between the cells of a CSV file: spreadsheets write semicolons where numbers have a decimal comma."""
_DELIMITER_LINE = re.compile(r"sep=(.)\r?\n")
"""The first line by which Excel is told what is between the cells."""


@dataclass(frozen=True)
class ManifestItem:
    """One command of a batch.

    Attributes:
        verb: the command's name (``match``).
        arguments: what follows it; paths are relative to the manifest's folder. ``{ID}`` is what the item of that ID
            has written.
        id: names the item and its files.
        gpu: whether it needs the graphics card.
        after: IDs of the items that must have gone well before.
        output: what it writes, relative to the batch's folder; "" for a name made from the ID.
        source, target: what the report calls them.
    """

    verb: str
    arguments: list[str] | str = field(default_factory=list)
    id: str = ""
    gpu: bool = False
    after: list[str] | str = field(default_factory=list)
    output: str = ""
    source: str = ""
    target: str = ""


@dataclass(frozen=True)
class ManifestMatrix:
    """Every source with every target, for everything that is to be done.

    Attributes:
        sources, targets: files, or ``FILE.blend:OBJECT``; file names may have the patterns ``*``, ``?``, ``[…]``,
            ``**``.
        what: for each pair; ``match``, ``pose``, or what ``transfer --what`` takes. What writes to targets wants them
            as ``FILE.blend:OBJECT``.
        features: arguments of everything that looks at features (``--features dinov2``).
        arguments: further arguments of what is done to each pair.
        gpu: whether the features need the graphics card.
    """

    sources: list[str]
    targets: list[str]
    what: list[str] = field(default_factory=lambda: ["match"])
    features: list[str] | str = field(default_factory=list)
    arguments: list[str] | str = field(default_factory=list)
    gpu: bool = False


def read(path: Path) -> list[ManifestItem]:
    """The items of a manifest, in order; what may be a text or a list in the file is a list in them.

    Raises InputError ``file-missing``, ``batch-unreadable``, ``data-invalid``, ``batch-empty``, ``batch-no-file``,
    ``batch-not-blend``.
    """
    if not is_file(path):
        raise InputError("file-missing", f"There is no file {path}.", "Check the path.")
    items, matrices = _parsed(path)
    taken = {item.id.lower() for item in items if item.id}
    for matrix in matrices:
        items += _expanded(matrix, path.parent, taken)
    named = [_named(number, item) for number, item in enumerate(items, 1)]
    if not named:
        raise InputError("batch-empty", f"There is nothing to do in {path}.", "Give it items or a matrix.")
    return named


def _parsed(path: Path) -> tuple[list[ManifestItem], list[ManifestMatrix]]:
    """The items and the matrices of a manifest, as they stand there."""
    kind = path.suffix.lower()
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if kind == ".csv":
            return _of_table(text), []
        data = tomllib.loads(text.replace("\r\n", "\n")) if kind == ".toml" else json.loads(text)
    except UnicodeDecodeError as error:
        raise InputError(
            "batch-unreadable", f"{path} is not written in UTF-8.", "Save it as UTF-8 (Excel: “CSV UTF-8”)."
        ) from error
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise InputError(
            "batch-unreadable", f"{path} cannot be read: {error}.", "A manifest is a JSON, TOML or CSV file."
        ) from error
    if isinstance(data, list):
        data = {"items": data}
    if not isinstance(data, dict) or set(data) - {"items", "matrix"}:
        raise InputError("batch-unreadable", f"{path} is no manifest.", "It has “items”, “matrix” or both.")
    given, matrices = data.get("items", []), data.get("matrix", [])
    if not isinstance(given, list):
        raise InputError("batch-unreadable", f"“items” of {path} is no list.", "Write a list of items.")
    matrices = matrices if isinstance(matrices, list) else [matrices]
    return (
        [from_json(ManifestItem, item, f"Item {number}") for number, item in enumerate(given, 1)],
        [from_json(ManifestMatrix, matrix, "The matrix") for matrix in matrices],
    )


def _of_table(text: str) -> list[ManifestItem]:
    """The items of a CSV file, whatever is between its cells; empty lines are none."""
    told = _DELIMITER_LINE.match(text)
    stream = io.StringIO(text[told.end() :] if told else text, newline="")
    header = stream.readline()
    stream.seek(0)
    rows = csv.DictReader(stream, delimiter=told[1] if told else max(_DELIMITERS, key=header.count))
    return [_of_row(row, f"Line {rows.line_num + bool(told)}") for row in rows if any(row.values())]


def _of_row(row: Mapping[Any, Any], where: str) -> ManifestItem:
    """The item of a line of a CSV file."""
    values = {name.strip().lower(): (text or "").strip() for name, text in row.items() if name is not None}
    if any(row.get(None, ())):
        raise InputError(
            "data-invalid", f"{where} has more cells than there are columns.", "Put what has commas into quotes."
        )
    gpu = _GPU.get(values.pop("gpu", "").lower())
    if gpu is None:
        raise InputError("data-invalid", f"{where}: what “gpu” says is not understood.", "Write yes or no.")
    return from_json(ManifestItem, {**{name: text for name, text in values.items() if text}, "gpu": gpu}, where)


def words(text: list[str] | str) -> list[str]:
    """Arguments that are given as a list, or as in a shell; raises InputError ``batch-unreadable``."""
    if isinstance(text, list):
        return text
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InputError("batch-unreadable", f"“{text}” cannot be split: {error}.", "Close the quotes.") from error


def _named(number: int, item: ManifestItem) -> ManifestItem:
    values = {each.name: getattr(item, each.name) for each in fields(item)}
    values |= {"arguments": words(item.arguments), "after": words(item.after)}
    return ManifestItem(**{**values, "id": item.id or f"{number:04d}-{item.verb}"})


def _expanded(matrix: ManifestMatrix, folder: Path, taken: set[str]) -> list[ManifestItem]:
    """The items of a matrix: the features of each shape once, then what is done to each pair."""
    sources, targets = (list(_found(names, folder)) for names in (matrix.sources, matrix.targets))
    looks, further = words(matrix.features), words(matrix.arguments)
    labels = _labels([*sources, *targets])
    names: dict[tuple[str, ...], str] = {}
    items = []
    for what in matrix.what:
        for shape in dict.fromkeys([*sources, *targets]) if what not in _WITHOUT_FEATURES else ():
            if (described := _described(shape, what)) not in names:
                names[described] = _free(f"features-{labels[shape]}", taken)
                items.append(ManifestItem("features", [*described, *looks], names[described], matrix.gpu))
    for what in matrix.what:
        for source in sources:
            for target in targets:
                if source == target:
                    continue
                verb = what if what in WHOLE_VERBS else "transfer"
                arguments = [source, target] if verb == "match" else _in_file(source, target)
                arguments += ["--what", what] if verb == "transfer" else []
                name = _free(f"{what.replace(',', '-')}-{labels[source]}-{labels[target]}", taken)
                ends = (_described(shape, what) for shape in (source, target))
                after = [names[described] for described in ends if described in names]
                items.append(
                    ManifestItem(
                        *(verb, [*arguments, *looks, *further], name),
                        after=after,
                        source=labels[source],
                        target=labels[target],
                    )
                )
    return items


def _described(shape: str, what: str) -> tuple[str, ...]:
    """The arguments of ``features`` for a shape: a match is of the object alone, all else of its character."""
    return (shape, "--character") if what != "match" and _split(shape)[1] else (shape,)


def _found(names: Iterable[str], folder: Path) -> Iterable[str]:
    """The files that names and patterns stand for, each once, relative to the manifest's folder."""
    found: dict[str, None] = {}
    for name in names:
        file, separator, obj = _split(name)
        matches = [file] if is_file(folder / file) else sorted(glob.glob(file, root_dir=folder, recursive=True))
        files = [_relative(each, folder) for each in matches if is_file(folder / each)]
        if not files:
            raise InputError("batch-no-file", f"No file in {folder} is called “{file}”.", "Check the path or pattern.")
        found |= dict.fromkeys(f"{each}{separator}{obj}" for each in files)
    return found


def _relative(file: str, folder: Path) -> str:
    """A file's path as commands take it: relative in the manifest's folder, and no option."""
    path, root = (folder / file).absolute(), folder.absolute()
    text = (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
    return f"./{text}" if text.startswith("-") else text


def _split(name: str) -> tuple[str, str, str]:
    """The file, ":" and the object of FILE.blend:OBJECT; the file and "" twice of all other names."""
    file, separator, obj = name.rpartition(_IN_BLEND)
    return (f"{file}{_IN_BLEND[:-1]}", ":", obj) if separator else (name, "", "")


def _in_file(source: str, target: str) -> list[str]:
    """The arguments of commands on a .blend file: the target's, in which the source is, or into which it comes."""
    (source_file, separator, source_object), (file, in_blend, target_object) = _split(source), _split(target)
    if not in_blend:
        raise InputError(
            "batch-not-blend", f"Nothing can be written to {target}.", "Write targets as FILE.blend:OBJECT."
        )
    is_inside = separator and source_file == file
    return [file, "--source", source_object if is_inside else source, "--target", target_object]


def _labels(shapes: Iterable[str]) -> dict[str, str]:
    """What each shape is called: its object, or its file without folder and suffix; with more of its place, or all of
    it, if that is the name of several."""
    distinct = list(dict.fromkeys(shapes))
    labels: dict[str, str] = {}
    for name in (_short, _placed, lambda shape: shape.replace("/", "-")):
        names = {shape: name(shape) for shape in distinct}
        count = Counter(names.values())
        labels = {shape: names[shape] for shape in distinct if count[names[shape]] == 1} | labels
    return {shape: labels.get(shape, _short(shape)) for shape in distinct}


def _short(shape: str) -> str:
    return _split(shape)[2] or Path(shape).stem


def _placed(shape: str) -> str:
    """With its .blend file, or the folder of its file."""
    file, separator, _ = _split(shape)
    place = Path(file).stem if separator else Path(file).parent.name
    return f"{place}-{_short(shape)}" if place else _short(shape)


def _free(name: str, taken: set[str]) -> str:
    """A name for files that none of those taken is, also where systems ignore case; it is taken now.

    Args:
        name: what it is made from.
        taken: in small letters.
    """
    free, number = file_name(name), 1
    while free.lower() in taken:
        number += 1
        free = f"{file_name(name)}-{number}"
    taken.add(free.lower())
    return free


def check_ids(items: Sequence[ManifestItem], reserved: Sequence[str]) -> None:
    """Raise InputError ``batch-id`` for an ID that is no file name, is reserved, or is there twice."""
    seen: set[str] = set(reserved)
    for item in items:
        if file_name(item.id) != item.id or item.id.startswith(".") or item.id.lower() in seen:
            raise InputError(
                "batch-id", f"No item can be called “{item.id}”.", "IDs are different from each other, and file names."
            )
        seen.add(item.id.lower())
