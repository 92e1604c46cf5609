"""Options of the maps that are read from a picture."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.options import NAMES, Choice, option

MAP_CHOICES = (
    Choice("albedo", "Albedo", "Colors without light and shadow"),
    Choice("normal", "Normal", "Where the surface faces: right is red, up is green, toward the camera is blue"),
    Choice("depth", "Depth", "Distance along the camera's direction"),
    Choice("roughness", "Roughness"),
    Choice("metallic", "Metallic"),
)
MAPS = tuple(choice.value for choice in MAP_CHOICES)
"""The maps by name."""
SURFACE = ("roughness", "metallic")
"""Maps that a material gets beside its colors."""


@dataclass(frozen=True)
class PictureOptions:
    """How maps are read from a picture."""

    what: tuple[str, ...] = option(
        ("albedo", "normal", "depth"), "Maps", "What to read from the photo",
        flat="map_names", flag="--what", choices=MAP_CHOICES, text=NAMES, metavar="MAP,…", panel=False,
    )  # fmt: skip
    model: str = option(
        "", "Map Model", "Folder of the model that reads maps from photos, or its ID on the Hugging Face Hub; "
        "empty: the known one for each map",
        flat="maps_model", flag="--maps-model", metavar="MODEL",
    )  # fmt: skip
    steps: int = option(
        4, "Steps", "Steps in which noise becomes a map", flat="maps_steps", flag="--steps", least=1, most=100,
        panel=False,
    )  # fmt: skip
    resolution: int = option(
        768, "Resolution", "Longer side of the photo as the model sees it", flat="maps_resolution",
        flag="--resolution", least=256, most=2048, unit="PIXEL", panel=False,
    )  # fmt: skip
    seed: int = option(
        0,
        "Seed",
        "Seed of the noise that maps start from",
        flat="maps_seed",
        flag="--seed",
        least=0,
        most=2**31 - 1,
        panel=False,
    )
    remove_light: bool = option(
        True, "Without Light",
        "Make the texture of the photo's colors without light and shadow, where a model for that is there",
    )  # fmt: skip
    surface: bool = option(
        False, "Rough, Metallic", "Read roughness and metallic from the photo, too", flat="photo_surface",
        flag="--roughness-metallic",
    )  # fmt: skip
