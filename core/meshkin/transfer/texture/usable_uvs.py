"""UV layouts that a texture can be baked into; NumPy only, so that they are checked before any work is done."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ...geometry.arrays import Floats, Singles

MOST_LAYERS = 256
"""Times that a layout may cover the unit square. Chosen; "Reset" in Blender's UV menu covers it once with each face."""
LEAST_UV_AREA = 1e-12
"""Twice the area of a triangle in the unit square, below which it counts as having none. Chosen."""
MOST_TILES = 64
"""Times the unit square that a triangle may reach over. Chosen."""


def target_uvs(target: Snapshot) -> Singles:
    """The target's UVs, float32 (F, 3, 2), if a texture can be laid out in them.

    Raises InputError ``no-uvs``, ``uvs-no-area`` (no triangle has an area in the layout), ``uvs-overlap`` (the layout
    covers itself so often that no texel could belong to anything), ``uvs-range`` (a triangle spans more than
    :data:`MOST_TILES` tiles).
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
    if (np.ptp(uvs[areas > LEAST_UV_AREA], axis=1) > MOST_TILES).any():
        raise InputError(
            "uvs-range", f"A face spans more than {MOST_TILES} tiles of the UV map.", "Scale its UVs down."
        )
    return uvs


def unit_squares(uvs: NDArray[np.floating]) -> set[tuple[int, int]]:
    """The corners of the unit squares in which the middles of triangles (F, 3, 2) lie."""
    corners = np.unique(np.floor(finite(uvs).mean(axis=1)).astype(int), axis=0)
    return {(int(u), int(v)) for u, v in corners.tolist()}


def finite(uvs: NDArray[np.floating]) -> Singles:
    """UVs as float32, zero where they are not finite numbers."""
    return np.nan_to_num(uvs, nan=0, posinf=0, neginf=0).astype(np.float32)


def doubled_areas(uvs: NDArray[np.floating]) -> Floats:
    """Twice the signed area of each triangle in a layout (F, 3, 2), float64 (F,): negative for mirrored ones."""
    edges = uvs[:, 1:].astype(np.float64) - uvs[:, :1]
    return np.asarray(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0])
