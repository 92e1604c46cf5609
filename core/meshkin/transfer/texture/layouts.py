"""UV layouts that a texture can be baked into."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot

LAYERS = 256
"""Times that a layout may cover the unit square; "Reset" in Blender's UV menu covers it once with each face."""

Singles = NDArray[np.float32]


def target_uvs(target: Snapshot) -> Singles:
    """The target's UVs, if a texture can be laid out in them.

    Raises InputError ``no-uvs``, ``uvs-no-area`` (no triangle has an area in the layout), ``uvs-overlap`` (it lies over
    itself so often that no texel could belong to anything).
    """
    if target.uvs is None:
        raise InputError("no-uvs", f"“{target.name}” has no UV map.", "Unwrap it first (UV > Smart UV Project).")
    uvs = np.nan_to_num(target.uvs, nan=0, posinf=0, neginf=0)
    edges = uvs[:, 1:].astype(np.float64) - uvs[:, :1]
    areas = np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0])
    if not (areas > 1e-12).any():
        raise InputError(
            "uvs-no-area",
            f"The UV map of “{target.name}” has no area: all its faces lie on a point or a line.",
            "Unwrap it (UV > Smart UV Project), or remove that UV map: MeshKin then makes one.",
        )
    if areas.sum() / 2 > LAYERS:
        raise InputError(
            "uvs-overlap",
            f"The faces of “{target.name}” cover its UV map {areas.sum() / 2:,.0f} times over.",
            "Unwrap it (UV > Smart UV Project), or remove that UV map: MeshKin then makes one.",
        )
    return uvs


def repeats(uvs: NDArray[np.floating]) -> bool:
    """Whether a layout goes beyond the unit square, so that a picture of it has to be repeated."""
    return bool(uvs.min(initial=0) < 0 or uvs.max(initial=0) > 1)


def uv_steps(shape: Snapshot, uvs: Singles, size: int) -> Singles:
    """How places change from texel to texel of a layout (G, 3, 2), float32 (G, 3, 2); 0 for triangles without an area
    in it."""
    places_of = shape.vertices.astype(np.float64)[shape.faces]
    edges = places_of[:, 1:] - places_of[:, :1]
    steps = (uvs[:, 1:] - uvs[:, :1]).astype(np.float64) * size
    turn = steps[:, 0, 0] * steps[:, 1, 1] - steps[:, 0, 1] * steps[:, 1, 0]
    scale = np.divide(1.0, turn, out=np.zeros_like(turn), where=np.abs(turn) > 1e-9)
    inverse = np.stack(
        [np.stack([steps[:, 1, 1], -steps[:, 0, 1]], 1), np.stack([-steps[:, 1, 0], steps[:, 0, 0]], 1)], 1
    )
    # Steps' rows are edges, columns u and v: edges^T = A steps^T, so A = edges^T steps^-T.
    return np.asarray(np.einsum("fkd,fuk->fdu", edges, inverse) * scale[:, None, None], np.float32)
