"""Jobs about data sets."""

from __future__ import annotations

from ...base.errors import OptionError
from ...base.progress import ProgressCallback
from ..requests.datasets import (
    CheckDataset,
    CheckDatasetResult,
    FilterDataset,
    FilterDatasetResult,
    WriteFormats,
    WriteFormatsResult,
)


def write_formats(request: WriteFormats, report: ProgressCallback) -> WriteFormatsResult:
    """Write what trainers read."""
    from ...dataset.formats import WRITERS
    from ...dataset.record import DataFolder

    if unknown := [name for name in request.formats if name not in WRITERS]:
        raise OptionError("option-invalid", f"There is no format “{unknown[0]}”.", f"Choose from {', '.join(WRITERS)}.")
    return WriteFormatsResult(tuple(WRITERS[name](DataFolder(request.folder), report) for name in request.formats))


def filter_dataset(request: FilterDataset, report: ProgressCallback) -> FilterDatasetResult:
    """Find the pictures whose poses agree least with the others, and drop them."""
    import numpy as np

    from ...dataset import consistency
    from ...dataset.record import DataFolder
    from ...models.locating import locate

    folder = DataFolder(request.folder)
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
    told = consistency.write_scores(folder, samples, found, request.drop)
    count = len(folder.numbers())
    left_out = tuple(name for name in classes if name not in judged)
    return FilterDatasetResult(count, count - len(folder.numbers(with_dropped=False)), told, left_out)


def check_dataset(request: CheckDataset, report: ProgressCallback) -> CheckDatasetResult:
    """Look at every file of a data set, and draw a contact sheet."""
    from ...dataset import checking, sheet
    from ...dataset.record import DataFolder

    folder = DataFolder(request.folder)
    found = checking.check(folder, report)
    return CheckDatasetResult(
        len(found.good), found.seen, tuple(found.problems), tuple(found.remarks), sheet.write(folder, found.good)
    )
