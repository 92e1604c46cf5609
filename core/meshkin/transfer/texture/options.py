"""Options of textures."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.options import NAMES, Choice, option

CHANNELS = (
    Choice("base_color", "Base Color", "With the alpha, where that is chosen too"),
    Choice("roughness", "Roughness"),
    Choice("metallic", "Metallic"),
    Choice("normal", "Normal", "Normal maps, turned into the target's tangent space, and bumps"),
    Choice("emission", "Emission"),
    Choice("alpha", "Alpha"),
    Choice("displacement", "Displacement"),
    Choice("other", "Other", "Specular, subsurface, transmission, coat, sheen, thin film"),
)
UNWRAPS = (
    Choice("smart", "Smart UV Project", "Blender's own: many islands, no stretch"),
    Choice("xatlas", "xatlas", "Fewer, larger islands; takes longer"),
)
TILES = (
    Choice("auto", "Automatic", "UDIM tiles, if the layout looks like it"),
    Choice("udim", "UDIM", "A picture for each tile"),
    Choice("one", "Repeat", "One picture, repeated"),
)


@dataclass(frozen=True)
class TextureOptions:
    """How textures are baked."""

    size: int = option(
        2048, "Texture Size", "Width and height of the new texture",
        flat="texture_size", least=16, most=16384, unit="PIXEL",
    )  # fmt: skip
    margin: int = option(8, "Margin", "How far each UV island is grown, against seams", least=0, most=256, unit="PIXEL")
    threshold: float = option(
        0.0, "Threshold", "Below this trust in the match, textures are filled in from around; 0: copied as is",
        flat="texture_threshold", least=0, most=1, unit="FACTOR",
    )  # fmt: skip
    map_smoothing: float = option(
        0.0, "Smooth Map", "Evens out the match (not the picture) within so many hundredths of the object's size",
        least=0, most=100, soft_most=20,
    )  # fmt: skip
    channels: tuple[str, ...] = option(
        (), "Channels", "Which parts of the material are carried over", choices=CHANNELS, text=NAMES, metavar="NAME,…"
    )
    unwrap: str = option("smart", "Unwrap", "How a target without a UV map gets one", choices=UNWRAPS)
    tiles: str = option("auto", "Tiles", "What UVs of the target outside the unit square mean", choices=TILES)
    folder: str = option(
        "", "Texture Folder", "Folder in which new images are kept as files; empty: they are packed",
        flat="texture_folder", unit="DIR_PATH", metavar="FOLDER",
    )  # fmt: skip
    preview: bool = option(False, "Preview", "Show a small texture first", panel=False, command=False)
