"""Outlines of masks as line segments (marching squares: Lorensen and Cline 1987, in the plane)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

MASK_BLUR = 0.8
"""Pixels over which a mask is blurred: its steps become lines. Chosen."""
CELL_CORNERS = ((0, 0), (0, 1), (1, 1), (1, 0))
"""Rows and columns of a cell's corners, around it; edge ``k`` leads from corner ``k`` to the next one."""
CROSSED = {
    1: ((3, 0),), 2: ((0, 1),), 3: ((3, 1),), 4: ((1, 2),), 5: ((3, 0), (1, 2)), 6: ((0, 2),), 7: ((3, 2),),
    8: ((2, 3),), 9: ((2, 0),), 10: ((0, 1), (2, 3)), 11: ((2, 1),), 12: ((1, 3),), 13: ((1, 0),), 14: ((0, 3),),
}  # fmt: skip
"""Pairs of edges that the outline joins in a cell, by its corners that are inside (corner ``k`` counts ``2 ** k``)."""


def outline(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The outline of a mask (H, W) as segments (S, 2, 2): x and y of both ends, widths from the picture's center,
    y up."""
    height, width = mask.shape
    value = ndimage.gaussian_filter(np.pad(mask.astype(np.float32), 1), MASK_BLUR) - 0.5
    value[[0, -1]], value[:, [0, -1]] = -0.5, -0.5  # what the picture's border cuts is closed along it
    corner = [value[row : row + height + 1, column : column + width + 1] for row, column in CELL_CORNERS]
    inside = sum((each > 0).astype(np.int64) << number for number, each in enumerate(corner))
    found = []
    for case, pairs in CROSSED.items():
        rows, columns = np.nonzero(inside == case)
        for pair in pairs:
            found.append(np.stack([_crossing(corner, edge, rows, columns) for edge in pair], axis=1))
    places = np.concatenate(found) - 0.5  # the padding, and centers of pixels
    segments = (places[..., ::-1] - (width / 2, height / 2)) * (1, -1) / width
    return segments.astype(np.float32)


def _crossing(
    corner: list[NDArray[np.float32]], edge: int, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Row and column (N, 2) at which the outline crosses an edge of cells."""
    start, end = edge, (edge + 1) % 4
    before, after = corner[start][rows, columns], corner[end][rows, columns]
    share = (before / (before - after))[:, None]
    cell = np.column_stack((rows, columns))
    crossed: NDArray[np.float64] = cell + (1 - share) * CELL_CORNERS[start] + share * CELL_CORNERS[end]
    return crossed
