"""Diff3F: features of Stable Diffusion while it paints the object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .... import models as known
from ....base.errors import ModelError
from ....base.progress import ProgressCallback
from ...extractor import ModelRole, Models, PanelItem, PictureExtractor, PictureLook, PictureReader
from ...view_data import SeenViews
from ...vision_layers import check_reading, last_layer
from .settings import PROFILES, Diff3fSettings

if TYPE_CHECKING:
    from ...view_data import Lifted

_DESCRIPTION = "What Stable Diffusion paints on the object"


class Diff3f(PictureExtractor[Diff3fSettings]):
    """What Stable Diffusion knows of views that it paints (https://arxiv.org/abs/2311.17024); see :mod:`.painting`."""

    name = "diff3f"
    label = "Diff3F"
    description = f"{_DESCRIPTION}; needs its models and a graphics card"
    settings_type = Diff3fSettings
    transient = ("compiled",)
    profiles = PROFILES
    roles = {  # noqa: RUF012
        "base": ModelRole("stable-diffusion", known.STABLE_DIFFUSION),
        "depth": ModelRole("controlnet", known.DEPTH_CONTROL),
        "normal": ModelRole("controlnet", known.NORMAL_CONTROL),
        "dinov2": ModelRole("dinov2", known.DINOV2_BASE),
    }
    panel = (
        PanelItem("diff3f", "Diff3F", f"{_DESCRIPTION}; needs its models and a graphics card"),
        PanelItem("diff3f+geometric", "Diff3F and Geometric", f"{_DESCRIPTION}, and its shape"),
    )
    panel_options = ("prompt", "negative_prompt", "profile", "seed")
    photo_refusal = "Diff3F paints views of meshes, not photos."
    resumable = True

    def look(self, settings: Diff3fSettings) -> PictureLook:
        """The picture that is painted over, as people may see it."""
        return PictureLook("shading", 1.0, settings.resolution)

    def cell_size(self, settings: Diff3fSettings, models: Models) -> int:
        """Pixels along a cell of the UNet's coarsest map."""
        return 64

    def paints(self, settings: Diff3fSettings) -> bool:
        """Whether the painted pictures are decoded: only DINOv2 looks at them."""
        return settings.fusion > 0

    def needed_roles(self, settings: Diff3fSettings) -> Sequence[str]:
        """Its models without those that count for nothing."""
        scales = dict(zip(("depth", "normal"), settings.controls, strict=True)) | {"dinov2": settings.fusion}
        return [role for role in self.roles if scales.get(role, 1) > 0]

    def complete(self, settings: Diff3fSettings, models: Models) -> Diff3fSettings:
        """DINOv2's last layer, where none is chosen."""
        if settings.layers or "dinov2" not in models:
            return settings
        return replace(settings, layers=last_layer(models["dinov2"]))

    def check(self, settings: Diff3fSettings, models: Models) -> None:
        """Check that the ControlNets fit the model, and DINOv2 its pictures."""
        base = Path(models["base"].folder)
        unet = known.config(base / "unet")
        for role in ("depth", "normal"):
            if role not in models:
                continue
            control = known.config(Path(models[role].folder))
            if any(control.get(name) != unet.get(name) for name in ("cross_attention_dim", "block_out_channels")):
                raise ModelError(
                    "model-wrong",
                    f"The ControlNet in {models[role].folder} is not made for the model in {base}.",
                    "Choose one for Stable Diffusion 1.5.",
                )
        if "dinov2" in models:
            check_reading(models["dinov2"], settings.layers, settings.dino_resolution)

    def large_networks(self, settings: Diff3fSettings, models: Models) -> Sequence[Path]:
        """The UNet and its ControlNets."""
        controls = [Path(models[role].folder) for role in ("depth", "normal") if role in models]
        return [Path(models["base"].folder) / "unet", *controls]

    def build(self, settings: Diff3fSettings, models: Models, device: str) -> PictureReader:
        """A reader that paints the views."""
        from .painting import Diff3fReader

        return Diff3fReader(settings, models, device)

    def lift(self, seen: SeenViews, settings: Diff3fSettings, report: ProgressCallback) -> Lifted:
        """Carry the maps to the vertices: where the views see them, or as the published code does."""
        if settings.lifting == "visible":
            return super().lift(seen, settings, report)
        from . import published

        return published.lift(seen, settings.fusion > 0, settings.tolerance, report)


EXTRACTOR = Diff3f()
