"""How well a painted view keeps the shape that it was painted on: normals read from it, beside the true ones.

After 3D-DST (Ma et al. 2024, https://arxiv.org/abs/2306.08103), which leaves out pictures whose content does not agree
with the shape that they were generated from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..geometry.arrays import AnyFloats, Flags

_CREASE = np.cos(np.radians(20))
"""Cosine of the angle between the normals of neighboring pixels from which there is an edge. Chosen: a round limb turns
by less from pixel to pixel, a fold and a border between parts by more."""
_REACH = 0.01
"""How far apart edges count as the same, in widths of the picture. Chosen: what a network's blur moves them."""


def misfit(predicted: AnyFloats, true: AnyFloats, inside: Flags) -> float:
    """How badly the normals that a network reads from a picture fit the shape's own: 0 where they are the same.

    The mean angle between them, in radians, plus the share of edges that only one of them has.

    Args:
        predicted, true: (H, W, 3), unit vectors in the camera's frame.
        inside: bool (H, W), where the shape is.
    """
    if not inside.any():
        return 0.0
    cosine = np.einsum("pk,pk->p", predicted[inside].astype(np.float64), true[inside].astype(np.float64))
    angle = float(np.arccos(np.clip(cosine, -1, 1)).mean())
    return angle + 1 - edge_agreement(edges(predicted, inside), edges(true, inside))


def edges(normals: AnyFloats, inside: Flags) -> Flags:
    """Where a surface has creases, bool (H, W): its normal turns sharply toward the pixel below or to the right.

    Args:
        normals: (H, W, 3), unit vectors.
        inside: bool (H, W), where the surface is; its outline is no crease.
    """
    found = np.zeros(inside.shape, bool)
    for axis in (0, 1):
        here, there = (np.s_[:-1, :], np.s_[1:, :]) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
        turns = np.einsum("hwk,hwk->hw", normals[here], normals[there]) < _CREASE
        found[here] |= turns & inside[here] & inside[there]
    return found


def edge_agreement(one: Flags, other: Flags) -> float:
    """The share of two sets of edges (H, W) that the other set has near by; 1 where there are none."""
    total = int(one.sum() + other.sum())
    if not total:
        return 1.0
    reach = max(1, round(_REACH * one.shape[1]))
    near_one, near_other = (ndimage.binary_dilation(each, iterations=reach) for each in (one, other))
    return float((one & near_other).sum() + (other & near_one).sum()) / total


def worst(misfits: NDArray[np.floating], share: float) -> NDArray[np.int64]:
    """The views (N,) that fit worst, as many as the share of all says, but never all; in order."""
    count = min(int(share * len(misfits)), len(misfits) - 1)
    return np.sort(np.argsort(-np.asarray(misfits), kind="stable")[: max(count, 0)])
