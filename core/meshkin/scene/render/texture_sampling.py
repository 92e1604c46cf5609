"""An image sampled at UVs, at a resolution that suits the size of a pixel. Arrays only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...data.views import Views

Pyramid = list[NDArray[np.float32]]
"""An image (H, W, 3), row 0 at the top, and its halvings: a mipmap."""


def pyramid_of(pixels: NDArray[np.float32]) -> Pyramid:
    """The pyramid of an image, down to a width or height of 1 pixel."""
    levels = [np.ascontiguousarray(pixels)]
    while min(levels[-1].shape[:2]) > 1:
        last = levels[-1]
        even = last[: last.shape[0] // 2 * 2, : last.shape[1] // 2 * 2]
        mean = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
        levels.append(mean.astype(np.float32))
    return levels


def pyramid_levels(
    uvs: NDArray[np.float32],
    shape: tuple[int, ...],
    snapshot: Snapshot,
    views: Views,
    view: int,
    triangles: NDArray[np.int32],
) -> NDArray[np.int64]:
    """How often to halve an image so that a texel is about as large as a pixel, for each of P triangles; int64 (P,).

    Args:
        uvs: (F, 3, 2), of all triangles.
        shape: of the image, (H, W, ...).
        snapshot: the surface.
        views: the cameras.
        view: number of the camera.
        triangles: int32 (P,), numbers of triangles.
    """
    unique, back = np.unique(triangles, return_inverse=True)
    texels = _areas(uvs[unique] * (shape[1], shape[0]))
    projected = views.project(view, snapshot.vertices[snapshot.faces[unique]].reshape(-1, 3))[0]
    pixels = _areas(projected.reshape(-1, 3, 2))
    ratio = texels / np.maximum(pixels, 1e-9)
    level = np.floor(np.log2(np.maximum(ratio, 1)) / 2 + 0.5)
    return level.astype(np.int64)[back.reshape(-1)]


def _areas(corners: NDArray[np.floating]) -> NDArray[np.floating]:
    """Areas of plane triangles (N, 3, 2)."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2


def sample(pyramid: Pyramid, uvs: NDArray[np.floating], levels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Bilinear samples, float32 (P, 3), of an image that repeats itself.

    Args:
        pyramid: of the image.
        uvs: (P, 2).
        levels: int64 (P,), the level to sample; the last one for numbers beyond it.
    """
    result = np.empty((len(uvs), 3), np.float32)
    levels = np.minimum(levels, len(pyramid) - 1)
    for level in np.unique(levels).tolist():
        in_level, image = levels == level, pyramid[level]
        height, width = image.shape[:2]
        x, y = uvs[in_level, 0] * width - 0.5, (1 - uvs[in_level, 1]) * height - 0.5
        left, top = np.floor(x), np.floor(y)
        right_share, lower_share = (x - left)[:, None], (y - top)[:, None]
        columns = [(left.astype(np.int64) + step) % width for step in (0, 1)]
        rows = [(top.astype(np.int64) + step) % height for step in (0, 1)]
        upper, lower = (
            image[row, columns[0]] * (1 - right_share) + image[row, columns[1]] * right_share for row in rows
        )
        result[in_level] = upper * (1 - lower_share) + lower * lower_share
    return result
