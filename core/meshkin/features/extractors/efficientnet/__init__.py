"""EfficientNet-Lite: the maps of a small image classifier's stages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...extractor import ModelRole, PictureExtractor, PictureLook

if TYPE_CHECKING:
    from ...extractor import Models, PictureReader
    from .settings import EfficientNetSettings


class EfficientNetLite(PictureExtractor["EfficientNetSettings"]):
    """What an image classifier sees in renders of the object."""

    name = "efficientnet"
    label = "EfficientNet"
    description = "What a small image classifier sees in renders of the object"
    seconds = 18.0
    code_version = 2  # 1: whole pictures
    roles = {"model": ModelRole("efficientnet")}  # noqa: RUF012
    weight = 0.3  # measured, see :mod:`meshkin.features.extractors`
    auto = 2
    settable = False
    layers_setting = "stages"
    panel = ()

    @property
    def settings_type(self) -> type[EfficientNetSettings]:
        """The class of its settings."""
        from .settings import EfficientNetSettings

        return EfficientNetSettings

    def look(self, settings: EfficientNetSettings) -> PictureLook:
        """Its pictures, as its settings say."""
        return PictureLook(settings.style, settings.background, settings.resolution)

    def cell_size(self, settings: EfficientNetSettings, models: Models) -> int:
        """Pixels along a cell of the coarsest map."""
        from .stages import STRIDES

        return STRIDES[settings.stages[-1]]

    def build(self, settings: EfficientNetSettings, models: Models, device: str) -> PictureReader:
        """A reader of the network's stages."""
        from ...network_reader import NetworkReader
        from .network import EfficientNet

        network = EfficientNet(Path(models["model"].folder), settings.stages, settings.resolution, device)
        return NetworkReader(network, self.look(settings), "Reading pictures (EfficientNet)", object_only=True)


EXTRACTOR = EfficientNetLite()
