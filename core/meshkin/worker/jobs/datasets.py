"""Jobs about data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...base.errors import InputError, OptionError
from ...base.progress import ProgressCallback
from ..requests.datasets import (
    CheckDataset,
    CheckDatasetResult,
    FilterDataset,
    FilterDatasetResult,
    PlanRepainting,
    PlanRepaintingResult,
    RepaintPictures,
    RepaintPicturesResult,
    WriteFormats,
    WriteFormatsResult,
)
from . import diffusion

if TYPE_CHECKING:
    from ...dataset.record import DataFolder


def write_formats(request: WriteFormats, report: ProgressCallback) -> WriteFormatsResult:
    """Write what trainers read."""
    from ...dataset.formats import WRITERS
    from ...dataset.record import DataFolder

    if unknown := [name for name in request.formats if name not in WRITERS]:
        raise OptionError("option-invalid", f"There is no format “{unknown[0]}”.", f"Choose from {', '.join(WRITERS)}.")
    return WriteFormatsResult(tuple(WRITERS[name](DataFolder(request.folder), report) for name in request.formats))


def filter_dataset(request: FilterDataset, report: ProgressCallback) -> FilterDatasetResult:
    """Find the pictures whose poses agree least with the others, or that keep their shapes least, and drop them."""
    from ...dataset.record import DataFolder

    folder = DataFolder(request.folder)
    dropped: set[int] = set()
    told: dict[str, int] = {}
    left_out: tuple[str, ...] = ()
    misshapen = 0
    if request.judge in ("poses", "both"):
        by_class, left_out = _judge_poses(request, folder, report)
        told = {name: len(numbers) for name, numbers in by_class.items()}
        dropped = set().union(*by_class.values())
    if request.judge in ("shape", "both"):
        worst = _judge_shapes(request, folder, report)
        misshapen = len(worst)
        dropped |= worst
    folder.drop(dropped)
    return FilterDatasetResult(len(folder.numbers()), len(dropped), told, left_out, misshapen)


def _judge_poses(
    request: FilterDataset, folder: DataFolder, report: ProgressCallback
) -> tuple[dict[str, set[int]], tuple[str, ...]]:
    """The pictures whose poses agree least, by classes, and the classes with too few objects."""
    import numpy as np

    from ...dataset import consistency
    from ...models.locating import locate

    samples, crops = consistency.samples_of(folder)
    classes = sorted({sample.category for sample in samples})
    rows = {name: [row for row, sample in enumerate(samples) if sample.category == name] for name in classes}
    judged = [name for name in classes if len(rows[name]) >= consistency.FEWEST_OBJECTS]
    found = np.full(len(samples), np.nan)
    model = locate("efficientnet", online=request.online, report=report).folder if judged else None
    for name in judged:
        assert model is not None
        features = consistency.describe([crops[row] for row in rows[name]], model, request.device, report)
        bins = np.array([samples[row].bins for row in rows[name]])
        found[rows[name]] = consistency.scores(features, bins, request.seed, report)
    by_class = consistency.write_scores(folder, samples, found, request.drop)
    return by_class, tuple(name for name in classes if name not in judged)


def _judge_shapes(request: FilterDataset, folder: DataFolder, report: ProgressCallback) -> set[int]:
    """The painted pictures that fit their shapes worst."""
    from ...dataset import shape_check
    from ...pictures.models import find_models

    painted = [number for number in folder.numbers() if folder.painted(number).is_file()]
    if not painted:
        raise InputError(
            "dataset-not-painted", "No picture of the data set is painted over.", "Paint them, or judge by poses."
        )
    (model,) = find_models(["normal"], request.reader, request.online, report)
    found = shape_check.misfits(folder, painted, model, request.seed, request.device, report)
    return shape_check.write_misfits(folder, painted, found, request.drop)


def check_dataset(request: CheckDataset, report: ProgressCallback) -> CheckDatasetResult:
    """Look at every file of a data set, and draw a contact sheet."""
    from ...dataset import checking, sheet
    from ...dataset.record import DataFolder

    folder = DataFolder(request.folder)
    found = checking.check(folder, report)
    return CheckDatasetResult(
        len(found.good), found.seen, tuple(found.problems), tuple(found.remarks), sheet.write(folder, found.good)
    )


def plan_repainting(request: PlanRepainting, report: ProgressCallback) -> PlanRepaintingResult:
    """Check whether pictures can be painted over, before anything is done."""
    from ...dataset.prompts import Prompts
    from ...models import devices
    from ...models.known import DEPTH_CONTROL, EDGE_CONTROL, NORMAL_CONTROL, STABLE_DIFFUSION
    from ...paint import duration

    look = request.look
    Prompts.of(look.prompt, look.words_file)
    known = {"edges": EDGE_CONTROL, "depth": DEPTH_CONTROL, "normal": NORMAL_CONTROL}
    asked = {role: name for role, name in request.models.items() if role not in known or role in look.control}
    wanted = {"base": STABLE_DIFFUSION, **{role: known[role] for role in look.control}}
    models = diffusion.find_networks(wanted, asked, request.online, report)
    device = devices.choose(request.device)
    if device.type == "cpu" and not look.slow:
        looks = round(request.pictures * look.steps * look.strength) * (2 if look.guidance > 1 else 1)
        seconds = duration.seconds_of_looks(looks, request.resolution, device)
        diffusion.refuse_slow(seconds, "--look-slow", "make fewer and smaller pictures")
    return PlanRepaintingResult(models)


def repaint_pictures(request: RepaintPictures, report: ProgressCallback) -> RepaintPicturesResult:
    """Paint pictures over, one after another."""
    from ...dataset import repainting
    from ...dataset.record import DataFolder
    from ...features.diffusion import stable_diffusion

    report("Loading Stable Diffusion", 0)
    folders = [Path(request.models[role].folder) for role in ("base", *request.look.control)]
    checksums = tuple(model.checksum for model in request.models.values())
    networks = stable_diffusion.load(folders[0], tuple(folders[1:]), None, request.device, False, checksums)
    painter = repainting.Painter(networks, request.look)
    return RepaintPicturesResult(
        *repainting.repaint(DataFolder(request.folder), request.numbers, painter, request.seed, checksums, report)
    )
