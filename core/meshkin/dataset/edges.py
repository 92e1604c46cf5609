"""Edges of pictures and of shapes, as a ControlNet for edges was trained to see them: white lines on black."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..geometry.arrays import Flags
from ..pictures import view_fit
from .record import PicturePasses

LOW, HIGH = 100, 200
"""Thresholds of the gradient, in levels of 255 by Sobel's weights. Source: 3D-DST's and ControlNet's."""
DEPTH_STEP = 0.03
"""Jump of depth from pixel to pixel that is an edge, in the depths that an object takes. Chosen: an arm before a body
jumps by more, a slope of 60 degrees over an object of 100 pixels by less."""
_STEEP, _LEVEL = np.tan(np.radians(67.5)), np.tan(np.radians(22.5))
"""Slopes between the four directions of a gradient."""
_AROUND = np.ones((3, 3), bool)
"""A pixel's eight neighbors."""


def canny(picture: NDArray[np.uint8], low: float = LOW, high: float = HIGH) -> Flags:
    """Edges of a picture, bool (H, W): Canny's (1986), as OpenCV has them with an aperture of 3.

    Without a blur before; of the three colors each pixel's steepest; the gradient is measured by the sum of both
    directions' sizes.

    Args:
        picture: uint8 (H, W, 3).
        low, high: a pixel is an edge whose gradient is above ``high``, or above ``low`` and joined to such ones.
    """
    values = picture.astype(np.int32)
    each = np.stack(
        [
            ndimage.correlate1d(
                ndimage.correlate1d(values, (-1, 0, 1), axis, mode="nearest"), (1, 2, 1), 1 - axis, mode="nearest"
            )
            for axis in (1, 0)
        ]
    )
    steepest = np.abs(each).sum(axis=0).argmax(axis=2)[None, ..., None]
    x, y = np.take_along_axis(each, steepest, axis=3)[..., 0]
    size = np.abs(x) + np.abs(y)
    around = np.pad(size, 1)

    def beside(down: int, right: int) -> NDArray[np.int32]:
        return around[1 + down : around.shape[0] - 1 + down, 1 + right : around.shape[1] - 1 + right]

    across, along = np.abs(y) < _LEVEL * np.abs(x), np.abs(y) > _STEEP * np.abs(x)
    falling = (x ^ y) < 0
    largest = np.where(
        across,
        (size > beside(0, -1)) & (size >= beside(0, 1)),
        np.where(
            along,
            (size > beside(-1, 0)) & (size >= beside(1, 0)),
            np.where(
                falling,
                (size > beside(-1, 1)) & (size > beside(1, -1)),
                (size > beside(-1, -1)) & (size > beside(1, 1)),
            ),
        ),
    )
    weak = largest & (size > low)
    label, _ = ndimage.label(weak, _AROUND)
    return np.asarray(weak & np.isin(label, label[weak & (size > high)]))


def shape_edges(passes: PicturePasses) -> Flags:
    """Edges of the objects' shapes, bool (H, W), whatever is painted on them: outlines, creases, jumps of depth."""
    inside = passes.object > 0
    found = view_fit.edges(passes.normal.astype(np.float32), inside)
    depth = np.where(inside, passes.depth, 0)
    extent = float(np.ptp(depth[inside])) if inside.any() else 0.0
    for axis in (0, 1):
        here, there = (np.s_[:-1, :], np.s_[1:, :]) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
        found[here] |= passes.object[here] != passes.object[there]
        jumps = np.abs(depth[here] - depth[there]) > DEPTH_STEP * extent
        found[here] |= jumps & inside[here] & inside[there]
    return found


def edge_picture(edges: Flags) -> NDArray[np.float32]:
    """The ControlNet's picture of edges (H, W): float32 (H, W, 3) in [0, 1]."""
    return np.repeat(edges[..., None].astype(np.float32), 3, axis=2)
