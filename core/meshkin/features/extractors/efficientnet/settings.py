"""The settings of ``efficientnet``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...settings import Settings, number
from .stages import check_stages


@dataclass(frozen=True)
class EfficientNetSettings(Settings):
    """Settings of ``efficientnet``.

    Attributes:
        stages: of the network, ascending, 0 to 6. Chosen: one of fine, one of coarse cells.
        style: of the pictures, see :data:`meshkin.data.recipe.STYLES`.
        background: gray level behind the object.
        resolution: of the pictures, pixels, a multiple of the last stage's cell. Chosen: as that of ``dinov2``.
    """

    stages: tuple[int, ...] = (2, 4)
    style: Literal["normal", "shading", "textured"] = "normal"
    background: float = number(1.0, 0, 1)
    resolution: int = number(448, 1, 8192)

    def check_together(self) -> None:
        """Check that there are these stages."""
        check_stages(self.stages)
