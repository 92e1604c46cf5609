"""Features of several shapes, or photographs, in one space: where they meet, extractors may reduce theirs jointly."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback
from ..data.features import Features
from ..data.recipe import Part
from ..data.snapshot import Snapshot
from . import registry
from .extractor import PictureExtractor, SurfaceExtractor

Rows = NDArray[np.float32]
"""Features, (V, C)."""


@dataclass(frozen=True)
class IntrinsicColumns:
    """Columns of features that tell intrinsic geometry alone: the same for a surface bent without stretching.

    Attributes:
        columns: bool (C,), which these are.
        describe: computes them for another surface, before they are weighted: (V, number of these columns).
    """

    columns: NDArray[np.bool_]
    describe: Callable[[Snapshot, ProgressCallback], NDArray[np.floating]]


@dataclass(frozen=True)
class JointFeatures:
    """Features of several shapes in one space.

    Attributes:
        rows: float32 (V_i, C) of each shape.
        intrinsic: for each part of the recipe whose columns tell intrinsic geometry alone, which these are.
    """

    rows: list[Rows]
    intrinsic: list[IntrinsicColumns]


def join(shapes: Sequence[Features]) -> JointFeatures:
    """Bring the features of several shapes, by one recipe, to one space.

    The columns of extractors that reduce nothing stay as they are.
    """
    origin = shapes[0].origin
    parts = origin.recipe.parts
    columns = _reduced([shape.features for shape in shapes], parts, origin.channels)
    starts = np.concatenate(([0], np.cumsum([part_columns[0].shape[1] for part_columns in columns])))
    intrinsic = []
    for part, (start, end) in zip(parts, itertools.pairwise(starts), strict=True):
        extractor = registry.find(part.extractor)
        if extractor.intrinsic and isinstance(extractor, SurfaceExtractor):
            chosen = np.zeros(starts[-1], bool)
            chosen[start:end] = True
            intrinsic.append(IntrinsicColumns(chosen, _describer(extractor, part)))
    return JointFeatures([np.concatenate(rows, axis=1) for rows in zip(*columns, strict=True)], intrinsic)


def reduce(
    features: Sequence[NDArray[np.floating]], parts: Sequence[Part], channels: Sequence[Sequence[int]]
) -> list[Rows]:
    """The rows of :func:`join`, for features that come from anywhere.

    Args:
        features: (V_i, C) of each shape.
        parts: of their recipe.
        channels: for each part the channels of its maps.
    """
    return [np.concatenate(rows, axis=1) for rows in zip(*_reduced(features, parts, channels), strict=True)]


def _describer(
    extractor: SurfaceExtractor[Any], part: Part
) -> Callable[[Snapshot, ProgressCallback], NDArray[np.floating]]:
    settings = extractor.settings_of(part)
    return lambda snapshot, report: extractor.describe(snapshot, settings, report)


def _reduced(
    features: Sequence[NDArray[np.floating]], parts: Sequence[Part], channels: Sequence[Sequence[int]]
) -> list[list[Rows]]:
    """For each part its columns of each shape, reduced."""
    shapes = [np.asarray(rows, np.float32) for rows in features]
    result = []
    start = 0
    for part, counts in zip(parts, channels, strict=True):
        end = start + sum(counts)
        columns = [rows[:, start:end] for rows in shapes]
        extractor = registry.find(part.extractor)
        if isinstance(extractor, PictureExtractor) and extractor.reduces:
            columns = extractor.reduce(columns, extractor.settings_of(part), part.weight, counts)
        result.append(columns)
        start = end
    return result
