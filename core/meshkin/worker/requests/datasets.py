"""Requests about data sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .base import Request


@dataclass(frozen=True)
class WriteFormatsResult:
    """What was written.

    Attributes:
        files: for each format its file or folder.
    """

    files: tuple[Path, ...]


@dataclass(frozen=True)
class WriteFormats(Request[WriteFormatsResult], job="write-formats"):
    """Write what trainers read, from the records of a data set.

    Attributes:
        folder: of the set.
        formats: of :data:`meshkin.dataset.formats.WRITERS`.
    """

    folder: Path
    formats: tuple[str, ...]


@dataclass(frozen=True)
class FilterDatasetResult:
    """What was dropped.

    Attributes:
        pictures: how many there are.
        dropped: how many are dropped.
        classes: for each class how many of its objects led to that.
        left_out: classes with too few objects to be judged.
    """

    pictures: int
    dropped: int
    classes: dict[str, int]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class FilterDataset(Request[FilterDatasetResult], job="filter-dataset"):
    """Find the pictures whose poses agree least with the others, and drop them.

    Attributes:
        folder: of the set.
        drop: which share of each class.
        seed: of the folds.
        device: what computes.
        online: whether the network may be fetched.
    """

    folder: Path
    drop: float
    seed: int
    device: str
    online: bool


@dataclass(frozen=True)
class CheckDatasetResult:
    """What a data set is like.

    Attributes:
        pictures: how many are there.
        seen: for each class, in how many pictures an object of it is seen, objects counted one by one.
        problems: what is wrong, in sentences.
        remarks: what may make it of little use.
        sheet: the picture of some with all that is known drawn in; None without pictures.
    """

    pictures: int
    seen: dict[str, int]
    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    sheet: Path | None


@dataclass(frozen=True)
class CheckDataset(Request[CheckDatasetResult], job="check-dataset"):
    """Look at every file of a data set, and draw a contact sheet.

    Attributes:
        folder: of the set.
    """

    folder: Path
