"""Jobs about maps that are learned from pairs of pictures."""

from __future__ import annotations

from ...base.progress import ProgressCallback
from ..requests.picture_learning import ApplyPicture, ApplyPictureResult, LearnPicture, LearnPictureResult


def learn_picture(request: LearnPicture, report: ProgressCallback) -> LearnPictureResult:
    """Learn a map, and write what was learned."""
    from ...pictures.learning import importing, measures, teaching, training

    report("Reading pairs", 0)
    lesson = training.PictureLesson(request.target, request.steps, request.batch, request.seed)
    task = teaching.PictureTask(lesson, request.model, request.device, request.online)
    learned = teaching.teach(request.pairs, request.output, task, report)
    record = learned.record
    return LearnPictureResult(
        request.output,
        learned.epochs,
        importing.described(record),
        learned.error,
        record.mean_error,
        record.errors,
        measures.unit_of(record.target),
    )


def apply_picture(request: ApplyPicture, report: ProgressCallback) -> ApplyPictureResult:
    """Find the map of a picture, and write it."""
    from ...pictures.learning import applying

    report("Reading the picture", 0)
    where = applying.Where(request.model, request.device, request.online)
    target = applying.apply(request.picture, request.learned, where, request.output, report)
    return ApplyPictureResult(request.output, target)
