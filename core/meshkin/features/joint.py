"""SD+DINO's levels reduced to their principal components, jointly for all the shapes and photographs that meet.

The published method reduces each level of Stable Diffusion's features over the two pictures at hand ("co-PCA") before
it fuses them. Here that is done over all views of all shapes of a job. Features are kept in the cache by shape,
unreduced, and reduced where shapes meet: lifting is a weighted mean, hence linear, so that the components of lifted
features are those of the views' features, but that each place counts once instead of as often as it was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cache.store import Features
from . import pca
from .lifting import unit_rows


def reduce(
    features: Sequence[NDArray[np.floating]], recipe: dict[str, Any], maps: Sequence[Sequence[int]]
) -> list[NDArray[np.float32]]:
    """Features of several shapes in one space, each level of an ``sd_dino`` part by its joint components.

    The reduced levels together become a unit vector, DINOv2's layers another, and these are weighted by ``fusion``.
    The columns of other parts stay as they are.

    Args:
        features: (V_i, C) of each shape, by one recipe.
        recipe: theirs.
        maps: for each part of the recipe the channels of its maps; [] for a part without (all its columns are one).
    """
    found = [np.asarray(one, np.float32) for one in features]
    if not any(part["extractor"] == "sd_dino" for part in recipe["parts"]):
        return found
    columns: list[list[NDArray[np.float32]]] = [[] for _ in found]
    start = 0
    for part, channels in zip(recipe["parts"], maps, strict=True):
        end = start + sum(channels)
        slices = [one[:, start:end] for one in found]
        if part["extractor"] == "sd_dino":
            slices = _reduced(slices, part, channels)
        for column, one in zip(columns, slices, strict=True):
            column.append(one)
        start = end
    return [np.concatenate(column, axis=1) for column in columns]


def reduce_all(found: Sequence[Features]) -> list[NDArray[np.float32]]:
    """:func:`reduce` of what the cache keeps of several shapes."""
    maps = found[0].metadata.get("maps", [])
    return reduce([one.features for one in found], found[0].metadata["recipe"], maps)


def intrinsic(one: Features, width: int) -> NDArray[np.bool_]:
    """Which of the ``width`` columns of :func:`reduce_all` tell intrinsic geometry alone, bool (width,)."""
    channels = one.metadata["channels"]
    reduced = width - sum(count for name, count in channels if name != "sd_dino")
    parts = [np.full(reduced if name == "sd_dino" else count, name == "geometric") for name, count in channels]
    return np.concatenate(parts)


def _reduced(
    features: list[NDArray[np.float32]], part: dict[str, Any], channels: Sequence[int]
) -> list[NDArray[np.float32]]:
    share = part["fusion"]
    scale = part["weight"] / np.hypot(share, 1 - share)
    levels: list[list[NDArray[np.float32]]] = [[] for _ in features]
    start = 0
    for weight, count in zip(part["taps"].values(), channels, strict=False):
        level = [unit_rows(one[:, start : start + count]) for one in features]
        basis = pca.basis(level, part["components"])
        for place, one in zip(levels, level, strict=True):
            place.append(weight * pca.project(basis, one))
        start += count
    result = []
    for one, place in zip(features, levels, strict=True):
        halves = [(1 - share) * unit_rows(np.concatenate(place, axis=1)), share * unit_rows(one[:, start:])]
        result.append((scale * np.concatenate(halves, axis=1)).astype(np.float32))
    return result
