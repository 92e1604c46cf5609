"""UV layouts whose materials lie over each other, taken apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from meshkin.data.snapshot import Snapshot
from meshkin.transfer.texture.uv_layers import UvLayers, uv_layers


def square(u: float, v: float, size: float = 1.0) -> NDArray[np.float64]:
    """The UVs of two triangles that fill a square."""
    corners = np.array([(u, v), (u + size, v), (u + size, v + size), (u, v + size)])
    return corners[[[0, 1, 2], [0, 2, 3]]]


def layers(*squares: tuple[int, NDArray[np.float64]], wanted: str = "auto") -> UvLayers:
    """Of a layout of squares, each with its material slot."""
    uvs = np.concatenate([uv for _, uv in squares])
    grid = np.stack([np.arange(len(uvs) * 3), np.arange(len(uvs) * 3) ** 2 % 7, np.arange(len(uvs) * 3) % 5], axis=1)
    target = Snapshot.from_arrays(grid.astype(float), np.arange(len(uvs) * 3).reshape(-1, 3))
    slots = np.repeat([slot for slot, _ in squares], 2).astype(np.int32)
    return uv_layers(replace(target, uvs=uvs.astype(np.float32), materials=slots), wanted)  # type: ignore[arg-type]


def test_materials_beside_each_other_share_their_pictures() -> None:
    found = layers((0, square(0, 0, 0.5)), (1, square(0.5, 0, 0.5)), (2, square(0, 0.5, 0.5)))
    assert (found.layer_of_slot, found.tiles, found.count) == ((0, 0, 0), None, 1)
    assert found.overlap < 0.02


def test_each_material_on_the_whole_square_has_its_own() -> None:
    found = layers((0, square(0, 0)), (2, square(0, 0)), (1, square(0.3, 0.3, 0.2)), (1, square(3, 0, 0.1)))
    assert sorted(found.layer_of_slot) == [0, 1, 2]
    assert found.tiles == ((0, 0), (0, 1), (0, 2))
    assert {found.place(tile) for tile in found.tiles} == {(0, 1001), (1, 1001), (2, 1001)}
    for face, slot in enumerate([0, 0, 2, 2, 1, 1, 1, 1]):
        assert np.floor(found.uvs[face].mean(axis=0)).tolist() == [0, found.layer_of_slot[slot]]
    assert found.overlap < 0.02


def test_small_faces_at_the_border_stay_in_their_square() -> None:
    """Smaller than what a face may reach out of its square, at each of its corners."""
    corners = [square(u, v, 0.005) for u in (0.001, 0.99) for v in (0.001, 0.99)]
    found = layers((0, square(0, 0)), (1, square(0, 0)), *((1, corner) for corner in corners))
    moved = np.concatenate([square(0, 0), *corners]) + np.array([0, found.layer_of_slot[1]])
    np.testing.assert_allclose(found.uvs[2:], moved, atol=1e-6)
    assert found.tiles == ((0, 0), (0, 1))


def test_small_materials_share_the_layer_that_is_free() -> None:
    found = layers((0, square(0, 0)), (1, square(0, 0, 0.4)), (2, square(0.5, 0.5, 0.4)), (3, square(0.1, 0.1, 0.1)))
    assert found.layer_of_slot == (0, 1, 1, 2)


def test_what_lies_over_itself_in_one_material_is_told() -> None:
    found = layers((0, square(0, 0, 0.5)), (0, square(0, 0, 0.5)), (0, square(0.5, 0.5, 0.5)))
    assert found.count == 1
    assert abs(found.overlap - 1 / 3) < 0.02


def test_tiles_of_several_materials() -> None:
    """Materials in tiles of their own stay; one that lies over another's tile gets rows of tiles above."""
    body = ((0, square(0, 0)), (0, square(1, 0)), (1, square(0, 1)))
    found = layers(*body, wanted="udim")
    assert (found.layer_of_slot, found.tiles) == ((0, 0), ((0, 0), (1, 0), (0, 1)))
    found = layers(*body, (2, square(0.2, 1.2, 0.5)), wanted="udim")
    assert found.layer_of_slot == (0, 0, 1)
    assert found.tiles == ((0, 0), (1, 0), (0, 1), (0, 3))
    assert found.place((0, 1)) == (0, 1011)
    assert found.place((0, 3)) == (1, 1011)


def test_faces_over_several_squares_are_left_together() -> None:
    """A repeated layout cannot be taken apart; the overlap is told."""
    found = layers((0, square(0, 0, 3)), (1, square(0, 0)), wanted="one")
    assert found.count == 1
    assert found.overlap > 0.5
