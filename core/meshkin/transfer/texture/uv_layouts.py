"""UV layouts that a texture can be baked into."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ...geometry.adjacency import opposite_triangles, triangle_components
from ...geometry.arrays import Floats, Singles
from ...geometry.welding import place_numbers, uv_corners

MOST_LAYERS = 256
"""Times that a layout may cover the unit square. Chosen; "Reset" in Blender's UV menu covers it once with each face."""
LEAST_UV_AREA = 1e-12
"""Twice the area of a triangle in the unit square, below which it counts as having none. Chosen."""


def target_uvs(target: Snapshot) -> Singles:
    """The target's UVs, float32 (F, 3, 2), if a texture can be laid out in them.

    Raises InputError ``no-uvs``, ``uvs-no-area`` (no triangle has an area in the layout), ``uvs-overlap`` (the layout
    covers itself so often that no texel could belong to anything).
    """
    if target.uvs is None:
        raise InputError("no-uvs", f"“{target.name}” has no UV map.", "Unwrap it first (UV > Smart UV Project).")
    uvs = finite(target.uvs)
    areas = np.abs(doubled_areas(uvs))
    if not (areas > LEAST_UV_AREA).any():
        raise InputError(
            "uvs-no-area",
            f"The UV map of “{target.name}” has no area: all its faces lie on a point or a line.",
            "Unwrap it (UV > Smart UV Project), or remove that UV map: MeshKin then makes one.",
        )
    if areas.sum() / 2 > MOST_LAYERS:
        raise InputError(
            "uvs-overlap",
            f"The faces of “{target.name}” cover its UV map {areas.sum() / 2:,.0f} times over.",
            "Unwrap it (UV > Smart UV Project), or remove that UV map: MeshKin then makes one.",
        )
    return uvs


def finite(uvs: NDArray[np.floating]) -> Singles:
    """UVs as float32, zero where they are not finite numbers."""
    return np.nan_to_num(uvs, nan=0, posinf=0, neginf=0).astype(np.float32)


def doubled_areas(uvs: NDArray[np.floating]) -> Floats:
    """Twice the signed area of each triangle in a layout (F, 3, 2), float64 (F,): negative for mirrored ones."""
    edges = uvs[:, 1:].astype(np.float64) - uvs[:, :1]
    return np.asarray(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0])


def leaves_unit_square(uvs: NDArray[np.floating]) -> bool:
    """Whether a layout goes beyond the unit square, so that a picture of it has to be repeated."""
    return bool(uvs.min(initial=0) < 0 or uvs.max(initial=0) > 1)


def uv_islands(shape: Snapshot, uvs: NDArray[np.floating]) -> NDArray[np.int32]:
    """The number of the UV island that each triangle belongs to, int32 (F,), of UVs (F, 3, 2)."""
    corners = uv_corners(place_numbers(shape.vertices), shape.faces, uvs)
    return triangle_components(opposite_triangles(corners))
