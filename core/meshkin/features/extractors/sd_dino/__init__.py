"""SD+DINO: one look of Stable Diffusion and one of DINOv2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ....models import known
from ...extractor import ModelRole, PictureExtractor, PictureLook

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...extractor import Models, PictureReader
    from .settings import SdDinoSettings


class SdDino(PictureExtractor["SdDinoSettings"]):
    """What Stable Diffusion and DINOv2 see in an object's own materials, or in a photograph; see :mod:`.reading`."""

    name = "sd_dino"
    label = "SD+DINO"
    description = "What Stable Diffusion and DINOv2 see in its own materials; needs their models"
    seconds = 60.0
    code_version = 2
    transient = ("compiled",)
    roles = {  # noqa: RUF012
        "base": ModelRole("stable-diffusion", known.STABLE_DIFFUSION),
        "unet": ModelRole("unet", optional=True),  # in place of the base's own
        "dinov2": ModelRole("dinov2", known.DINOV2_BASE),
        "head": ModelRole(known.GEOAWARE_HEAD, optional=True),  # of the form “geoaware”
    }
    resumable = True
    reduces = True

    @property
    def settings_type(self) -> type[SdDinoSettings]:
        """The class of its settings."""
        from .settings import SdDinoSettings

        return SdDinoSettings

    def look(self, settings: SdDinoSettings) -> PictureLook:
        """The pictures that Stable Diffusion looks at."""
        return PictureLook(settings.style, settings.background, settings.resolution)

    def cell_size(self, settings: SdDinoSettings, models: Models) -> int:
        """Pixels along a cell of the UNet's coarsest map."""
        return 64

    def needed_roles(self, settings: SdDinoSettings) -> Sequence[str]:
        """Its models, without DINOv2 where that counts for nothing."""
        return [role for role in self.roles if role != "dinov2" or settings.fusion > 0]

    def complete(self, settings: SdDinoSettings, models: Models) -> SdDinoSettings:
        """DINOv2's best layer, where none is chosen; no prompt where the template does not ask for it."""
        from ...vision_layers import best_layers

        settings = settings.completed()
        prompt = settings.prompt if "{}" in settings.template else ""
        layers = settings.layers
        if not layers and "dinov2" in models:
            layers = best_layers(models["dinov2"])
        return replace(settings, prompt=prompt, layers=layers)

    def check(self, settings: SdDinoSettings, models: Models) -> None:
        """Check that the other UNet fits the model, and DINOv2 its pictures."""
        from ....models.head_fitting import check_inputs
        from ...diffusion.fitting import check_fits
        from ...diffusion.taps import tap_channels
        from ...settings import require
        from ...vision_layers import check_reading, state_channels

        if "unet" in models:
            check_fits(models["base"], models["unet"], "UNet", ("cross_attention_dim",))
        if "dinov2" in models:
            check_reading(models["dinov2"], settings.layers, settings.dino_resolution)
        is_geoaware = settings.form == "geoaware"
        given = "given" if "head" in models else "missing"
        require(is_geoaware == ("head" in models), "head", given, "given with form=geoaware, and only with it")
        if is_geoaware:
            channels = [tap_channels(Path(models["base"].folder), tap) for tap in settings.taps]
            channels += [state_channels(models["dinov2"])] * len(settings.layers)
            check_inputs(Path(models["head"].folder), channels)

    def large_networks(self, settings: SdDinoSettings, models: Models) -> Sequence[Path]:
        """The UNet."""
        return [Path(models["base"].folder) / "unet"]

    def build(self, settings: SdDinoSettings, models: Models, device: str) -> PictureReader:
        """A reader that looks once at each picture."""
        from .reading import SdDinoReader

        return SdDinoReader(settings, models, device)

    def reduce(
        self,
        features: Sequence[NDArray[np.float32]],
        settings: SdDinoSettings,
        weight: float,
        channels: Sequence[int],
    ) -> list[NDArray[np.float32]]:
        """Each level of Stable Diffusion by its joint principal components; see :mod:`.reduction`."""
        from .reduction import reduce

        if settings.form == "geoaware":  # all pictures share the head's space
            return list(features)
        return reduce(features, settings, weight, channels)


EXTRACTOR = SdDino()
