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
PALETTE_AREA = 0.15
"""Most share of its unit squares that a layout on a palette covers. Measured on sixty meshes of characters and their
props: layouts on palettes cover 0.003 to 0.04, those of whole characters joined to one mesh 0.10 to 0.13; layouts for
pictures of their own 0.19 to 0.70."""
PALETTE_OVERLAP = 0.08
"""Least share of such a layout that lies over other faces. Measured on the same: on palettes 0.09 to 0.75 (with few
exceptions, which do no harm), props in an atlas that are mirrored or laid out singly 0.00 to 0.06."""
UV_STEP = 1 / 4096
"""UVs that round to the same multiple of this are one place. Chosen."""
LAYOUT_POINTS = 256
"""Points at which the faces that lie over each other are counted. Chosen: shares are exact to 0.03."""


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


def is_on_palette(uvs: NDArray[np.floating]) -> bool:
    """Whether a layout (F, 3, 2) was made for a palette, so that no other texture fits into it.

    There, pieces that have nothing to do with each other lie over each other on swatches of color; a texture would mix
    what they show. Faces that lie exactly on one another, as those of mirrored halves do, are meant to show the same.
    """
    corners = finite(uvs).astype(np.float64)
    corners = corners[np.unique(np.sort(_places(corners), axis=1), axis=0, return_index=True)[1]]
    areas = np.abs(doubled_areas(corners)) / 2
    shown = areas > LEAST_UV_AREA
    corners, areas = corners[shown], areas[shown]
    if not len(areas):
        return False
    single = float((1 / _faces_over_each_other(corners, areas)).mean())
    covered = areas.sum() * single / len(unit_squares(corners))
    return bool(covered < PALETTE_AREA and 1 - single > PALETTE_OVERLAP)


def is_part_of_layout(uvs: NDArray[np.floating], other: NDArray[np.floating]) -> bool:
    """Whether all corners of a layout (F, 3, 2) lie on corners of the other one (G, 3, 2), as those of a copy do.

    Its pictures then fit, even if both layouts are on a palette.
    """
    return bool(np.isin(_places(finite(uvs)), _places(finite(other))).all())


def _places(uvs: NDArray[np.floating]) -> NDArray[np.complexfloating]:
    """UVs (..., 2), rounded, as one number each."""
    return np.asarray(np.rint(uvs.astype(np.float64) / UV_STEP) @ np.array([1, 1j]))


def _faces_over_each_other(corners: Floats, areas: Floats) -> Floats:
    """How many faces (F, 3, 2) lie at points spread evenly over all of them, (N,)."""
    total = np.cumsum(areas)
    place = (np.arange(LAYOUT_POINTS) + 0.5) / LAYOUT_POINTS
    face = np.searchsorted(total, place * total[-1])
    # A point within each triangle, by additive recurrence (Roberts, "The Unreasonable Effectiveness of Quasirandom
    # Sequences", 2018).
    first, second = (np.arange(LAYOUT_POINTS)[:, None] * (0.7548776662, 0.5698402910) % 1).T
    root = np.sqrt(first)
    weights = np.column_stack((1 - root, root * (1 - second), root * second))
    points = np.einsum("nk,nkd->nd", weights, corners[face])
    low, high = corners.min(axis=1), corners.max(axis=1)
    counts = np.empty(LAYOUT_POINTS)
    for number, point in enumerate(points):
        near = np.flatnonzero((low[:, 0] <= point[0]) & (high[:, 0] >= point[0])
                              & (low[:, 1] <= point[1]) & (high[:, 1] >= point[1]))  # fmt: skip
        sides = np.stack([
            doubled_areas(np.stack((corners[near, one], corners[near, two], np.broadcast_to(point, (len(near), 2))), 1))
            for one, two in ((0, 1), (1, 2), (2, 0))
        ])  # fmt: skip
        counts[number] = max(int(((sides >= 0).all(axis=0) | (sides <= 0).all(axis=0)).sum()), 1)
    return counts


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
