"""UDIM tiles: how the unit squares of UVs are numbered."""

from __future__ import annotations

FIRST_TILE = 1001
"""The UDIM number of the tile at the origin."""
TILE_COLUMNS, TILE_ROWS = 10, 100
"""UDIM counts ten tiles to a row; a hundred rows are numbered."""


def tile_number(tile: tuple[int, int]) -> int:
    """The UDIM number of the unit square whose corner (u, v) is ``tile``: 1001 for (0, 0)."""
    return FIRST_TILE + tile[0] + TILE_COLUMNS * tile[1]


def tile_corner(number: int) -> tuple[int, int]:
    """The corner (u, v) of the unit square that has this UDIM number: (0, 0) for 1001."""
    row, column = divmod(number - FIRST_TILE, TILE_COLUMNS)
    return column, row
