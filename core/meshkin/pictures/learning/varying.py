"""Pairs varied while they are learned from, so that a few hundred pairs are not learned by heart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .measures import Bytes

MIRRORED = ("normal", "depth", "albedo")
"""Targets whose mirror image is as true as they are; left parts are other ones than right parts."""
CROPPED = ("normal", "albedo", "parts")
"""Targets of which a part is as true as the whole; depth is told between the nearest and the farthest point shown."""
LIT = ("normal", "depth", "parts")
"""Targets that stay when the colors of the picture change."""
SMALLEST_CROP = 0.7
"""Width of a part that is cut out, at least, of the whole. Chosen."""
CHANGED = 0.5
"""Share of the pairs that are mirrored, and of those that get another background. Chosen."""
GAMMA, GAIN, TINT = 0.35, (0.7, 1.2), 0.15
"""How far the picture's contrast (an exponent, log), brightness and the brightness of a channel are changed. Chosen."""


def varied(picture: Bytes, shown: Bytes, target: str, random: np.random.Generator) -> tuple[Bytes, Bytes]:
    """A picture and its map (S, S, 3) as another photograph could have shown them."""
    if target in MIRRORED and random.random() < CHANGED:
        picture, shown = mirrored(picture, shown, target)
    if target in CROPPED:
        picture, shown = _cropped(picture, shown, random)
    if random.random() < CHANGED:
        picture = np.where(shown.any(axis=-1, keepdims=True), picture, _background(len(picture), random))
    if target in LIT:
        picture = _lit(picture, random)
    return picture, shown


def mirrored(picture: Bytes, shown: Bytes, target: str) -> tuple[Bytes, Bytes]:
    """A picture and its map (S, S, 3), left and right exchanged; a normal's first component turns with them."""
    picture, shown = picture[:, ::-1], shown[:, ::-1].copy()
    if target == "normal":
        there = shown.any(axis=-1)
        shown[there, 0] = 255 - shown[there, 0]
    return picture, shown


def _cropped(picture: Bytes, shown: Bytes, random: np.random.Generator) -> tuple[Bytes, Bytes]:
    """A square part of them at a random place, as large as the whole."""
    from PIL import Image

    size = len(picture)
    side = size * random.uniform(SMALLEST_CROP, 1)
    left, top = random.uniform(0, size - side, 2)
    box, kinds = (left, top, left + side, top + side), (Image.Resampling.BILINEAR, Image.Resampling.NEAREST)
    parts = [
        Image.fromarray(np.ascontiguousarray(each)).resize((size, size), kind, box)
        for each, kind in zip((picture, shown), kinds, strict=True)
    ]
    return np.asarray(parts[0]), np.asarray(parts[1])


def _background(size: int, random: np.random.Generator) -> Bytes:
    """A gradient between two random colors, (S, S, 3)."""
    one, two = random.uniform(0, 255, (2, 3))
    turn = random.uniform(0, 2 * np.pi)
    across = np.linspace(-0.5, 0.5, size)
    share = np.clip(0.5 + across[None] * np.cos(turn) + across[:, None] * np.sin(turn), 0, 1)[..., None]
    return _bytes(one + share * (two - one))


def _lit(picture: Bytes, random: np.random.Generator) -> Bytes:
    """A picture in other colors: its channels exchanged, of another contrast, brightness and tint."""
    light = (picture[..., random.permutation(3)] / 255) ** np.exp(random.uniform(-GAMMA, GAMMA))
    return _bytes(255 * light * random.uniform(*GAIN) * random.uniform(1 - TINT, 1 + TINT, 3))


def _bytes(colors: NDArray[np.float64]) -> Bytes:
    return np.clip(colors, 0, 255).round().astype(np.uint8)
