"""A UV layout taken apart where faces of several materials lie over each other: each layer gets pictures of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.udim import TILE_ROWS, tile_number
from ...data.snapshot import Snapshot
from ...geometry.arrays import Flags, Singles
from .settings import Tiles
from .texels import texel_map
from .udim import udim_tiles
from .usable_uvs import doubled_areas, target_uvs, unit_squares

LAYER_SIZE = 512
"""Pixels, chosen: width of the pictures in which the materials' faces are compared."""
OVERLAP_SHARE = 0.02
"""Materials that share more than this of what the smaller one covers lie over each other; chosen."""
BESIDE = 0.02
"""How far a face may reach out of its unit square and still belong to it alone; chosen."""


@dataclass(frozen=True)
class UvLayers:
    """The layout, whose layers lie above each other in v: the first where it was.

    Attributes:
        uvs: float32 (F, 3, 2) of the target's triangles.
        tiles: the unit squares that have pictures; None for one picture, which repeats outside its square.
        rows: how many unit squares each layer is high.
        layer_of_slot: for each material slot, the layer of its faces.
        overlap: share of the layout's area that lies over other faces of the same layer.
    """

    uvs: Singles
    tiles: tuple[tuple[int, int], ...] | None
    rows: int
    layer_of_slot: tuple[int, ...]
    overlap: float

    @property
    def count(self) -> int:
        """How many layers there are."""
        return max(self.layer_of_slot, default=0) + 1

    def place(self, tile: tuple[int, int]) -> tuple[int, int]:
        """The layer of a tile, and its UDIM number within the layer."""
        layer, row = divmod(tile[1], self.rows)
        return layer, tile_number((tile[0], row))


def uv_layers(target: Snapshot, wanted: Tiles) -> UvLayers:
    """Take the target's layout apart; it stays as it is where no two materials lie over each other.

    Materials are put, the largest first, into the first layer in which their faces are free. Where faces of a repeated
    layout reach over several unit squares it cannot be taken apart.

    Args:
        target: with UVs.
        wanted: what UVs outside the unit square mean.

    Raises InputError as :func:`meshkin.transfer.texture.usable_uvs.target_uvs`.
    """
    uvs = target_uvs(target)
    tiles = None if wanted == "one" else udim_tiles(uvs, wanted == "udim")
    slots = int(target.materials.max(initial=0)) + 1
    covered = {slot: _covered(uvs[target.materials == slot], tiles) for slot in np.unique(target.materials).tolist()}
    rows = 1 + max((row for _, row in tiles), default=0) if tiles else 1
    low, high = uvs.min(axis=1), uvs.max(axis=1)
    square = np.floor((low + high) / 2)  # not of a corner: near a border, that may be the next square's
    within = bool((low >= square - BESIDE).all() and (high <= square + 1 + BESIDE).all())
    layer_of_slot = np.zeros(slots, np.int64)
    pictures = [np.zeros_like(next(iter(covered.values())))]
    for slot in sorted(covered, key=lambda each: -int(covered[each].sum())):
        layer = _first_free(covered[slot], pictures) if tiles or within else 0
        if layer == len(pictures) and (layer + 1) * rows > TILE_ROWS:
            layer -= 1  # no more rows of tiles: the last layer has overlaps
        if layer == len(pictures):
            pictures.append(np.zeros_like(covered[slot]))
        pictures[layer] |= covered[slot]
        layer_of_slot[slot] = layer
    area = float(np.abs(doubled_areas(uvs)).sum() / 2)
    overlap = max(0.0, 1 - sum(float(picture.sum()) for picture in pictures) / LAYER_SIZE**2 / max(area, 1e-12))
    if len(pictures) > 1:
        layer_of_face = layer_of_slot[target.materials]
        if tiles is None:
            uvs = uvs - square[:, None].astype(np.float32)
            tiles = ((0, 0),)
        used = {(u, v + layer * rows) for layer in range(len(pictures)) for u, v in tiles}
        uvs = uvs + np.stack([0 * layer_of_face, layer_of_face * rows], axis=1)[:, None].astype(np.float32)
        tiles = tuple(sorted(used & unit_squares(uvs), key=lambda tile: tile[::-1]))
    return UvLayers(uvs, tiles, rows, tuple(layer_of_slot.tolist()), overlap)


def _first_free(covered: Flags, pictures: list[Flags]) -> int:
    """The first of the layers in which hardly any of these texels is taken; a new one after the last otherwise."""
    for layer, taken in enumerate(pictures):
        smaller = min(covered.sum(), taken.sum())
        if (covered & taken).sum() <= OVERLAP_SHARE * smaller:
            return layer
    return len(pictures)


def _covered(uvs: Singles, tiles: tuple[tuple[int, int], ...] | None) -> Flags:
    """The texels, bool (T, S, S), whose centers some triangle covers, of each tile or of the one repeated picture."""
    corners = tiles or ((0, 0),)
    maps = [
        texel_map(uvs - np.array(corner, np.float32), LAYER_SIZE, wrap=tiles is None, faces_only=True)
        for corner in corners
    ]
    # Only texels that a triangle touches, but whose centers it does not cover, have coordinates in it here.
    return np.stack([each.covered & ~each.barycentric.any(axis=2) for each in maps])
