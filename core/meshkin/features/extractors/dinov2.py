"""DINOv2: patch features of a vision transformer (Oquab et al. 2023, https://arxiv.org/abs/2304.07193)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ...models import config, vision
from ..extractor import ModelRole, Models, PictureExtractor, PictureLook, PictureReader
from ..settings import Settings, number
from ..vision_layers import best_layers, check_layers


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


class Dinov2(PictureExtractor[Dinov2Settings]):
    """What a vision transformer sees in renders of the object."""

    name = "dinov2"
    label = "DINOv2"
    description = "What an image model sees in renders of the object"
    settings_type = Dinov2Settings
    roles = {"model": ModelRole("dinov2")}  # noqa: RUF012
    weight = 0.5  # measured, see :mod:`meshkin.features.extractors`
    auto = 1
    settable = False
    layers_setting = "layers"

    def look(self, settings: Dinov2Settings) -> PictureLook:
        """Its pictures, as its settings say."""
        return PictureLook(settings.style, settings.background, settings.resolution)

    def cell_size(self, settings: Dinov2Settings, models: Models) -> int:
        """Pixels along a patch."""
        return vision.patch_size(config(Path(models["model"].folder)))

    def complete(self, settings: Dinov2Settings, models: Models) -> Dinov2Settings:
        """The best layer, where none is chosen; the pictures a whole number of patches large."""
        layers = settings.layers or best_layers(models["model"])
        resolution = self.multiple_of_cell(settings.resolution, settings, models)
        return replace(settings, layers=layers, resolution=resolution)

    def check(self, settings: Dinov2Settings, models: Models) -> None:
        """Check that the model has these layers."""
        check_layers(Path(models["model"].folder), settings.layers)

    def build(self, settings: Dinov2Settings, models: Models, device: str) -> PictureReader:
        """A reader of the model's layers."""
        from ..network_reader import NetworkReader
        from ..vision_transformer import load

        model = models["model"]
        network = load(Path(model.folder), model.checksum, settings.layers, settings.resolution, device)
        return NetworkReader(network, self.look(settings), "Reading pictures (DINOv2)")


EXTRACTOR = Dinov2()
