"""Options of textures."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.options import NAMES, Choice, option

LARGEST_TEXTURE = 16_384
"""Width and height of a texture, pixels (chosen: the largest that graphics cards take)."""

CHANNEL_CHOICES = (
    Choice("base_color", "Base Color", "Color of the surface, with the alpha if that is chosen too"),
    Choice("roughness", "Roughness"),
    Choice("metallic", "Metallic"),
    Choice("normal", "Normal", "Normal maps and bumps, in the target's tangent space"),
    Choice("emission", "Emission"),
    Choice("alpha", "Alpha"),
    Choice("displacement", "Displacement"),
    Choice("other", "Other", "Specular, subsurface, transmission, coat, sheen, thin film"),
)
UNWRAP_CHOICES = (
    Choice("smart", "Smart UV Project", "Blender's own method: many islands, hardly any stretching"),
    Choice("xatlas", "xatlas", "Fewer and larger islands, but slower"),
)
TILE_CHOICES = (
    Choice("auto", "Automatic", "UDIM tiles if the UV layout looks like it"),
    Choice("udim", "UDIM", "One image for each tile"),
    Choice("one", "Repeat", "One image, repeated"),
)


@dataclass(frozen=True)
class TextureOptions:
    """How textures are baked."""

    size: int = option(
        2048, "Texture Size", "Width and height of the new textures",
        flat="texture_size", least=16, most=LARGEST_TEXTURE, unit="PIXEL",
    )  # fmt: skip
    margin: int = option(
        8, "Margin", "How far each UV island is extended, to hide seams", least=0, most=256, unit="PIXEL"
    )
    threshold: float = option(
        0.0, "Threshold", "Fill in textures where the confidence of the match is lower than this; 0: copy everything",
        flat="texture_threshold", least=0, most=1, unit="FACTOR",
    )  # fmt: skip
    map_smoothing: float = option(
        0.0, "Smooth Map", "Smooth the match (not the image) within this distance, in hundredths of the object's size",
        least=0, most=100, soft_most=20,
    )  # fmt: skip
    channels: tuple[str, ...] = option(
        (), "Channels", "Parts of the material to transfer", choices=CHANNEL_CHOICES, text=NAMES, metavar="NAME,…"
    )
    leave_out: tuple[str, ...] = option(
        (), "Leave Out", "Materials of the source that show nowhere; what lies around or beneath shows instead",
        text=NAMES, metavar="NAME,…",
    )  # fmt: skip
    unwrap: str = option("smart", "Unwrap", "How to unwrap a target without a UV map", choices=UNWRAP_CHOICES)
    tiles: str = option(
        "auto", "Tiles", "What UV coordinates of the target outside the unit square mean", choices=TILE_CHOICES
    )
    folder: str = option(
        "", "Texture Folder", "Folder in which to save new images; empty: pack them into the .blend file",
        flat="texture_folder", unit="DIR_PATH", metavar="FOLDER",
    )  # fmt: skip
    preview: bool = option(False, "Preview", "Show a small texture first", panel=False, command=False)
