"""Parts of a data set that were made on several machines, put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..base.errors import InputError
from .formats.shared import place_file
from .record import DataFolder, SetRecord


def join(parts: Sequence[Path], output: Path) -> int:
    """Put the pictures of several folders into one; returns how many are there then.

    What is there already stays. A picture's record comes last, as when it is made.

    Raises InputError ``no-dataset``, ``dataset-other`` if a folder has pictures of another set, StorageError.
    """
    target = DataFolder(output)
    first = SetRecord.load(parts[0])
    known = [*parts, *([output] if target.numbers() else [])]
    for part in known:
        other = SetRecord.load(part)
        if (other.asked, other.models, other.count) != (first.asked, first.models, first.count):
            raise InputError(
                "dataset-other", f"{part} is of another data set than {parts[0]}.", "Make it the same way."
            )
    for model in first.models:
        place_file(DataFolder(parts[0]).model(model.number), target.model(model.number))
    first.save(output)
    for source in map(DataFolder, parts):
        there = set(target.numbers())
        for number in (number for number in source.numbers() if number not in there):
            for file in source.files(number):
                place_file(file, output / file.relative_to(source.path))
    return len(target.numbers())
