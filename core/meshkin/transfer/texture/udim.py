"""UDIM tiles: which unit squares of UVs have a picture of their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...base.udim import TILE_COLUMNS, TILE_ROWS
from ...data.snapshot import Snapshot
from ...geometry.arrays import Flags
from .channels import SourceTextures
from .texels import texel_map
from .usable_uvs import finite

COMPARED_SIZE = 256
"""Pixels, chosen: width of the pictures in which tiles are compared."""
SAME_TEXELS = 0.95
"""Chosen: two tiles that share more than this of what the smaller one covers show the same texels."""

COLORS = ("base_color", "emission")
"""Channels that show a surface's color."""


def udim_tiles(uvs: NDArray[np.floating], wanted: bool) -> tuple[tuple[int, int], ...] | None:
    """The UDIM tiles that a UV layout fills; None where its UVs mean one picture, repeated outside the unit square.

    Unless tiles are ``wanted`` in any case, a layout has tiles if each of its triangles lies inside one of the tiles
    from 1001 on, and no tile shows the texels of another (mirrored halves are often moved aside by a whole tile).

    Args:
        uvs: (F, 3, 2).
        wanted: whether the layout is known to have tiles.
    """
    low, high = np.floor(uvs.min(axis=1) + 1e-5), np.ceil(uvs.max(axis=1) - 1e-5) - 1
    inside = (high <= low).all(axis=1) & (low >= 0).all(axis=1) & (low[:, 0] < TILE_COLUMNS) & (low[:, 1] < TILE_ROWS)
    first = np.maximum(low, 0).astype(int)
    corners = np.unique(first[inside], axis=0)
    tiles = tuple((int(u), int(v)) for u, v in sorted(corners.tolist(), key=lambda corner: corner[::-1]))
    if wanted:
        return tiles or ((0, 0),)
    if len(tiles) < 2 or not inside.all():
        return None
    covered = [texel_map(uvs - np.array(tile), COMPARED_SIZE, wrap=False).covered for tile in tiles]
    for index, here in enumerate(covered):
        for other in covered[:index]:
            if (here & other).sum() > SAME_TEXELS * min(here.sum(), other.sum()):
                return None
    return tiles


def without_tiles(source: Snapshot, textures: SourceTextures) -> Flags:
    """The source's triangles, bool (F,), whose color is on a tile that its image lacks: there is nothing to show."""
    lacking = np.zeros(len(source.faces), bool)
    for channel in textures.channels:
        if channel.name not in COLORS:
            continue
        for slot, texture in channel.slots.items():
            pictures = [textures.pictures[number] for number in texture.pictures]
            tiles = [picture.tile for picture in pictures if picture.tile is not None]
            if tiles and len(tiles) == len(pictures):
                squares = np.floor(finite(textures.uv_layouts[pictures[0].uv_layout]).mean(axis=1))
                there = (squares[:, None] == np.array(tiles)).all(axis=2).any(axis=1)
                lacking |= (source.materials == slot) & ~there
    return lacking
