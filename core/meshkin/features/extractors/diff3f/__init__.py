"""Diff3F: features of Stable Diffusion while it paints the object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ....base.options import Choice
from ....models import known
from ...extractor import ModelRole, PictureExtractor, PictureLook, Profile

if TYPE_CHECKING:
    from ....base.progress import ProgressCallback
    from ...extractor import Models, PictureReader
    from ...view_data import Lifted, SeenViews
    from .settings import Diff3fSettings

_DESCRIPTION = "What Stable Diffusion paints on the object"


class Diff3f(PictureExtractor["Diff3fSettings"]):
    """What Stable Diffusion knows of views that it paints (https://arxiv.org/abs/2311.17024); see :mod:`.painting`."""

    name = "diff3f"
    label = "Diff3F"
    description = f"{_DESCRIPTION}; needs its models and a graphics card"
    seconds = 120.0
    transient = ("compiled",)
    profiles = (
        Choice("fast", "Fast", "24 views, 8 steps each"),
        Choice("reference", "Reference", "As published: 50 views, 24 steps in two branches each"),
    )
    roles = {  # noqa: RUF012
        "base": ModelRole("stable-diffusion", known.STABLE_DIFFUSION),
        "depth": ModelRole("controlnet", known.DEPTH_CONTROL),
        "normal": ModelRole("controlnet", known.NORMAL_CONTROL),
        "dinov2": ModelRole("dinov2", known.DINOV2_BASE),
        "reader": ModelRole(known.NORMALS),
    }
    panel = (
        Choice("diff3f", "Diff3F", f"{_DESCRIPTION}; needs its models and a graphics card"),
        Choice("diff3f+geometric", "Diff3F and Geometric", f"{_DESCRIPTION}, and its shape"),
    )
    panel_options = ("prompt", "negative_prompt", "profile", "seed")
    photo_refusal = "Diff3F paints views of meshes, not photos."
    resumable = True

    @property
    def settings_type(self) -> type[Diff3fSettings]:
        """The class of its settings."""
        from .settings import Diff3fSettings

        return Diff3fSettings

    def profile(self, name: str) -> Profile[Diff3fSettings]:
        """The settings and cameras of a profile; "" for the first."""
        from .settings import PROFILES

        return PROFILES[name or self.profiles[0].value]

    def look(self, settings: Diff3fSettings) -> PictureLook:
        """The picture that is painted over, as people may see it."""
        return PictureLook("shading", 1.0, settings.resolution)

    def cell_size(self, settings: Diff3fSettings, models: Models) -> int:
        """Pixels along a cell of the UNet's coarsest map."""
        return 64

    def paints(self, settings: Diff3fSettings) -> bool:
        """Whether the painted pictures are decoded: only DINOv2 and the check look at them."""
        return settings.fusion > 0 or settings.check > 0

    def needed_roles(self, settings: Diff3fSettings) -> Sequence[str]:
        """Its models without those that count for nothing."""
        scales = dict(zip(("depth", "normal"), settings.controls, strict=True)) | {"dinov2": settings.fusion}
        scales["reader"] = settings.check
        return [role for role in self.roles if scales.get(role, 1) > 0]

    def complete(self, settings: Diff3fSettings, models: Models) -> Diff3fSettings:
        """DINOv2's last layer, where none is chosen."""
        from ...vision_layers import last_layer

        if settings.layers or "dinov2" not in models:
            return settings
        return replace(settings, layers=last_layer(models["dinov2"]))

    def check(self, settings: Diff3fSettings, models: Models) -> None:
        """Check that the ControlNets fit the model, and DINOv2 its pictures."""
        from ...diffusion.fitting import check_fits
        from ...vision_layers import check_reading

        for role in ("depth", "normal"):
            if role in models:
                sizes = ("cross_attention_dim", "block_out_channels")
                check_fits(models["base"], models[role], "ControlNet", sizes)
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
        if settings.check > 0:
            from ...view_check import without_worst

            seen = without_worst(seen, settings.check)
        if settings.lifting == "visible":
            return super().lift(seen, settings, report)
        from . import published

        return published.lift(seen, settings.fusion > 0, settings.tolerance, report)


EXTRACTOR = Diff3f()
