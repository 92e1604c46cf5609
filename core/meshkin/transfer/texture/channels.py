"""What is baked: the source's pictures and the channels of its materials, and the pictures that are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Picture:
    """One image of the source.

    Attributes:
        pixels: uint8, uint16 or float32 (H, W, C), row 0 at the top, where v = 1.
        layout: number of the UV layout that it uses.
        address: one of :data:`meshkin.transfer.texture.sampling.ADDRESSES`.
        closest: it is not interpolated.
        tile: the corner of the unit square of UVs that it fills, None where ``address`` says what lies outside.
    """

    pixels: NDArray[Any]
    layout: int = 0
    address: str = "repeat"
    closest: bool = False
    tile: tuple[int, int] | None = None


@dataclass(frozen=True)
class Source:
    """What one material slot gives to a channel: pictures (several tiles of one image), or a value.

    A sample is decoded (sRGB to linear) if need be, multiplied by ``weights``, ``offset`` is added, and the result
    encoded (linear to sRGB) if need be.

    Attributes:
        pictures: their numbers; () for a plain value.
        value: (C,), the plain value, and what is shown where no tile is.
        decode, encode: convert the first three channels of each sample.
        weights: (C, D), how much of each channel of the picture is in each channel of the result; None for all as
            they are.
        offset: (D,), () for 0.
        strength: of normals.
    """

    pictures: tuple[int, ...] = ()
    value: tuple[float, ...] = (0, 0, 0, 0)
    decode: bool = False
    encode: bool = False
    weights: tuple[tuple[float, ...], ...] | None = None
    offset: tuple[float, ...] = ()
    strength: float = 1


@dataclass(frozen=True)
class Channel:
    """One picture to be made.

    Attributes:
        sources: by material slot; other slots are 0.
        width: number of channels, 1 to 4.
        depth: 8, 16 or 32 bits.
        normal: it holds tangent-space normals, which are turned into the target's frames.
    """

    sources: Mapping[int, Source]
    width: int = 4
    depth: int = 8
    normal: bool = False


@dataclass(frozen=True)
class Layout:
    """The picture to be made.

    Attributes:
        size: width and height, pixels.
        margin: pixels by which islands are grown beyond their borders.
        tiles: the corners of the unit squares of UVs to make a picture of each; None for one, in which all UVs are
            repeated.
        threshold: where the map's confidence is below this, the texture is filled in from around.
    """

    size: int
    margin: int = 8
    tiles: tuple[tuple[int, int], ...] | None = None
    threshold: float = 0


@dataclass
class Baked:
    """One tile's pictures.

    Attributes:
        tile: the corner of its unit square.
        pictures: for each channel uint8, uint16 or float32 (S, S, C), row 0 at the top; 0 where no island is.
        filled: uint8 (S, S), how far each texel was filled in rather than copied.
        shares: ``covered`` of the picture, ``filled`` and ``torn`` of what is covered.
    """

    tile: tuple[int, int]
    pictures: list[NDArray[Any]]
    filled: NDArray[np.uint8]
    shares: dict[str, float] = field(default_factory=dict)
