"""EfficientNet-Lite: the maps of a small image classifier's stages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...extractor import ModelRole, Models, PictureExtractor, PictureLook, PictureReader
from ...settings import Settings, number
from .stages import STRIDES, check_stages


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

    def check(self) -> None:
        """Check that there are these stages."""
        check_stages(self.stages)


class EfficientNetLite(PictureExtractor[EfficientNetSettings]):
    """What an image classifier sees in renders of the object."""

    name = "efficientnet"
    label = "EfficientNet"
    description = "What a small image classifier sees in renders of the object"
    settings_type = EfficientNetSettings
    roles = {"model": ModelRole("efficientnet")}  # noqa: RUF012
    weight = 0.3  # measured, see :mod:`meshkin.features.extractors`
    auto = 2
    settable = False
    layers_setting = "stages"
    panel = ()

    def look(self, settings: EfficientNetSettings) -> PictureLook:
        """Its pictures, as its settings say."""
        return PictureLook(settings.style, settings.background, settings.resolution)

    def cell_size(self, settings: EfficientNetSettings, models: Models) -> int:
        """Pixels along a cell of the coarsest map."""
        return STRIDES[settings.stages[-1]]

    def build(self, settings: EfficientNetSettings, models: Models, device: str) -> PictureReader:
        """A reader of the network's stages."""
        from ...network_reader import NetworkReader
        from .network import EfficientNet

        network = EfficientNet(Path(models["model"].folder), settings.stages, settings.resolution, device)
        return NetworkReader(network, self.look(settings), "Reading pictures (EfficientNet)")


EXTRACTOR = EfficientNetLite()
