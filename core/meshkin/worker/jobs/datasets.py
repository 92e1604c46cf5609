"""Jobs about data sets."""

from __future__ import annotations

from ...base.errors import OptionError
from ...base.progress import ProgressCallback
from ..requests.datasets import CheckDataset, CheckDatasetResult, WriteFormats, WriteFormatsResult


def write_formats(request: WriteFormats, report: ProgressCallback) -> WriteFormatsResult:
    """Write what trainers read."""
    from ...dataset.formats import WRITERS
    from ...dataset.record import DataFolder

    if unknown := [name for name in request.formats if name not in WRITERS]:
        raise OptionError("option-invalid", f"There is no format “{unknown[0]}”.", f"Choose from {', '.join(WRITERS)}.")
    return WriteFormatsResult(tuple(WRITERS[name](DataFolder(request.folder), report) for name in request.formats))


def check_dataset(request: CheckDataset, report: ProgressCallback) -> CheckDatasetResult:
    """Look at every file of a data set, and draw a contact sheet."""
    from ...dataset import checking, sheet
    from ...dataset.record import DataFolder

    folder = DataFolder(request.folder)
    found = checking.check(folder, report)
    return CheckDatasetResult(
        len(found.good), found.seen, tuple(found.problems), tuple(found.remarks), sheet.write(folder, found.good)
    )
