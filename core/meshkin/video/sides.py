"""Which of a body's two sides matched pixels show: left and right limbs look alike, and matches confuse them.

What is nearer to the camera hides what is behind. So pixels that show a limb belong to the near one; those that the
posed character does not cover though the mask does, to the far one. Where both are about as far away, as seen from the
front, places tell them apart and the match is believed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ..geometry.arrays import Floats
from .clip import Clip, PosableShape
from .drawing import draw_faces, to_camera
from .evidence import Evidence
from .skinning import skin

FARTHER = 0.05
"""Depth, sizes of the shape, by which two limbs must differ to be told apart by what hides what. Chosen: a leg's
width."""
NOT_COVERED = 0.02
"""Distance from the posed character, sizes of the object in the picture, from which a pixel counts as not covered.
Measured: matches of what is covered err by as much."""
SAME_LIMB = 0.15
"""Distance at rest, sizes of the shape, between a match and what is shown there, within which both are of one limb, or
of its mirror image. Chosen: matches slide along limbs."""

FAR_SHARE = 0.25
"""Share of a frame's anchors as which those of limbs that nothing covers yet count together. Chosen: such limbs show
few pixels, but these alone say where they are."""
MOST_EMPHASIS = 20.0
"""How many times more one anchor may count for that. Chosen: a single one may be wrong."""


def on_sides(evidence: Evidence, moved: Tensor, shown: Floats | None = None) -> Evidence:
    """Let the anchors of limbs be points of the limb that is shown there; of the far one where nothing is.

    Args:
        evidence: with the anchors as they were matched.
        moved: (T, B, 4, 4), matrices of the bones.
        shown: (T, A, 3), the point at rest that the posed character shows at the place of each anchor, NaN where it
            shows none, :func:`shown_points`; None to let all be points of the near limb.
    """
    if evidence.twin is None:
        return evidence
    depths = []
    for load in (evidence.load, evidence.twin):
        points = skin(moved, load)
        depths.append(-(points @ evidence.cameras[:, 2, :3, None])[..., 0] - evidence.cameras[:, 2, 3, None])
    behind = depths[0] - depths[1]
    main = [load[..., 3].argmax(dim=-1) for load in (evidence.load, evidence.twin)]
    told = (behind.abs() > FARTHER) & (main[0] != main[1])
    if shown is None:
        is_hidden, is_other = torch.zeros_like(told), told & (behind > 0)
    else:
        there = torch.from_numpy(shown)
        away = [
            torch.linalg.vector_norm(load[..., :3].sum(dim=2) - there, dim=-1)
            for load in (evidence.load, evidence.twin)
        ]
        is_limb = (torch.minimum(*away) < SAME_LIMB) & ((away[0] - away[1]).abs() > FARTHER)
        is_covered = ~there[..., 0].isnan()
        is_hidden = told & ~is_covered
        by_depth = (behind > 0) == is_covered
        is_other = told & torch.where(is_limb, away[0] > away[1], by_depth)
    load = torch.where(is_other[..., None, None], evidence.twin, evidence.load)
    return replace(
        evidence, load=load, weight=evidence.weight * (1 + is_hidden * _emphasis(evidence.weight, is_hidden))
    )


def _emphasis(weight: Tensor, is_hidden: Tensor) -> Tensor:
    """How many times more the anchors of hidden limbs are to count, (T, 1)."""
    own = (weight * is_hidden).sum(dim=1, keepdim=True)
    wanted = FAR_SHARE * weight.sum(dim=1, keepdim=True)
    return (wanted / own.clamp(min=1e-9) - 1).clamp(0, MOST_EMPHASIS)


def shown_points(clip: Clip, shape: PosableShape, vertices: Floats, cameras: Floats, place: Floats) -> Floats:
    """The points at rest (T, A, 3) that a posed shape shows at places; NaN where it does not cover them.

    Args:
        clip: its frames' size and focal length.
        shape: at rest.
        vertices: (T, V, 3), posed.
        cameras: (T, 4, 4).
        place: (T, A, 2), pixels.
    """
    reach, last = NOT_COVERED * clip.size, np.array(clip.masks.shape[:0:-1]) - 1
    middles = shape.vertices[shape.faces].mean(axis=1)
    found = np.full((*place.shape[:2], 3), np.nan)
    for frame, points in enumerate(vertices):
        drawn = draw_faces(to_camera(points, cameras[frame]), shape.faces, clip.focal, clip.masks.shape[1:])
        if (drawn < 0).all():
            continue
        distance, nearest = ndimage.distance_transform_edt(drawn < 0, return_indices=True)
        columns, rows = np.clip(place[frame].astype(int), 0, last).T
        near = distance[rows, columns] <= reach
        at = nearest[:, rows[near], columns[near]]
        found[frame, near] = middles[drawn[at[0], at[1]]]
    return found
