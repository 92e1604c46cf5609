"""Features as colors and channels for people to see, comparable between shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.features import Features
from ..spectral import pca
from . import joint


@dataclass(frozen=True)
class FeatureColors:
    """What is shown of the features of one shape.

    Attributes:
        colors: float32 (V, 3) in [0, 1].
        channels: float32 (V, K), the principal components.
    """

    colors: NDArray[np.float32]
    channels: NDArray[np.float32]


def feature_colors(shapes: Sequence[Features], count: int) -> list[FeatureColors]:
    """Colors and principal components of several shapes' features, in one basis.

    Args:
        shapes: by one recipe.
        count: how many components.
    """
    rows = joint.join(shapes).rows
    basis = pca.basis(rows, max(count, 3))
    projected = [pca.project(basis, shape_rows) for shape_rows in rows]
    return [
        FeatureColors(colors.astype(np.float32), components[:, :count].astype(np.float32))
        for colors, components in zip(pca.colors(projected), projected, strict=True)
    ]
