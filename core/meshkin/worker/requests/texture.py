"""Requests about UV maps and textures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...transfer.texture.channels import Channel, Extension, TexelShares
from ...transfer.texture.settings import MaterialBakeSettings
from .arrays import ArrayBundle
from .base import Request


@dataclass(frozen=True)
class UnwrapShapeResult:
    """``uvs`` is a file of an array float32 (C, 2), the UVs of the polygons' corners, within [0, 1]."""

    uvs: Path


@dataclass(frozen=True)
class UnwrapShape(Request[UnwrapShapeResult], job="unwrap"):
    """Make a UV map.

    Attributes:
        shape: snapshot file.
        size: width and height of the picture that the UV map is for, pixels.
        padding: pixels between UV islands, at that size.
        output: where to write the UVs.
    """

    shape: Path
    size: int
    padding: int
    output: Path


@dataclass(frozen=True)
class PictureFile:
    """One image of the source, as :class:`meshkin.transfer.texture.channels.Picture`.

    Attributes:
        pixels: file of an array uint8, uint16 or float32 (H, W, C), row 0 at the top.
        uv_layout: index of the UV layout that it uses.
        extension: what lies outside the picture.
        closest: whether samples are the closest texel, not interpolated.
        tile: the corner (u, v) of the unit square of UVs that it fills; None for one that ``extension`` continues.
    """

    pixels: Path
    uv_layout: int
    extension: Extension
    closest: bool
    tile: tuple[int, int] | None


@dataclass(frozen=True)
class BakeMaterialsResult:
    """Materials baked into picture files.

    Attributes:
        files: for each layer of the target's UV layout, for each channel (and "mask" where there is a threshold), by
            UDIM tile (1001 and on), the picture's file.
        layer_of_slot: for each of the target's material slots, the layer of its faces.
        overlap: share of the layout that lies over other faces of the same layer.
        alpha: whether the fourth channel of "base_color" is the alpha.
        shares: what happened to the texels.
    """

    files: tuple[dict[str, dict[int, Path]], ...]
    layer_of_slot: tuple[int, ...]
    overlap: float
    alpha: bool
    shares: TexelShares


@dataclass(frozen=True)
class BakeMaterials(Request[BakeMaterialsResult], job="bake"):
    """Bake channels of the source's materials into the target's UV map.

    Attributes:
        source, target: snapshot files.
        map: file of their :class:`meshkin.data.surface_map.Match`.
        pictures: the source's images.
        uv_layouts: files of arrays float32 (F, 3, 2), UVs of the source's triangle corners.
        channels: what to bake.
        settings: how.
        folder: where to write the pictures.
    """

    source: Path
    target: Path
    map: Path
    pictures: tuple[PictureFile, ...]
    uv_layouts: tuple[Path, ...]
    channels: tuple[Channel, ...]
    settings: MaterialBakeSettings
    folder: Path


@dataclass(frozen=True)
class PhotoTextureArrays(ArrayBundle):
    """A photograph as a texture of S x S pixels.

    Attributes:
        pixels: (S, S, 4), sRGB, row 0 at the top.
        origin: (S, S, 3), where each texel's color is from: the photograph, the mirror twin, the surroundings.
    """

    layout: ClassVar[dict[str, str]] = {"pixels": "SS4", "origin": "SS3"}
    pixels: NDArray[np.floating]
    origin: NDArray[np.floating]


@dataclass(frozen=True)
class TexturePhotoResult:
    """A photograph as a texture.

    Attributes:
        arrays: file of :class:`PhotoTextureArrays`.
        values: file of an array float32 (S, S, C), a texture of each of the C further maps; None where there are none.
        seen, mirrored, filled: shares of the texels whose color is from the photograph, from the mirror twin, from the
            surroundings.
        overlap: share of the UV map that lies over other parts of it.
    """

    arrays: Path
    values: Path | None
    seen: float
    mirrored: float
    filled: float
    overlap: float


@dataclass(frozen=True)
class TexturePhoto(Request[TexturePhotoResult], job="texture-photo"):
    """Make a texture of a photograph that is matched to a shape.

    Attributes:
        map: file of a :class:`meshkin.data.photo_map.PhotoMap`.
        shape: snapshot file.
        features: file of the shape's features in the cache.
        albedo: file of an array float32 (H, W, 3), sRGB, in place of the photograph's colors; None for these.
        values: files of arrays float32 (H, W) of further maps of the photograph.
        size, margin: of the texture, pixels.
        output: where to write the result's arrays.
    """

    map: Path
    shape: Path
    features: Path
    albedo: Path | None
    values: tuple[Path, ...]
    size: int
    margin: int
    output: Path
