"""Whole materials baked into picture files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.progress import ProgressCallback
from ...base.udim import tile_number
from ...data.snapshot import Snapshot
from ...data.surface_map import Match
from ..carrier import FaceGroups
from .bake import BakeCache, bake
from .channels import BakedTile, SourceTextures, TexelShares
from .map_smoothing import smoothed_map
from .picture_files import save_picture
from .pieces import piece_map
from .pixels import converted
from .settings import BakeSettings, MaterialBakeSettings
from .udim import without_tiles
from .uv_layers import uv_layers

LARGEST_CACHED = 2048
"""Pixels, chosen: width of the largest picture whose texels' correspondence is kept for the next bake."""


@dataclass(frozen=True)
class MaterialFiles:
    """Materials baked into files.

    Attributes:
        files: for each layer, by the channel's name, by UDIM number (1001 where there are no tiles): the picture's
            path. ``mask`` is how far texels were filled in; it is there where there is a threshold.
        layer_of_slot: for each of the target's material slots, the layer of its faces.
        overlap: share of the target's UV layout that lies over other faces of the same layer.
        alpha: whether the fourth channel of ``base_color`` is the channel ``alpha``.
        shares: of all texels, means over the tiles.
    """

    files: tuple[dict[str, dict[int, Path]], ...]
    layer_of_slot: tuple[int, ...]
    overlap: float
    alpha: bool
    shares: TexelShares


def bake_material_files(
    textures: SourceTextures,
    source: Snapshot,
    target: Snapshot,
    match: Match,
    settings: MaterialBakeSettings,
    folder: Path,
    report: ProgressCallback,
) -> MaterialFiles:
    """Bake the source's textures into the target's UV layout, as a file for each channel and tile.

    Where faces of several materials lie over each other in the layout, it has layers with pictures of their own.

    Args:
        textures: the source's; channels that are called ``base_color`` and ``alpha`` share one picture.
        source, target: the two shapes.
        match: their map.
        settings: how.
        folder: where the files are written: ``CHANNEL.NUMBER.png`` (8 and 16 bits) or ``.exr`` (32 bits).
        report: called with the progress; may raise Cancelled.

    Raises as :func:`meshkin.transfer.texture.bake.bake`, and StorageError.
    """
    if settings.preview:
        small = [replace(picture, pixels=_shrunk(picture.pixels, 2 * settings.size)) for picture in textures.pictures]
        textures = replace(textures, pictures=small)
    if settings.smoothing > 0:
        report("Smoothing the map", 0)
        match = replace(match, to_source=smoothed_map(match.to_source, source, target, settings.smoothing))
    report("Matching the pieces", 0)
    pieces = piece_map(source, target, match, settings.left_out, textures, without_tiles(source, textures))
    target, match = pieces.target, pieces.match
    layers = uv_layers(target, settings.tiles)
    target = replace(target, uvs=layers.uvs)
    bake_settings = BakeSettings(settings.size, settings.margin, layers.tiles, settings.threshold)
    names = [channel.name for channel in textures.channels]
    alpha = "base_color" in names and "alpha" in names
    files: tuple[dict[str, dict[int, Path]], ...] = tuple({} for _ in range(layers.count))
    shares = []
    cache = _texel_cache(source, target, match, bake_settings, pieces.groups)
    for baked in bake(textures, source, target, match, bake_settings, report, cache, pieces.groups):
        layer, number = layers.place(baked.tile)
        report("Saving the texture", 0)
        for name, pixels in _named_pictures(baked, names, alpha, settings.threshold > 0).items():
            path = folder / f"{name}.{tile_number(baked.tile)}.png"
            files[layer].setdefault(name, {})[number] = save_picture(pixels, path)
        shares.append(baked.shares)
    return MaterialFiles(files, layers.layer_of_slot, layers.overlap, alpha, _mean(shares))


_cached: dict[str, BakeCache] = {}
"""What the last bake leaves to the next one, which often differs only in its channels or threshold: none or one."""


def _texel_cache(
    source: Snapshot, target: Snapshot, match: Match, settings: BakeSettings, groups: FaceGroups
) -> BakeCache | None:
    """The cache for bakes of these shapes through this map at this size; None where it would be too large to keep."""
    if settings.size > LARGEST_CACHED:
        _cached.clear()
        return None
    digest = hashlib.blake2b(f"{source.key} {target.key} {settings.size} {settings.tiles}".encode())
    for array in (
        target.uvs,
        match.to_source.face,
        match.to_source.barycentric,
        match.to_source.confidence,
        groups.of_target,
        groups.allowed,
    ):
        digest.update(np.ascontiguousarray(array).tobytes())
    key = digest.hexdigest()
    if key not in _cached:
        _cached.clear()
        _cached[key] = BakeCache()
    return _cached[key]


def _shrunk(pixels: NDArray[Any], most: int) -> NDArray[Any]:
    """A picture halved while it is more than ``most`` pixels wide or high and both are even numbers."""
    while max(pixels.shape[:2]) > most and not (pixels.shape[0] % 2 or pixels.shape[1] % 2):
        quarters = [pixels[i::2, j::2].astype(np.float32) for i in (0, 1) for j in (0, 1)]
        pixels = (sum(quarters[1:], quarters[0]) / 4).astype(pixels.dtype)
    return pixels


def _named_pictures(baked: BakedTile, names: Sequence[str], alpha: bool, mask: bool) -> dict[str, NDArray[Any]]:
    """A tile's pictures by the name of their channel, alpha as the fourth channel of the base color, and the mask."""
    pictures = dict(zip(names, baked.pictures, strict=True))
    if alpha:
        base = pictures["base_color"]
        pictures["base_color"] = np.concatenate([base, converted(pictures.pop("alpha"), base.dtype)], axis=2)
    if mask:
        pictures["mask"] = baked.filled[..., None]
    return pictures


def _mean(shares: Sequence[TexelShares]) -> TexelShares:
    means = {field.name: np.mean([getattr(share, field.name) for share in shares]) for field in fields(TexelShares)}
    return TexelShares(**{name: float(mean) for name, mean in means.items()})
