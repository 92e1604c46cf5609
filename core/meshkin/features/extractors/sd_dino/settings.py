"""The settings of ``sd_dino``.

Source: "A Tale of Two Features" (Zhang et al., NeurIPS 2023, https://arxiv.org/abs/2305.15347), sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ...diffusion.taps import check_taps
from ...settings import Settings, number, require


@dataclass(frozen=True)
class SdDinoSettings(Settings):
    """Settings of ``sd_dino``.

    Attributes:
        style: of the pictures, see :data:`meshkin.data.recipe.STYLES`.
        background: gray level behind the object.
        resolution: of the pictures that Stable Diffusion looks at, pixels. (The published code looks at four
            overlapping squares of 512 pixels out of 960: four passes a picture. One pass at 512 is a quarter of that
            work.)
        prompt: what the object is, in words; "" where the template does not ask for it.
        template: the sentence that the prompt is put into, at {}. Empty, as published: no text. "a photo of a {}" is
            the published alternative.
        form: ``noised``, for a UNet as Stable Diffusion was trained: one look at latents with the noise of ``step``;
            or ``clean``, for one fine-tuned to look at clean latents whatever the step (CleanDIFT, Stracke et al.,
            CVPR 2025, https://arxiv.org/abs/2412.03439): ``step``, ``seed`` and ``noise`` say nothing then. An
            ordinary UNet does worse on clean latents than on noisy ones. ``geoaware`` gives the maps, as they are, to
            the head of "Telling Left from Right" (Zhang et al., CVPR 2024, https://arxiv.org/abs/2311.17034), the model
            ``head``; step, resolution and dino_resolution that are left at their defaults are 50, 960 and 840 then, as
            published. (The published code looks at four overlapping squares of 512 pixels out of 960, here one pass
            looks at all.)
        step: how much noise, 0 to 999; published: 100.
        seed: of the noise.
        noise: ``view`` (each view its own, by where its camera stands) or ``shared`` (all pictures the same, as
            published). Photographs always get the shared one.
        taps: places in the decoder (:data:`meshkin.features.diffusion.taps.TAPS`) and how much each level counts.
        components: to which each level is reduced, jointly for all shapes that meet in a job (:mod:`.reduction`).
        layers: of DINOv2; () for the best one.
        dino_resolution: of the pictures that DINOv2 looks at, pixels. (Published: 840.)
        fusion: DINOv2's share, 0 to 1; at 0 it is not loaded.
        compiled: whether the attention blocks are compiled first; the features stay the same.
    """

    style: Literal["normal", "shading", "textured"] = "textured"
    background: float = number(1.0, 0.0, 1.0)
    resolution: int = number(512, 64, 2048, step=64)
    prompt: str = ""
    template: str = ""
    form: Literal["noised", "clean", "geoaware"] = "noised"
    step: int = number(100, 0, 999)
    seed: int = number(42, 0, 2**63 - 1)
    noise: Literal["view", "shared"] = "view"
    taps: Mapping[str, float] = field(default_factory=lambda: {"s3": 1.0, "s4": 1.0, "s5": 1.0})
    components: int = number(256, 3, 256)
    layers: tuple[int, ...] = ()
    dino_resolution: int = number(518, 1, 4096)
    fusion: float = number(0.5, 0.0, 0.99)
    compiled: bool = False

    def check_together(self) -> None:
        """Check the taps, and that the head gets what it reads."""
        check_taps(self.taps)
        if self.form == "geoaware":
            require(list(self.taps) == ["s3", "s4", "s5"], "taps", list(self.taps), "s3, s4 and s5 for this form")
            require(self.fusion > 0, "fusion", self.fusion, "above 0 for this form")

    def completed(self) -> SdDinoSettings:
        """These settings with the published values of the form in place of defaults."""
        if self.form != "geoaware":
            return self
        default = SdDinoSettings()
        return replace(
            self,
            step=50 if self.step == default.step else self.step,
            resolution=960 if self.resolution == default.resolution else self.resolution,
            dino_resolution=840 if self.dino_resolution == default.dino_resolution else self.dino_resolution,
        )
