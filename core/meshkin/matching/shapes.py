"""Two shapes in, a map out: features are computed and matched in this process, without Blender."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..base.errors import InputError
from ..base.progress import ProgressCallback, silent
from ..data.features import Features
from ..data.recipe import FeatureChoice
from ..data.snapshot import Snapshot
from ..data.surface_map import Match
from ..data.views import of_recipe
from ..features.compute import compute
from ..features.ray_casting import cast_passes
from ..features.recipe import resolve, wants_color
from .pair import match_pair
from .surfaces import described_pair


def match_shapes(
    source: Snapshot,
    target: Snapshot,
    features: str | FeatureChoice = "geometric",
    *,
    pairs: ArrayLike | None = None,
    flip: bool = False,
    device: str = "auto",
    report: ProgressCallback = silent,
) -> Match:
    """Match two shapes, both ways, in plain Python.

    Args:
        source, target: the two shapes.
        features: an extractor, or several joined by "+", or a choice with more settings. Extractors that look at
            pictures get ray-cast ones, and need their models.
        pairs: int (N, 2), a source and a target vertex each, that correspond.
        flip: take the other answer: left for right, or the other place if a part fits two.
        device: "auto", "cpu" or a torch device.
        report: is told what is being done; may raise Cancelled.

    Raises:
        InputError: as :func:`meshkin.matching.pipeline.match`; ``features-unknown``; ``features-color`` if the
            features need the shapes' colors, which only Blender knows.
        ModelError: a model is missing or wrong.
    """
    choice = FeatureChoice(features) if isinstance(features, str) else features
    recipe = resolve(choice, report)
    if wants_color(recipe):
        raise InputError(
            "features-color", f"The features “{choice.name}” need colors, which only Blender renders.", "Choose others."
        )

    def describe(shape: Snapshot) -> Features:
        passes = cast_passes(shape, of_recipe(shape, recipe), report) if recipe.views else None
        return compute(shape, recipe, passes, device, report)

    source_surface, target_surface, intrinsic = described_pair(source, target, describe(source), describe(target))
    point_pairs = None if pairs is None else np.asarray(pairs, np.int64)
    return match_pair(source_surface, target_surface, report, pairs=point_pairs, flip=flip, intrinsic=intrinsic)
