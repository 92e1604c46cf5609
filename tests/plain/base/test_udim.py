"""The numbers of UDIM tiles."""

from __future__ import annotations

import pytest

from meshkin.base.udim import tile_corner, tile_number


@pytest.mark.parametrize(("tile", "number"), [((0, 0), 1001), ((9, 0), 1010), ((0, 1), 1011), ((2, 3), 1033)])
def test_tiles_are_numbered(tile: tuple[int, int], number: int) -> None:
    assert tile_number(tile) == number
    assert tile_corner(number) == tile
