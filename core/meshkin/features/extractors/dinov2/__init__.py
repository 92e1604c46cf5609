"""DINOv2: patch features of a vision transformer (Oquab et al. 2023, https://arxiv.org/abs/2304.07193)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...extractor import ModelRole, PictureExtractor, PictureLook

if TYPE_CHECKING:
    from ...extractor import Models, PictureReader
    from .settings import Dinov2Settings


class Dinov2(PictureExtractor["Dinov2Settings"]):
    """What a vision transformer sees in renders of the object."""

    name = "dinov2"
    label = "DINOv2"
    description = "What an image model sees in renders of the object"
    seconds = 22.0
    code_version = 2  # 1: whole pictures
    roles = {"model": ModelRole("dinov2")}  # noqa: RUF012
    weight = 0.5  # measured, see :mod:`meshkin.features.extractors`
    auto = 1
    settable = False
    layers_setting = "layers"

    @property
    def settings_type(self) -> type[Dinov2Settings]:
        """The class of its settings."""
        from .settings import Dinov2Settings

        return Dinov2Settings

    def look(self, settings: Dinov2Settings) -> PictureLook:
        """Its pictures, as its settings say."""
        return PictureLook(settings.style, settings.background, settings.resolution)

    def cell_size(self, settings: Dinov2Settings, models: Models) -> int:
        """Pixels along a patch."""
        from ...vision_layers import patch_size

        return patch_size(models["model"])

    def complete(self, settings: Dinov2Settings, models: Models) -> Dinov2Settings:
        """The best layer, where none is chosen; the pictures a whole number of patches large."""
        from ...vision_layers import best_layers

        layers = settings.layers or best_layers(models["model"])
        resolution = self.multiple_of_cell(settings.resolution, settings, models)
        return replace(settings, layers=layers, resolution=resolution)

    def check(self, settings: Dinov2Settings, models: Models) -> None:
        """Check that the model has these layers."""
        from ...vision_layers import check_layers

        check_layers(Path(models["model"].folder), settings.layers)

    def build(self, settings: Dinov2Settings, models: Models, device: str) -> PictureReader:
        """A reader of the model's layers."""
        from ...network_reader import NetworkReader
        from ...vision_transformer import load

        model = models["model"]
        network = load(Path(model.folder), model.checksum, settings.layers, settings.resolution, device, True)
        return NetworkReader(network, self.look(settings), "Reading pictures (DINOv2)", object_only=True)


EXTRACTOR = Dinov2()
