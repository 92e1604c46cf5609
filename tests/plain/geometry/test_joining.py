"""What a mesh shows as one surface: pieces that were cut apart, and parts that only lie on others."""

from __future__ import annotations

import numpy as np

from helpers import shapes
from meshkin.geometry.joining import joined_mesh, on_cut_pieces


def cut_sheet(gap: float) -> tuple[shapes.Array, shapes.Array, shapes.Array]:
    """Vertices and faces of a patch cut out of a sheet, of the rest and of a button; and which of them each vertex is
    of."""
    sheet, faces = shapes.sheet(101)
    inside = (np.abs(sheet[faces].mean(axis=1)) < 0.3).all(axis=1)
    parts = []
    for chosen, size in ((inside, 1 - gap / 0.3), (~inside, 1)):
        used, corners = np.unique(faces[chosen], return_inverse=True)
        parts.append((sheet[used] * size, corners.reshape(-1, 3)))
    button, corners = shapes.sheet(4)
    parts.append((0.05 * button + (0.5, 0.5, 0.001), corners))
    return *shapes.joined(*parts), np.repeat(np.arange(3), [len(part[0]) for part in parts])


def test_pieces_are_told_from_what_lies_on_them() -> None:
    """Also where the gap is wide beside the edges; of the rest, most of the border lies along nothing."""
    for gap, is_piece in ((0.002, True), (0.005, True), (0.2, False)):
        vertices, faces, part = cut_sheet(gap)
        np.testing.assert_array_equal(on_cut_pieces(vertices, faces), (part == 0) & is_piece)


def test_pieces_known_to_be_parts_of_different_things_stay_apart() -> None:
    vertices, faces, part = cut_sheet(0.002)
    shape = shapes.snapshot(vertices, faces)
    count = len(joined_mesh(shape).first)
    assert count < len(vertices) - 100
    assert len(joined_mesh(shape, part).first) == len(vertices)
    assert len(joined_mesh(shape, np.where(part == 0, 0, -1)).first) == count
