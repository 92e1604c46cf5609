"""Requests about data sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...data.recipe import PartModel
from ...dataset.options import LookOptions
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
        misshapen: how many were dropped for their shapes.
    """

    pictures: int
    dropped: int
    classes: dict[str, int]
    left_out: tuple[str, ...]
    misshapen: int


@dataclass(frozen=True)
class FilterDataset(Request[FilterDatasetResult], job="filter-dataset"):
    """Find the pictures whose poses agree least with the others, or that keep their shapes least, and drop them.

    Attributes:
        folder: of the set.
        judge: "poses", "shape" or "both".
        reader: folder, name or hub id of the model that reads normals; "" for the known one.
        drop: which share of each class, and of the painted pictures.
        seed: of the folds.
        device: what computes.
        online: whether the network may be fetched.
    """

    folder: Path
    judge: str
    reader: str
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


@dataclass(frozen=True)
class PlanRepaintingResult:
    """``models`` are the models by their roles: base, and those of ``look.control``."""

    models: Mapping[str, PartModel]


@dataclass(frozen=True)
class PlanRepainting(Request[PlanRepaintingResult], job="plan-repainting"):
    """Check whether pictures can be painted over, before anything is done: words, models, device.

    Attributes:
        look: how; without the models.
        models: folders, names or hub ids by their roles; the known ones for roles that are not there.
        pictures: how many.
        resolution: of them, pixels.
        online: whether models that are not there may be fetched.
        device: what computes.
    """

    look: LookOptions
    models: Mapping[str, str]
    pictures: int
    resolution: int
    online: bool
    device: str


@dataclass(frozen=True)
class RepaintPicturesResult:
    """What was painted.

    Attributes:
        painted: how many pictures were painted.
        kept: how many had been painted so before.
        unknown: classes of the file of words that the set does not have.
    """

    painted: int
    kept: int
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class RepaintPictures(Request[RepaintPicturesResult], job="repaint-pictures"):
    """Paint pictures of a data set over; those that were painted so before stay.

    Attributes:
        folder: of the set.
        numbers: of the pictures.
        look: how; without the models.
        seed: of words and noise.
        models: of :class:`PlanRepaintingResult`.
        device: what computes.
    """

    folder: Path
    numbers: tuple[int, ...]
    look: LookOptions
    seed: int
    models: Mapping[str, PartModel]
    device: str
