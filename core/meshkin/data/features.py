"""Features of a shape: what is known about every vertex, and how it was computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .recipe import Recipe


@dataclass(frozen=True)
class FeatureOrigin:
    """How features were computed.

    Attributes:
        name: of the mesh.
        shape: the mesh's :attr:`meshkin.data.snapshot.Snapshot.key`.
        recipe: the recipe.
        channels: for each part of the recipe the channels of its maps, in the order of the features' columns.
    """

    name: str
    shape: str
    recipe: Recipe
    channels: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Features:
    """What is known about every vertex of one shape.

    Attributes:
        features: float32 (V, C), finite.
        seen: int16 (V,), number of views that saw the vertex (0 throughout for extractors without pictures).
        confidence: float32 (V,) in [0, 1].
        origin: how they were computed.
    """

    features: NDArray[np.float32]
    seen: NDArray[np.int16]
    confidence: NDArray[np.float32]
    origin: FeatureOrigin
