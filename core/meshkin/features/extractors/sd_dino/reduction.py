"""SD+DINO's levels reduced to their principal components, jointly for all the shapes and photographs that meet.

The published method reduces each level of Stable Diffusion's features over the two pictures at hand ("co-PCA") before
it fuses them. Here that is done over all views of all shapes of a job. Features are kept in the cache by shape,
unreduced, and reduced where shapes meet: lifting is a weighted mean, hence linear, so that the components of lifted
features are those of the views' features, but that each place counts once instead of as often as it was seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ....geometry.arrays import unit_rows
from ....spectral import pca
from .settings import SdDinoSettings


def reduce(
    features: Sequence[NDArray[np.float32]], settings: SdDinoSettings, weight: float, channels: Sequence[int]
) -> list[NDArray[np.float32]]:
    """The features of several shapes in one space, each level of Stable Diffusion by its joint components.

    The reduced levels together become a unit vector, DINOv2's layers another, and these are weighted by ``fusion``.

    Args:
        features: (V_i, sum of ``channels``) of each shape.
        settings: of the part.
        weight: of the part: the length of the rows.
        channels: of each tap, then of each of DINOv2's layers.
    """
    share = settings.fusion
    scale = weight / np.hypot(share, 1 - share)
    levels: list[list[NDArray[np.float32]]] = [[] for _ in features]
    start = 0
    for tap_weight, count in zip(settings.taps.values(), channels, strict=False):
        level = [unit_rows(rows[:, start : start + count]) for rows in features]
        basis = pca.basis(level, settings.components)
        for reduced, rows in zip(levels, level, strict=True):
            reduced.append(tap_weight * pca.project(basis, rows))
        start += count
    result = []
    for rows, reduced in zip(features, levels, strict=True):
        halves = [(1 - share) * unit_rows(np.concatenate(reduced, axis=1)), share * unit_rows(rows[:, start:])]
        result.append((scale * np.concatenate(halves, axis=1)).astype(np.float32))
    return result
