"""The settings of ``diff3f`` and its two profiles.

Source: Diff3F (Dutt, Muralikrishnan, Mitra, CVPR 2024, https://arxiv.org/abs/2311.17024).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ....data.recipe import ViewPlacement
from ...diffusion.taps import check_taps
from ...extractor import Profile
from ...settings import Settings, number, require


@dataclass(frozen=True)
class Diff3fSettings(Settings):
    """Settings of ``diff3f``; the defaults are the values of its published code.

    Attributes:
        resolution: of the pictures, pixels.
        prompt: what the object is, in words.
        template: the sentence that the prompt is put into, at {}.
        negative: what not to paint.
        conditioning: how depth and normals become the ControlNets' pictures: ``published`` (see :mod:`.published`) or
            ``calibrated`` (see :mod:`.painting`).
        controls: how much the depth and the normal ControlNet count; at 0 one is not even loaded.
        steps: of the DDIM schedule.
        strength: share of the schedule that is run, its last steps.
        eta: of the DDIM steps: 1 adds all noise again at each step, 0 none.
        guidance: of classifier-free guidance; above 1 two branches are run, with the prompt and with the negative one.
        read: the branch whose features are taken.
        taps: places in the decoder (:data:`meshkin.features.diffusion.taps.TAPS`) and how much each counts.
        share: share of the steps whose features are read, the last ones.
        step_weights: weights of the first and the last of the steps read; they rise evenly in between.
        finish: whether the last step still cleans the picture that DINOv2 is shown. Without it the decoder stops after
            the last tap there, and DINOv2 is shown what the step before foresaw.
        seed: of the noise.
        noise: ``shared`` (all views get the same) or ``view`` (each its own, by where its camera stands).
        encoder: whether the VAE's distribution is ``sampled`` or its ``mean`` taken.
        layers: of DINOv2; () for its last one.
        dino_resolution: of the pictures that DINOv2 is shown, pixels.
        fusion: DINOv2's share, 0 to 1; at 0 nothing is decoded and no DINOv2 loaded.
        check: share of the views that are left out before lifting, those whose painted pictures fit the shape worst: a
            network reads normals from them (:mod:`meshkin.pictures.view_fit`). At 0 none is, and no such network read.
        lifting: ``visible`` (:func:`meshkin.features.lifting.lift`) or ``published`` (:mod:`.published`).
        tolerance: radius around a vertex within which the published lifting takes pixels, in diameters of the shape.
        compiled: whether the attention blocks are compiled first; the features stay the same.
    """

    resolution: int = number(512, 64, 2048, step=64)
    prompt: str = "object"
    template: str = "{},best quality,highly detailed,photorealistic,photo"
    negative: str = "lowres,low quality,monochrome,watermark"
    conditioning: Literal["published", "calibrated"] = "published"
    controls: tuple[float, float] = (0.8, 0.8)
    steps: int = number(30, 1, 1000)
    strength: float = number(0.8, 1e-3, 1.0)
    eta: float = number(1.0, 0.0, 1.0)
    guidance: float = number(7.0, 1.0, 100.0)
    read: Literal["positive", "negative"] = "negative"
    taps: Mapping[str, float] = field(default_factory=lambda: {"up1": 1.0})
    share: float = number(0.75, 1e-3, 1.0)
    step_weights: tuple[float, float] = (0.1, 1.0)
    finish: bool = True
    seed: int = number(60, 0, 2**63 - 1)
    noise: Literal["shared", "view"] = "shared"
    encoder: Literal["sampled", "mean"] = "sampled"
    layers: tuple[int, ...] = ()
    dino_resolution: int = number(518, 14, 4096)
    fusion: float = number(0.5, 0.0, 0.99)
    check: float = number(0.0, 0.0, 0.9)
    lifting: Literal["published", "visible"] = "published"
    tolerance: float = number(0.01, 1e-6, 1.0)
    compiled: bool = False

    def check_together(self) -> None:
        """Check what the bounds of single numbers do not say."""
        require("{}" in self.template, "template", self.template, "a text with {} where the prompt goes")
        require(int(self.steps * self.strength) >= 1, "strength", self.strength, "enough for one step")
        controls, weights = self.controls, self.step_weights
        require(all(0 <= scale <= 10 for scale in controls), "controls", controls, "two numbers from 0 to 10")
        good = all(0 <= weight <= 1e3 for weight in weights) and sum(weights) > 0
        require(good, "step_weights", weights, "two numbers of 0 or more, not both 0")
        check_taps(self.taps)
        wanted = "positive where guidance is 1: no other branch is run"
        require(self.read == "positive" or self.guidance > 1, "read", self.read, wanted)


REFERENCE = Diff3fSettings()
"""Diff3F as its published code runs: 50 distinct views, 24 steps with two branches each. What of it is a quirk and no
choice is told in :mod:`.published`."""

FAST = replace(
    REFERENCE,
    template="a photo of a {}, best quality, highly detailed, photorealistic",
    conditioning="calibrated",
    steps=10,
    eta=0.0,
    guidance=1.0,
    read="positive",
    finish=False,
    noise="view",
    encoder="mean",
    lifting="visible",
)
"""The default: 192 UNet rows a shape where the published code runs 4,800.

What each saving costs, by the published ablation (SHREC'19 accuracy at 1 %, 26.41 in full) where that says so:

* Distinct, evenly spread, framed views: nothing is lost by leaving repeats out; 24 instead of 50 is not ablated.
* 8 steps instead of 24, and no new noise in them: not ablated by itself. Reading one step instead of 18 costs 0.68
  (25.73), so how many steps are averaged matters little; what must stay is that the picture is painted at all (without
  it 17.20).
* One branch instead of two: not ablated. Without guidance the prompt counts for less; the ControlNets hold the shape.
* Vertices sampled where they are seen instead of a ball around each: 0.69 (25.72; on SHREC'20 it gains 1.5).
* The decoder stops at the tap in the last step, and DINOv2 is shown the clean picture that the step before foresaw:
  not ablated.
* Pictures as the ControlNets were trained on them, noise of its own for each view: savings of nothing, mended quirks
  (leaving the normal ControlNet out costs 0.73).

DINOv2 stays on the painted pictures, which is why they are decoded: without it TOSCA and SHREC'20 lose more (64.89
instead of 72.60) than the 26.53 on SHREC'19 gain. ``fusion`` 0 saves that too.
"""

PROFILES = {
    "fast": Profile(FAST, ViewPlacement("fibonacci", 24)),
    "reference": Profile(REFERENCE, ViewPlacement("grid", 100, distance=0.65, angle=90.0)),
}
"""The profiles, the default first. Distance and angle of the cameras are those of the published code."""
