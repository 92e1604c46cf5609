"""DINOv2: patch features of a vision transformer (Oquab et al. 2023, https://arxiv.org/abs/2304.07193)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ....models import known
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
    roles = {  # noqa: RUF012
        "model": ModelRole("dinov2"),
        "head": ModelRole(known.LEARNT_HEAD, optional=True),  # on the model's maps
    }
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
        """The best layer, or the head's, where none is chosen; the pictures a whole number of patches large."""
        from ....models.head_fitting import lesson_of
        from ...vision_layers import best_layers

        layers = settings.layers
        if not layers and (head := models.get("head")):
            layers = lesson_of(Path(head.folder)).layers
        layers = layers or best_layers(models["model"])
        resolution = self.multiple_of_cell(settings.resolution, settings, models)
        return replace(settings, layers=layers, resolution=resolution)

    def check(self, settings: Dinov2Settings, models: Models) -> None:
        """Check that the model has these layers, and that the head was learnt on them."""
        from ....models.head_fitting import check_fits
        from ...vision_layers import check_layers

        check_layers(Path(models["model"].folder), settings.layers)
        if head := models.get("head"):
            check_fits(Path(head.folder), models["model"], settings.layers)

    def build(self, settings: Dinov2Settings, models: Models, device: str) -> PictureReader:
        """A reader of the model's layers, through the head where there is one."""
        from ...aggregation import HeadedNetwork, load_head
        from ...network_reader import NetworkReader, PictureNetwork
        from ...vision_transformer import load

        model, head = models["model"], models.get("head")
        network: PictureNetwork = load(
            Path(model.folder), model.checksum, settings.layers, settings.resolution, device, True
        )
        if head:
            network = HeadedNetwork(network, load_head(Path(head.folder), head.checksum, network.device))
        return NetworkReader(network, self.look(settings), "Reading pictures (DINOv2)", object_only=True)


EXTRACTOR = Dinov2()
