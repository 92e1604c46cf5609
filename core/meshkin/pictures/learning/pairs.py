"""Pairs of pictures and maps in a folder: how they are written, and how they are read to learn from.

A pair is one PNG file, in which the picture and its maps lie side by side: the picture, then one for each of
:data:`meshkin.pictures.learning.options.TARGETS`. All maps are black where nothing is. ``pairs.json`` tells the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError, StorageError
from ...base.json_data import from_json, to_json
from ...base.png import SIGNATURE, write_png
from ...base.storage import UNREADABLE, write_file
from .options import TARGETS

PAIRS_RECORD = "pairs.json"
"""What tells of a folder of pairs."""
PANELS = 1 + len(TARGETS)
"""Pictures side by side in a file."""
SUBJECTS_PER_HELD_OUT = 5
"""Of so many subjects one is held out, to judge by. Chosen."""
PAIRS_PER_HELD_OUT = 8
"""Of so many pairs one is held out where there are fewer subjects. Chosen."""
FEWEST_PAIRS = 2
"""Pairs that can be learned from: one to learn from, one to judge by."""
_END = b"\0\0\0\0IEND\xaeB`\x82"
"""How every whole PNG file ends."""


@dataclass(frozen=True)
class Subject:
    """What is photographed: its name, and the key of its surface and materials."""

    name: str
    key: str


@dataclass(frozen=True)
class PairsRecord:
    """What a folder of pairs holds.

    Attributes:
        size: width and height of the pictures, pixels.
        count: how many pairs there are when all are rendered.
        seed: of views, lights and materials.
        subjects: pair i shows number ``i % len(subjects)``.
    """

    size: int
    count: int
    seed: int
    subjects: tuple[Subject, ...]

    def held_out(self) -> list[int]:
        """Numbers of the pairs that are not learned from but judged by."""
        numbers = range(self.count)
        if len(self.subjects) >= SUBJECTS_PER_HELD_OUT:
            return [
                each
                for each in numbers
                if each % len(self.subjects) % SUBJECTS_PER_HELD_OUT == SUBJECTS_PER_HELD_OUT - 1
            ]
        return [each for each in numbers if each % PAIRS_PER_HELD_OUT == PAIRS_PER_HELD_OUT - 1] or [self.count - 1]


def file_of(folder: Path, number: int) -> Path:
    """The file of a pair."""
    return folder / f"pair_{number:05d}.png"


def begin(folder: Path, record: PairsRecord) -> list[int]:
    """Write the record of a folder of pairs; returns the numbers of the pairs that are not there yet.

    A folder with fewer pairs of the same subjects, size and seed is gone on with.

    Raises InputError ``pairs-other`` where the folder holds something else; StorageError.
    """
    if (folder / PAIRS_RECORD).exists():
        there = read_record(folder)
        if replace(there, count=record.count) != record or there.count > record.count:
            what = f"{folder} holds {there.count} pairs of other meshes, another size or another seed, or more of them."
            raise InputError("pairs-other", what, "Name another folder, or the same settings to go on with it.")
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("pairs-other", f"{folder} holds something other than pairs.", "Name a new folder.")
    text = json.dumps(to_json(record), indent=2) + "\n"
    write_file(folder / PAIRS_RECORD, lambda file: file.write_text(text, encoding="utf-8"))
    return [number for number in range(record.count) if not _is_whole(file_of(folder, number), record.size)]


def write(folder: Path, number: int, panels: Sequence[NDArray[np.uint8]]) -> None:
    """Write a pair: the picture and its maps, uint8 (S, S, 3) each; raises StorageError."""
    write_png(file_of(folder, number), np.concatenate(list(panels), axis=1))


def read_record(folder: Path) -> PairsRecord:
    """What a folder of pairs holds; raises InputError ``pairs-missing``, ``pairs-damaged``."""
    file = folder / PAIRS_RECORD
    if not file.is_file():
        fix = "Render some with “meshkin picture pairs”."
        raise InputError("pairs-missing", f"There are no pairs in {folder}: it has no {PAIRS_RECORD}.", fix)
    try:
        record = from_json(PairsRecord, json.loads(file.read_text(encoding="utf-8")))
    except (*UNREADABLE, RecursionError, InputError) as error:
        raise InputError("pairs-damaged", f"{file} cannot be read: {error}.", "Render the pairs again.") from error
    if record.size < 1 or not record.subjects:
        raise InputError("pairs-damaged", f"{file} tells of no pictures.", "Render the pairs again.")
    return record


class PicturePairs:
    """Pairs to learn from, all checked.

    Attributes:
        record: what they are.
        key: of the record and the files, as they are now.
    """

    def __init__(self, folder: Path, target: str) -> None:
        """Look at all files.

        Args:
            folder: of the pairs.
            target: which of the maps is meant.

        Raises InputError ``pairs-missing``, ``pairs-damaged``, ``pairs-few``, ``pairs-unfinished``, ``pairs-size``.
        """
        self.record = read_record(folder)
        if self.record.count < FEWEST_PAIRS:
            raise InputError(
                "pairs-few", f"{folder} holds {self.record.count} pairs.", f"Render at least {FEWEST_PAIRS}."
            )
        self._panel = 1 + [choice.value for choice in TARGETS].index(target)
        self._files = [file_of(folder, number) for number in range(self.record.count)]
        missing = [file for file in self._files if not file.is_file()]
        if missing:
            what = f"{len(missing)} of {len(self._files)} pairs are missing in {folder}, such as {missing[0].name}."
            raise InputError("pairs-unfinished", what, "Run “meshkin picture pairs” again: it renders those alone.")
        states = []
        for file in self._files:
            _check(file, self.record.size)
            states.append((file.name, file.stat().st_size, file.stat().st_mtime_ns))
        told = json.dumps([to_json(self.record), target, states]).encode()
        self.key = hashlib.blake2b(told, digest_size=16).hexdigest()
        self.held_out = self.record.held_out()
        self.taught = sorted(set(range(self.record.count)) - set(self.held_out))

    def read(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The picture and the map of a pair, uint8 (S, S, 3) each; raises InputError ``pairs-damaged``."""
        from PIL import Image

        size, file = self.record.size, self._files[number]
        try:
            with Image.open(file) as image:
                strip = np.asarray(image.convert("RGB"))
        except (*UNREADABLE, SyntaxError) as error:
            raise _damaged(file) from error
        return strip[:, :size], strip[:, self._panel * size : (self._panel + 1) * size]


def _is_whole(file: Path, size: int) -> bool:
    """Whether a pair is there, whole and of the right size."""
    try:
        _check(file, size)
    except (InputError, StorageError):
        return False
    return True


def _check(file: Path, size: int) -> None:
    """Raise InputError ``pairs-damaged`` for a file that is cut short, ``pairs-size`` for one of another size."""
    try:
        with file.open("rb") as stream:
            head = stream.read(24)
            stream.seek(-len(_END), 2)
            end = stream.read()
    except OSError as error:
        raise _damaged(file) from error
    if head[:8] != SIGNATURE or end != _END:
        raise _damaged(file)
    width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if (width, height) != (PANELS * size, size):
        what = f"{file} has {width} x {height} pixels, not {PANELS * size} x {size} as pairs of {size} pixels have."
        raise InputError("pairs-size", what, "Delete it, and run “meshkin picture pairs” again.")


def _damaged(file: Path) -> InputError:
    fix = "Run “meshkin picture pairs” again: it renders what is damaged alone."
    return InputError("pairs-damaged", f"{file} is cut short or no PNG file.", fix)
