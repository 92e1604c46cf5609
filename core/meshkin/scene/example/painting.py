"""A character's texture: painted on it from the front and from the back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...geometry.arrays import Floats
from .figure import Figure, bone_distances

PICTURE_SIZE = 640
"""Width and height of the picture, pixels. Chosen."""
PALETTE = {
    "skin": (0.93, 0.71, 0.56),
    "hair": (0.33, 0.17, 0.09),
    "shirt": (0.16, 0.42, 0.66),
    "stripe": (0.95, 0.93, 0.86),
    "trousers": (0.25, 0.27, 0.34),
    "belt": (0.45, 0.27, 0.12),
    "shoes": (0.72, 0.20, 0.16),
    "sole": (0.93, 0.92, 0.88),
    "eye": (0.10, 0.07, 0.06),
    "white": (0.98, 0.98, 0.98),
    "mouth": (0.62, 0.20, 0.18),
    "cheek": (0.95, 0.55, 0.48),
}
"""Colors, sRGB. Chosen."""
MARGIN = 0.03
"""Space around the body in the picture, as a share of its height. Chosen."""


def _frame(body: Figure) -> tuple[float, float]:
    """Half the width and the height that the picture's halves show, meters."""
    half = float(np.abs(np.concatenate([body.heads[:, 0], body.tails[:, 0]])).max()) + float(body.radii.max())
    return half + MARGIN * body.height, body.height * (1 + 2 * MARGIN)


def uvs(body: Figure, corners: Floats, faces_back: NDArray[np.bool_]) -> Floats:
    """Where corners (C, 3) lie in the picture, (C, 2): its left half shows the front, its right half the back."""
    half, height = _frame(body)
    across = corners[:, 0] / (4 * half)
    return np.stack(
        (np.where(faces_back, 0.75 - across, 0.25 + across), corners[:, 2] / height + MARGIN / (1 + 2 * MARGIN)), axis=1
    )


def picture(body: Figure) -> NDArray[np.float32]:
    """The texture, (PICTURE_SIZE, PICTURE_SIZE, 4), row 0 at the top, sRGB."""
    half, height = _frame(body)
    places = (np.arange(PICTURE_SIZE) + 0.5) / PICTURE_SIZE
    across, up = np.meshgrid(places, 1 - places)
    is_back = across > 0.5
    x = np.where(is_back, 0.75 - across, across - 0.25) * 4 * half
    z = (up - MARGIN / (1 + 2 * MARGIN)) * height
    colors = _colors(body, x.ravel(), z.ravel(), is_back.ravel())
    opaque = np.concatenate([colors, np.ones((len(colors), 1))], axis=1)
    return opaque.reshape(PICTURE_SIZE, PICTURE_SIZE, 4).astype(np.float32)


def _colors(body: Figure, x: Floats, z: Floats, is_back: NDArray[np.bool_]) -> Floats:
    """The colors (P, 3) of points of the body that are seen at x and z from the front or from the back."""
    points = np.stack((x, np.zeros_like(x), z), axis=1)
    part = np.array([name.partition(".")[0] for name in body.bones])[bone_distances(body, points).argmin(axis=1)]
    colors = np.tile(np.array(PALETTE["skin"]), (len(x), 1))
    place = {name: body.heads[index] for index, name in enumerate(body.bones)}

    def paint(where: NDArray[np.bool_], color: str) -> None:
        colors[where] = PALETTE[color]

    dressed = np.isin(part, ("hips", "spine", "chest", "upper_arm"))
    paint(dressed, "shirt")
    stripes = 0.045 * body.height
    paint(dressed & (part != "upper_arm") & (z % (2 * stripes) < stripes), "stripe")
    sleeve = (part == "upper_arm") & (np.abs(x) > np.abs(place["forearm.L"][0]) * 0.93)
    paint(sleeve, "stripe")
    waist = place["hips"][2] + 0.03 * body.height
    paint(np.isin(part, ("thigh", "shin")) | ((part == "hips") & (z < waist)), "trousers")
    paint(np.isin(part, ("hips", "spine")) & (np.abs(z - waist) < 0.016 * body.height), "belt")
    paint(part == "foot", "shoes")
    paint((part == "foot") & (z < 0.016 * body.height), "sole")
    paint((part == "shin") & (z < place["foot.L"][2] + 0.02 * body.height), "shoes")

    size = float(body.radii[body.bones.index("head"), 1])
    face, is_head = place["head"][2] + 0.95 * size, part == "head"
    hairline = face + 0.55 * size - 0.25 * size * np.cos(4 * np.pi * np.clip(x / size, -0.5, 0.5)) * 0.5
    paint(is_head & (is_back & (z > face - 0.75 * size) | (z > hairline)), "hair")
    front = is_head & ~is_back
    for side in (-1, 1):
        eye, cheek = (side * 0.38 * size, face + 0.12 * size), (side * 0.55 * size, face - 0.28 * size)
        paint(front & (np.hypot(x - cheek[0], z - cheek[1]) < 0.16 * size), "cheek")
        paint(front & (np.hypot(x - eye[0], (z - eye[1]) * 0.8) < 0.19 * size), "white")
        paint(front & (np.hypot(x - eye[0], (z - eye[1]) * 0.85) < 0.12 * size), "eye")
        paint(front & (np.hypot(x - eye[0] + 0.04 * size, z - eye[1] - 0.05 * size) < 0.04 * size), "white")
    smile = np.abs(z - (face - 0.48 * size + 0.35 * x**2 / size)) < 0.04 * size
    paint(front & smile & (np.abs(x) < 0.32 * size), "mouth")
    return colors
