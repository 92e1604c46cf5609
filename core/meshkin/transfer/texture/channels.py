"""What is baked: the source's pictures and the channels of its materials; and the pictures that come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Extension = Literal["repeat", "extend", "clip", "mirror"]
"""What lies outside a picture, in the words of Blender's Image Texture node: the picture again, its border, nothing
(0), its mirror image."""


@dataclass(frozen=True)
class Picture:
    """One image of the source.

    Attributes:
        pixels: uint8, uint16 or float32 (H, W, C), row 0 at the top, where v = 1.
        uv_layout: index of the UV layout that it uses.
        extension: what lies outside the picture.
        closest: whether samples are the closest texel, not interpolated.
        tile: the corner (u, v) of the unit square of UVs that it fills (a UDIM tile), None for a picture that
            ``extension`` continues.
    """

    pixels: NDArray[Any]
    uv_layout: int = 0
    extension: Extension = "repeat"
    closest: bool = False
    tile: tuple[int, int] | None = None


@dataclass(frozen=True)
class SlotTexture:
    """What one material slot of the source gives to a channel: pictures (the tiles of one image), or a plain value.

    A sample of a picture is converted from sRGB to linear light (``from_srgb``), multiplied by ``weights``, moved by
    ``offset``, and converted from linear light to sRGB (``to_srgb``).

    Attributes:
        pictures: their indices; () for a plain value.
        value: (C,), the plain value, and what is shown where no tile is.
        from_srgb, to_srgb: whether the first three channels of each sample are converted.
        weights: (D, C), how much of each of the picture's D channels goes into each of the C channels; None for all as
            they are.
        offset: (C,), () for 0.
        strength: of tangent-space normals, as of Blender's Normal Map node; 1 leaves them as they are.
    """

    pictures: tuple[int, ...] = ()
    value: tuple[float, ...] = (0, 0, 0, 0)
    from_srgb: bool = False
    to_srgb: bool = False
    weights: tuple[tuple[float, ...], ...] | None = None
    offset: tuple[float, ...] = ()
    strength: float = 1


@dataclass(frozen=True)
class Channel:
    """One picture to bake.

    Attributes:
        slots: what each material slot of the source gives; other slots give 0.
        width: number of color channels, 1 to 4.
        depth: 8, 16 or 32 bits.
        normal: whether it holds tangent-space normals, which are turned into the target's tangent space.
        name: what it is called, for example "base_color" or "roughness".
    """

    slots: Mapping[int, SlotTexture]
    width: int = 4
    depth: int = 8
    normal: bool = False
    name: str = ""


@dataclass(frozen=True)
class SourceTextures:
    """All textures of the source.

    Attributes:
        pictures: its images.
        uv_layouts: float (F, 3, 2) each, UVs of the source's triangle corners, as many as the pictures use.
        channels: what to bake of them.
    """

    pictures: Sequence[Picture]
    uv_layouts: Sequence[NDArray[np.floating]]
    channels: Sequence[Channel]


@dataclass(frozen=True)
class TexelShares:
    """What happened to a picture's texels.

    Attributes:
        covered: share of all texels that show the surface.
        filled: share of the covered ones that were filled in from around.
        torn: share of the covered ones that lie where the map is torn.
    """

    covered: float
    filled: float
    torn: float


@dataclass
class BakedTile:
    """The pictures baked for one UDIM tile (or the only one).

    Attributes:
        tile: the corner of its unit square of UVs.
        pictures: for each channel uint8, uint16 or float32 (S, S, C), row 0 at the top; 0 where no island is.
        filled: uint8 (S, S), how far each texel was filled in rather than copied, 255 for entirely.
        shares: what happened to the texels.
    """

    tile: tuple[int, int]
    pictures: list[NDArray[Any]]
    filled: NDArray[np.uint8]
    shares: TexelShares
