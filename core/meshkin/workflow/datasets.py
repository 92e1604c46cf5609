"""Data sets: pictures of objects of the scene with everything that is known about them, one after another."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from ..base.errors import InputError
from ..base.progress import Progress, in_step
from ..dataset.record import DataFolder, SetRecord
from ..scene.dataset import shooting
from ..scene.dataset.shooting import Shooting, has_window, keep, picture_count
from ..scene.objects import BlenderObject, Handle
from ..worker import client
from ..worker.requests.datasets import CheckDataset, FilterDataset, WriteFormats
from .options import Options, Report, ResultWarning, Steps
from .steps import FORMATS_SECONDS, SHOT_SECONDS
from .whole_job import whole_job

SHOTS, WRITE = "shots", "formats"
"""The steps that take pictures, and that write the formats of trainers."""
_NOT_ASKED = ("count", "formats", "share", "drop")
"""Options that may be others when a set is gone on with."""


def dataset(objects: Iterable[BlenderObject], folder: Path, options: Options = Options()) -> Steps:
    """Take pictures of objects where they stand, with cameras, poses, boxes, masks, key points and more.

    Nothing in the scene changes. Pictures that are in the folder already are not taken again, so that a job that was
    stopped goes on where it was. ``data["pictures"]`` says how many there are, ``data["files"]`` what was written for
    trainers, ``data["sheet"]`` is a picture of some with all that is known drawn in.

    Args:
        objects: what the set is of; an instancer stands for all that it shows.
        folder: gets the set; it is made if it is missing.
        options: ``options.dataset`` says how.

    Raises InputError (``dataset-empty``, ``dataset-other``, ``dataset-no-view``, ``dataset-no-camera``,
    ``dataset-camera``, ``dataset-hidden``, ``mesh-no-area``, ``render-unavailable``), OptionError, StorageError,
    WorkerError.
    """
    handles = [Handle.of(obj) for obj in objects]
    asked = options.dataset
    numbers = [number for number in asked.numbers() if number < picture_count(asked)]
    work = Shooting.of([handle.get() for handle in handles], asked)
    there = set(DataFolder(folder).numbers())
    costs = {SHOTS: SHOT_SECONDS * len([number for number in numbers if number not in there]), WRITE: FORMATS_SECONDS}
    return (yield from whole_job(_dataset(work, folder, numbers, options), costs))


def _dataset(work: Shooting, path: Path, numbers: Sequence[int], options: Options) -> Steps:
    folder = DataFolder(path)
    yield from in_step(SHOTS, _shots(work, folder, numbers, options))
    return (yield from in_step(WRITE, check_dataset(path, options.dataset.formats)))


def _shots(work: Shooting, folder: DataFolder, numbers: Sequence[int], options: Options) -> Generator[Progress]:
    """Take the pictures that are not there.

    With a window, the user may change the scene between two pictures, or undo: then no copy of it may be in the file.
    """
    yield Progress("Reading the scene", 0)
    with work.studio() as studio:
        work.begin(studio)
        _note_set(work, folder, options)
        missing = sorted(set(numbers) - set(folder.numbers()))
        if not has_window():
            for done, number in enumerate(missing):
                yield Progress("Taking pictures", done / len(missing))
                keep(folder, work.take(studio, number))
            return
    for done, number in enumerate(missing):
        yield Progress("Taking pictures", done / len(missing))
        with work.studio() as studio:
            taken = work.take(studio, number)
        keep(folder, taken)


def _note_set(work: Shooting, folder: DataFolder, options: Options) -> None:
    """Write what the set is of; raises InputError ``dataset-other`` if the folder has another one."""
    chosen = {name: value for name, value in asdict(options.dataset).items() if name not in _NOT_ASKED}
    asked = json.dumps({"objects": sorted(work.chosen), **chosen}, sort_keys=True)
    made = SetRecord(tuple(work.models.records), picture_count(options.dataset), asked, shooting.unit())
    if folder.numbers():
        known = SetRecord.load(folder.path)
        if (known.asked, known.models) != (made.asked, made.models):
            raise InputError(
                "dataset-other", f"{folder.path} has pictures of another data set.", "Choose another folder."
            )
    for model, (vertices, faces) in zip(work.models.records, work.models.shapes, strict=True):
        folder.save_model(model.number, vertices, faces)
    made.save(folder.path)


def check_dataset(path: Path, formats: Sequence[str] = ()) -> Steps:
    """Look at a data set: whether all its files agree; draws what is known into some pictures, ``sheet.png``.

    Args:
        path: the folder of the set.
        formats: are written for trainers, anew if they are there.

    Raises InputError ``no-dataset``, StorageError, WorkerError.
    """
    data = SetRecord.load(path)
    files = (yield from client.shared().run(WriteFormats(path, tuple(formats)))).files if formats else ()
    found = yield from client.shared().run(CheckDataset(path))
    warnings = [ResultWarning("dataset-damaged", problem) for problem in found.problems]
    warnings += [ResultWarning("dataset-poor", remark) for remark in found.remarks]
    details = [f"{name}: seen {count:,} times." for name, count in found.seen.items()]
    details += [f"Written: {file.name}." for file in files]
    title = f"{found.pictures:,} of {data.count:,} pictures with all that is known are in {path}."
    facts = {"pictures": found.pictures, "seen": dict(found.seen), "files": [str(file) for file in files]}
    facts |= {"folder": str(path), "sheet": str(found.sheet) if found.sheet else ""}
    return Report(title, details, facts, warnings)


def filter_dataset(path: Path, options: Options = Options()) -> Steps:
    """Drop the pictures of a data set whose poses agree least with the others: trainers do not get them any more.

    Heads learn the poses of each class from four fifths of its objects and are asked about the rest. The scores are in
    ``kcf_losses.json``; the pictures themselves stay. ``options.dataset.drop`` says how many are dropped, 0 takes all
    back; what trainers read is written anew as ``options.dataset.formats`` say.

    Raises InputError ``no-dataset``, ModelError, StorageError, WorkerError.
    """
    SetRecord.load(path)
    chosen, worker = options.dataset, options.worker
    request = FilterDataset(path, chosen.drop, chosen.seed, worker.device, worker.online)
    found = yield from client.shared().run(request)
    files = (yield from client.shared().run(WriteFormats(path, chosen.formats))).files if chosen.formats else ()
    title = f"{found.dropped:,} of {found.pictures:,} pictures are dropped."
    details = [f"{name}: {count:,} objects agree least." for name, count in found.classes.items() if count]
    details += [f"Written: {file.name}." for file in files]
    warnings = [
        ResultWarning("dataset-few", f"{name}: too few objects to judge their poses.") for name in found.left_out
    ]
    data = {"pictures": found.pictures, "dropped": found.dropped, "classes": dict(found.classes), "folder": str(path)}
    return Report(title, details, {**data, "files": [str(file) for file in files]}, warnings)
