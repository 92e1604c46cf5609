"""UV layouts: their extent, their islands, and whether one is another's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...geometry.adjacency import opposite_triangles, triangle_components
from ...geometry.arrays import Flags
from ...geometry.welding import place_numbers, uv_corners
from ..carrier import PointCarrier

SAME_TEXEL = 0.1
"""Distance in a picture up to which two points have the same place there, texels. Chosen: what is sampled so near a
texel's center is its value."""
PROBES = np.array([[8, 1, 1], [1, 8, 1], [1, 1, 8]], np.float32) / np.float32(10)
"""Barycentric coordinates of the points at which two layouts of a triangle are compared. Chosen: near its corners, but
inside, where a point has one UV."""


def leaves_unit_square(uvs: NDArray[np.floating]) -> bool:
    """Whether a layout goes beyond the unit square, so that a picture of it has to be repeated."""
    return bool(uvs.min(initial=0) < 0 or uvs.max(initial=0) > 1)


def uv_islands(shape: Snapshot, uvs: NDArray[np.floating]) -> NDArray[np.int32]:
    """The number of the UV island that each triangle belongs to, int32 (F,), of UVs (F, 3, 2)."""
    corners = uv_corners(place_numbers(shape.vertices), shape.faces, uvs)
    return triangle_components(opposite_triangles(corners))


def is_own_layout(
    carrier: PointCarrier, uvs: NDArray[np.floating], layouts: Sequence[NDArray[np.floating]], size: int
) -> Flags:
    """Return which of the target's triangles lie in the pictures where what they show lies in the source's, bool (G,).

    So it is on a copy with the source's UV map: its seams are the source's own.

    Args:
        carrier: carries the target's points to the source.
        uvs: (G, 3, 2), of the target.
        layouts: (F, 3, 2) each, those of the source that its pictures use.
        size: of the pictures, texels.
    """
    face = np.repeat(np.arange(len(uvs)), len(PROBES))
    probes = np.tile(PROBES, (len(uvs), 1))
    there, weights = carrier.carry(face, probes)
    own = np.einsum("nk,nkd->nd", probes, uvs[face])
    same = np.full(len(face), len(layouts) > 0)
    for layout in layouts:
        away = np.einsum("nk,nkd->nd", weights, layout[there]) - own
        away -= np.rint(away)  # a whole unit square aside is the same place in the picture
        same &= np.abs(away).max(axis=1) * size <= SAME_TEXEL
    return np.asarray(same.reshape(-1, len(PROBES)).all(axis=1))
