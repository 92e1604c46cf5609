"""Layouts that were made for a palette are told from those of props in an atlas."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from meshkin.transfer.texture.usable_uvs import is_on_palette, is_part_of_layout

Uvs = NDArray[np.float64]


def grid(count: int = 8) -> Uvs:
    """The unit square in squares of two triangles each, (2 count^2, 3, 2)."""
    low = np.stack(np.meshgrid(np.arange(count), np.arange(count), indexing="ij"), axis=-1).reshape(-1, 1, 2)
    corners = (low + np.array([(0, 0), (1, 0), (1, 1), (0, 1)])) / count
    return np.concatenate((corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]))


def turned(uvs: Uvs, degrees: float) -> Uvs:
    """A layout turned about the middle of its unit square."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (uvs - 0.5) @ np.array([(cos, sin), (-sin, cos)]) + 0.5


def pieces(*degrees: float) -> Uvs:
    """Pieces over each other on the same place, each turned otherwise."""
    return np.concatenate([turned(grid(), each) for each in degrees])


@pytest.mark.parametrize(
    "uvs",
    [
        pieces(0, 30) * 0.05,
        pieces(0, 30, 50, 75) * 0.1 + 0.3,
        np.concatenate((pieces(0, 20) * 0.02, pieces(0, 65) * 0.02 + 0.5, grid() * 0.02 + 0.8)),
        pieces(0, 30) * 0.05 + np.array([3, 0]),
        np.concatenate((pieces(0, 30) * 0.2, pieces(0, 30) * 0.2 + np.array([1, 0]))),
    ],
    ids=["two pieces", "four pieces", "three swatches", "outside of the unit square", "two unit squares"],
)
def test_pieces_over_each_other_on_swatches(uvs: Uvs) -> None:
    assert is_on_palette(uvs)


@pytest.mark.parametrize(
    "uvs",
    [
        grid(),
        grid() * 0.1,
        np.concatenate((grid(), grid()[:, ::-1])) * 0.1,
        np.concatenate([grid()] * 6) * 0.05,
        pieces(0, 30) * 0.7,
        np.concatenate((grid() * 0.1, grid() * 0.1 + np.array([0.09, 0]))) * (1, 0.1),
        np.zeros((5, 3, 2)),
        np.full((5, 3, 2), np.nan),
    ],
    ids=["whole", "prop", "mirrored prop", "six times the same", "large", "touching", "point", "no numbers"],
)
def test_other_layouts(uvs: Uvs) -> None:
    """Faces that lie on one another exactly are meant to show the same, and what is large was made for a picture."""
    assert not is_on_palette(uvs)


def test_what_lies_on_a_part_of_another_layout() -> None:
    other = pieces(0, 30) * 0.05
    shuffled = np.random.default_rng(0).permutation(other)[:50, [1, 2, 0]]
    assert is_part_of_layout(shuffled + 1e-6, other)
    assert not is_part_of_layout(other, shuffled)
    assert not is_part_of_layout(other * 1.1, other)
