"""The settings of ``dinov2``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...settings import Settings, number


@dataclass(frozen=True)
class Dinov2Settings(Settings):
    """Settings of ``dinov2``.

    Attributes:
        layers: hidden states to read, ascending: 0 is the embedding, k what block k puts out; () for the best one.
        style: of the pictures, see :data:`meshkin.data.recipe.STYLES`.
        background: gray level behind the object.
        resolution: of the pictures, pixels, a multiple of the model's patch size. Chosen: 32 patches of 14 px.
    """

    layers: tuple[int, ...] = ()
    style: Literal["normal", "shading", "textured"] = "normal"
    background: float = number(1.0, 0, 1)
    resolution: int = number(448, 1, 8192)
