"""UV layouts: their extent and their islands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...geometry.adjacency import opposite_triangles, triangle_components
from ...geometry.welding import place_numbers, uv_corners


def leaves_unit_square(uvs: NDArray[np.floating]) -> bool:
    """Whether a layout goes beyond the unit square, so that a picture of it has to be repeated."""
    return bool(uvs.min(initial=0) < 0 or uvs.max(initial=0) > 1)


def uv_islands(shape: Snapshot, uvs: NDArray[np.floating]) -> NDArray[np.int32]:
    """The number of the UV island that each triangle belongs to, int32 (F,), of UVs (F, 3, 2)."""
    corners = uv_corners(place_numbers(shape.vertices), shape.faces, uvs)
    return triangle_components(opposite_triangles(corners))
