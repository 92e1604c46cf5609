"""Which of a body's two sides matched pixels show: left and right limbs look alike, and matches confuse them.

What is nearer to the camera hides what is behind. So pixels that show a limb belong to the near one; those that the
posed character does not cover though the mask does, to the far one. Where both are about as far away, as seen from the
front, places tell them apart and the match is believed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
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

FAR_SHARE = 0.25
"""Share of a frame's anchors as which those of limbs that nothing covers yet count together. Chosen: such limbs show
few pixels, but these alone say where they are."""
MOST_EMPHASIS = 20.0
"""How many times more one anchor may count for that. Chosen: a single one may be wrong."""


def on_sides(evidence: Evidence, moved: Tensor, is_covered: NDArray[np.bool_]) -> Evidence:
    """Let the anchors of limbs be points of the near limb where they are covered, else of the far one.

    Args:
        evidence: with the anchors as they were matched.
        moved: (T, B, 4, 4), matrices of the bones.
        is_covered: bool (T, A), whether the posed character covers the place of each anchor.
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
    is_other = told & ((behind > 0) == torch.from_numpy(is_covered))
    load = torch.where(is_other[..., None, None], evidence.twin, evidence.load)
    is_hidden = told & ~torch.from_numpy(is_covered)
    return replace(
        evidence, load=load, weight=evidence.weight * (1 + is_hidden * _emphasis(evidence.weight, is_hidden))
    )


def _emphasis(weight: Tensor, is_hidden: Tensor) -> Tensor:
    """How many times more the anchors of hidden limbs are to count, (T, 1)."""
    own = (weight * is_hidden).sum(dim=1, keepdim=True)
    wanted = FAR_SHARE * weight.sum(dim=1, keepdim=True)
    return (wanted / own.clamp(min=1e-9) - 1).clamp(0, MOST_EMPHASIS)


def covered(clip: Clip, shape: PosableShape, vertices: Floats, cameras: Floats, place: Floats) -> NDArray[np.bool_]:
    """Whether a posed shape covers places, (T, A).

    Args:
        clip: its frames' size and focal length.
        shape: its faces.
        vertices: (T, V, 3), posed.
        cameras: (T, 4, 4).
        place: (T, A, 2), pixels.
    """
    reach, last = NOT_COVERED * clip.size, np.array(clip.masks.shape[:0:-1]) - 1
    found = np.zeros(place.shape[:2], bool)
    for frame, points in enumerate(vertices):
        shown = draw_faces(to_camera(points, cameras[frame]), shape.faces, clip.focal, clip.masks.shape[1:]) >= 0
        distance = ndimage.distance_transform_edt(~shown) if shown.any() else np.full(shown.shape, np.inf)
        columns, rows = np.clip(place[frame].astype(int), 0, last).T
        found[frame] = distance[rows, columns] <= reach
    return found
