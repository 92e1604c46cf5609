"""How well a fitted motion shows what the frames show, and pictures of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..geometry.arrays import Floats
from .clip import Clip, Motion, PosableShape
from .drawing import draw_faces, to_camera
from .skinning import posed

LEAST_AGREEMENT = 0.75
"""Intersection over union of mask and silhouette below which a frame is doubtful. Chosen."""
FALLEN_BY = 0.1
"""How much lower than the median a frame's may be. Chosen."""
SHEET_FRAMES = 12
"""Frames on a contact sheet. Chosen."""
FRAME_SIDE = 320
"""Pixels along the longer side of a frame on a contact sheet. Chosen."""
PAIRS_A_ROW = 3
"""Pairs of pictures in a row of a contact sheet. Chosen."""
LAMP = np.array((0.3, 0.5, 0.8))
"""Where the light of the drawn surface is from, in camera axes. Chosen: over the shoulder."""
SURFACE_COLOR = np.array((255, 190, 120))
"""Color of the drawn surface, RGB. Chosen: no animal and no background is orange."""


def score(clip: Clip, shape: PosableShape, motion: Motion, cameras: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Intersection over union (T,) of masks and silhouettes, and which frames are doubtful (T,).

    Frames without a mask count 0 and are doubtful, as are those that follow a cut.
    """
    _, vertices = posed(shape, motion)
    values = np.zeros(len(clip))
    for frame, mask in enumerate(clip.masks):
        shown = draw_faces(to_camera(vertices[frame], cameras[frame]), shape.faces, clip.focal, mask.shape) >= 0
        values[frame] = (shown & mask).sum() / max((shown | mask).sum(), 1) if mask.any() else 0.0
    seen = values[clip.masks.any(axis=(1, 2))]
    limit = max(LEAST_AGREEMENT, float(np.median(seen)) - FALLEN_BY) if len(seen) else 1.0
    return values, (values < limit) | np.append(False, ~clip.joined)


def contact_sheet(
    clip: Clip, pictures: NDArray[np.uint8], shape: PosableShape, motion: Motion, cameras: Floats
) -> NDArray[np.uint8]:
    """Frames of the video, each beside the fitted character over it, uint8 (H, W, 3), sRGB."""
    frames = np.unique(np.linspace(0, len(clip) - 1, min(SHEET_FRAMES, len(clip))).round().astype(int))
    height, width = clip.masks.shape[1:]
    ratio = min(1.0, FRAME_SIDE / max(height, width))
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    columns = min(PAIRS_A_ROW, len(frames))
    sheet = Image.new("RGB", (2 * size[0] * columns, size[1] * -(-len(frames) // columns)))
    for number, frame in enumerate(frames.tolist()):
        _, vertices = posed(shape, motion.part(slice(frame, frame + 1)))
        drawn = overlay(pictures[frame], to_camera(vertices[0], cameras[frame]), shape.faces, clip.focal)
        left, top = 2 * size[0] * (number % columns), size[1] * (number // columns)
        for place, picture in enumerate((pictures[frame], drawn)):
            sheet.paste(Image.fromarray(picture).resize(size, Image.Resampling.BOX), (left + place * size[0], top))
    return np.array(sheet)


def overlay(picture: NDArray[np.uint8], points: Floats, faces: NDArray[np.int32], focal: float) -> NDArray[np.uint8]:
    """A surface (vertices in camera axes) drawn over a picture, darkened."""
    shown = draw_faces(points, faces, focal, picture.shape[:2])
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    light = 0.35 + 0.65 * np.abs(normals @ (LAMP / np.linalg.norm(LAMP)))
    drawn = (picture * 0.5).astype(np.uint8)
    drawn[shown >= 0] = (SURFACE_COLOR * light[shown[shown >= 0], None]).astype(np.uint8)
    return drawn
