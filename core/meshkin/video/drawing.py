"""Posed surfaces drawn with a pinhole camera: which triangle each pixel shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..geometry.arrays import Floats

FINER = 3
"""How much finer than the picture triangles are drawn, of which the middle is kept: polygons are filled with their
border, which would make the surface larger by half a pixel. Chosen, odd."""


def to_camera(vertices: Floats, camera: Floats) -> Floats:
    """Points (V, 3) in camera axes; ``camera`` (4, 4)."""
    moved: Floats = vertices @ camera[:3, :3].T + camera[:3, 3]
    return moved


def places(points: Floats, focal: float, shape: tuple[int, int]) -> Floats:
    """Places (V, 2) of points in camera axes (x right, y up, looking along -Z), pixels from the upper left corner."""
    depth = np.maximum(-points[:, 2:], 1e-6)
    shown: Floats = focal * points[:, :2] * (1, -1) / depth + np.array(shape[::-1]) / 2
    return shown


def draw_faces(points: Floats, faces: NDArray[np.integer], focal: float, shape: tuple[int, int]) -> NDArray[np.int32]:
    """The triangle that each pixel shows, int32 (H, W), -1 for none: painted from the farthest to the nearest.

    Args:
        points: (V, 3), camera axes.
        faces: int (F, 3).
        focal: focal length, pixels.
        shape: H and W.
    """
    shown, depth = places(points, focal, shape), -points[:, 2]
    in_front = np.flatnonzero((depth[faces] > 0).all(axis=1))
    order = in_front[np.argsort(-depth[faces[in_front]].mean(axis=1))]
    image = Image.new("I", (shape[1] * FINER, shape[0] * FINER), -1)
    draw = ImageDraw.Draw(image)
    corners = (shown[faces[order]] * FINER - 0.5).reshape(len(order), 6)
    for number, flat in zip(order.tolist(), corners.tolist(), strict=True):
        draw.polygon(flat, fill=number)
    return np.array(image, np.int32)[FINER // 2 :: FINER, FINER // 2 :: FINER]
