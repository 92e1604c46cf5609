"""Data sets: pictures of objects of the scene with everything that is known about them, one after another."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ..base.errors import InputError
from ..base.progress import Progress, as_stage, in_step
from ..dataset.record import DataFolder, SetRecord
from ..scene.dataset import shooting
from ..scene.dataset.key_points import has_key_points, without_points
from ..scene.dataset.shooting import Shooting, has_window, keep, note_undo, picture_count
from ..scene.objects import BlenderObject, Handle
from ..worker import client
from ..worker.requests.datasets import (
    CheckDataset,
    FilterDataset,
    PlanRepainting,
    PlanRepaintingResult,
    RepaintPictures,
    WriteFormats,
)
from .options import Options, Remark, Report, ResultWarning, Steps
from .steps import CARRY_SECONDS, FORMATS_SECONDS, REPAINT_SECONDS, SHOT_SECONDS
from .transferring import transfer
from .transfers.key_points import no_key_points
from .whole_job import whole_job

CARRY, SHOTS, REPAINT, WRITE = "key points", "shots", "repaint", "formats"
"""The steps that carry key points, that take pictures, that paint them over, and that write the formats of trainers."""
_NOT_ASKED = ("count", "formats", "share", "drop", "judge")
"""Options that may be others when a set is gone on with."""


def dataset(
    objects: Iterable[BlenderObject], folder: Path, options: Options = Options(), template: BlenderObject | None = None
) -> Steps:
    """Take pictures of objects where they stand, with cameras, poses, boxes, masks, key points and more.

    Nothing in the scene changes, but with a template. Pictures that are in the folder already are not taken again, so
    that a job that was stopped goes on where it was. ``data["pictures"]`` says how many there are, ``data["files"]``
    what was written for trainers, ``data["sheet"]`` is a picture of some with all that is known drawn in.

    Args:
        objects: what the set is of. An armature that poses or carries meshes of the scene stands for them as
            one object, and so does an empty that shows a collection; other instancers stand for each object they show.
        folder: gets the set; it is made if it is missing.
        options: ``options.dataset`` says how; ``options.look`` whether they are painted over by Stable Diffusion.
        template: an object whose key points are carried to the other ones before (:func:`meshkin.workflow.transfer`),
            where they lack them; None for none.

    Raises InputError (``no-key-points`` of the template, ``dataset-empty``, ``dataset-other``, ``dataset-no-view``,
    ``dataset-no-camera``, ``dataset-camera``, ``dataset-hidden``, ``mesh-no-area``, ``render-unavailable``, and those
    of :func:`paint_dataset`), ModelError, OptionError, StorageError, WorkerError.
    """
    handles = [Handle.of(obj) for obj in objects]
    known = None if template is None else Handle.of(template)
    if template is not None and not has_key_points(template):
        raise no_key_points(template)
    asked = options.dataset
    numbers = [number for number in asked.numbers() if number < picture_count(asked)]
    work = Shooting.of([handle.get() for handle in handles], asked)
    there = set(DataFolder(folder).numbers())
    lacking = [] if template is None else without_points([handle.get() for handle in handles], template)
    costs = {CARRY: CARRY_SECONDS * len(lacking)} if lacking else {}
    costs |= {SHOTS: SHOT_SECONDS * len([number for number in numbers if number not in there])}
    if options.look.look == "painted":
        costs[REPAINT] = REPAINT_SECONDS * len(numbers)
    job = _dataset(work, folder, numbers, options, (known, lacking))
    return (yield from whole_job(job, {**costs, WRITE: FORMATS_SECONDS}))


def _dataset(
    work: Shooting,
    path: Path,
    numbers: Sequence[int],
    options: Options,
    points: tuple[Handle | None, Sequence[Handle]],
) -> Steps:
    folder = DataFolder(path)
    planned = None
    if options.look.look == "painted":
        planned = yield from _plan(len(numbers), options)
    carried = yield from in_step(CARRY, _carry(*points, options))
    yield from in_step(SHOTS, _shots(work, folder, numbers, options))
    remarks: list[Remark] = list(carried)
    if planned is not None:
        remarks += yield from in_step(REPAINT, _repaint(path, numbers, planned, options))
    report = yield from in_step(WRITE, check_dataset(path, options.dataset.formats))
    return _with(report, remarks)


def _carry(
    template: Handle | None, targets: Sequence[Handle], options: Options
) -> Generator[Progress, None, list[Remark]]:
    """Give objects the key points of a template, each in an undo step of its own."""
    remarks: list[Remark] = []
    for target in targets:
        assert template is not None
        job = transfer(template.get(), target.get(), ["key_points"], options)
        report = yield from as_stage(f"Carrying key points to {target.name}", job)
        remarks += [f"{target.name}: {report.title}", *report.warnings]
        note_undo(report.title)
    return remarks


def paint_dataset(path: Path, options: Options = Options()) -> Steps:
    """Paint the pictures of a data set over by Stable Diffusion, so that they look like photos.

    What is known about them stays true: ControlNets keep the objects' outlines. The rendered pictures stay, too;
    trainers get the painted ones. Stopped, it goes on where it was; with other options, all are painted anew.

    Args:
        path: the folder of the set.
        options: ``options.look`` says how, ``options.dataset`` which seed, share and formats.

    Raises InputError ``no-dataset``, ``paint-slow`` (no graphics card), ``words-missing``, ``words-wrong``,
    ``option-invalid``; ModelError where Stable Diffusion or a ControlNet is not there; StorageError, WorkerError.
    """
    SetRecord.load(path)
    there = set(DataFolder(path).numbers())
    numbers = [number for number in options.dataset.numbers(max(there, default=-1) + 1) if number in there]
    costs = {REPAINT: REPAINT_SECONDS * len(numbers), WRITE: FORMATS_SECONDS}
    return (yield from whole_job(_paint(path, numbers, options), costs))


def _paint(path: Path, numbers: Sequence[int], options: Options) -> Steps:
    planned = yield from _plan(len(numbers), options)
    remarks = yield from in_step(REPAINT, _repaint(path, numbers, planned, options))
    report = yield from in_step(WRITE, check_dataset(path, options.dataset.formats))
    return _with(report, remarks)


def _plan(count: int, options: Options) -> Generator[Progress, None, PlanRepaintingResult]:
    worker, models = options.worker, {role: str(name) for role, name in options.look.models.items()}
    look, resolution = replace(options.look, models={}), options.dataset.resolution
    request = PlanRepainting(look, models, count, resolution, worker.online, worker.device)
    return (yield from client.shared().run(request))


def _repaint(
    path: Path, numbers: Sequence[int], planned: PlanRepaintingResult, options: Options
) -> Generator[Progress, None, list[Remark]]:
    look, seed = replace(options.look, models={}), options.dataset.seed
    request = RepaintPictures(path, tuple(numbers), look, seed, planned.models, options.worker.device)
    found = yield from client.shared().run(request)
    remarks: list[Remark] = [f"Painted: {found.painted:,}; painted so before: {found.kept:,}."]
    if found.unknown:
        text = f"The file of words has some for {', '.join(found.unknown)}, which the set does not have."
        remarks.append(ResultWarning("dataset-words", text))
    return remarks


def _with(report: Report, remarks: Sequence[Remark]) -> Report:
    return Report.of(report.title, [*report.details, *report.warnings, *remarks], report.data)


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
    """Drop the pictures of a data set that are probably wrong: trainers do not get them any more.

    By poses: heads learn the poses of each class from four fifths of its objects and are asked about the rest; the
    scores are in ``kcf_losses.json``. By shape, of painted pictures: normals that a network (``options.maps.model``)
    reads from them are compared with those of the objects; the misfits are in ``shape_misfits.json``. The pictures
    themselves stay. ``options.dataset.drop`` says how many are dropped, 0 takes all back; what trainers read is written
    anew as ``options.dataset.formats`` say.

    Raises InputError ``no-dataset``, ``dataset-not-painted``, ModelError, StorageError, WorkerError.
    """
    SetRecord.load(path)
    chosen, worker = options.dataset, options.worker
    request = FilterDataset(
        path, chosen.judge, options.maps.model, chosen.drop, chosen.seed, worker.device, worker.online
    )
    found = yield from client.shared().run(request)
    files = (yield from client.shared().run(WriteFormats(path, chosen.formats))).files if chosen.formats else ()
    title = f"{found.dropped:,} of {found.pictures:,} pictures are dropped."
    details = [f"{name}: {count:,} objects agree least." for name, count in found.classes.items() if count]
    if found.misshapen:
        details.append(f"{found.misshapen:,} painted pictures fit their shapes worst.")
    details += [f"Written: {file.name}." for file in files]
    warnings = [
        ResultWarning("dataset-few", f"{name}: too few objects to judge their poses.") for name in found.left_out
    ]
    data = {"pictures": found.pictures, "dropped": found.dropped, "classes": dict(found.classes), "folder": str(path)}
    return Report(title, details, {**data, "files": [str(file) for file in files]}, warnings)
