"""Jobs about heads on the maps of a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...base.progress import ProgressCallback
from ...data.snapshot import Snapshot
from ...data.views import Passes, of_recipe
from ..requests.base import NoResult
from ..requests.heads import CheckHead, LearnHead, LearnHeadResult


def check_head(request: CheckHead, report: ProgressCallback) -> NoResult:
    """Check whether a head can be kept."""
    from ...models import head_files

    head_files.check_name(request.name, request.replace)
    return NoResult()


def learn_head(request: LearnHead, report: ProgressCallback) -> LearnHeadResult:
    """Learn a head from renders of meshes, and write it."""
    from ...features import head_pictures, head_training
    from ...features.building import build
    from ...features.extractors.dinov2 import EXTRACTOR
    from ...models import head_files
    from ...models.heads import HeadLesson

    (part,) = request.recipe.parts
    reader, random = build(part, request.device), np.random.default_rng(0)
    surfaces = []
    for number, member in enumerate(request.members):
        report("Reading pictures", number / len(request.members))
        rest, pictures = Snapshot.load(member.shape), []
        for pose, folder in zip(member.poses, member.passes, strict=True):
            posed = Snapshot.load(pose)
            views = head_pictures.PosedViews(posed, of_recipe(posed, request.recipe), Passes.load(folder))
            pictures += head_pictures.known_pictures(rest, views, reader, random)
            report("Reading pictures", number / len(request.members))
        surfaces.append(pictures)
    settings = replace(head_training.HeadSettings(), steps=request.steps)
    head, losses = head_training.learn(surfaces, report, settings)
    model = part.models["model"]
    names = tuple(member.name for member in request.members)
    lesson = HeadLesson(model.name, model.checksum, EXTRACTOR.settings_of(part).layers, names, request.steps)
    return LearnHeadResult(head_files.keep_learnt(head.state_dict(), head.sizes, lesson, request.name), tuple(losses))
