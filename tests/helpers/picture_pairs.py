"""Pairs of pictures and maps without Blender: lit balls, whose normals are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meshkin.pictures.learning import pairs
from meshkin.pictures.learning.pairs import PairsRecord, Subject

Bytes = NDArray[np.uint8]


def balls(folder: Path, count: int = 12, size: int = 32, seed: int = 0, kinds: int = 3) -> Path:
    """Write a folder of pairs; ``kinds`` is how many subjects they are said to show."""
    record = PairsRecord(size, count, seed, tuple(Subject(f"ball {kind}", str(kind)) for kind in range(kinds)))
    for number in pairs.begin(folder, record):
        pairs.write(folder, number, ball(size, np.random.default_rng([seed, number])))
    return folder


def ball(size: int, random: np.random.Generator) -> list[Bytes]:
    """A picture of a lit ball, and its normal, depth, albedo and parts, uint8 (S, S, 3) each."""
    across = (np.arange(size) + 0.5) / size * 2 - 1
    center, radius = random.uniform(-0.3, 0.3, 2), random.uniform(0.4, 0.8)
    x, y = (across[None] - center[0]) / radius, (-across[:, None] - center[1]) / radius
    inside = x**2 + y**2 < 1
    z = np.sqrt(np.where(inside, 1 - x**2 - y**2, 0))
    normal = np.stack(np.broadcast_arrays(x, y, z), axis=-1) * inside[..., None]
    lamp = random.normal(size=3) + np.array((0.0, 0.4, 1.0))
    color = random.uniform(0.3, 1, 3)
    light = 0.2 + 0.8 * np.clip(normal @ (lamp / np.linalg.norm(lamp)), 0, 1)
    shown = inside[..., None]
    picture = np.where(shown, light[..., None] * color, random.uniform(0, 1, 3))
    maps = ((normal + 1) / 2, np.repeat(0.15 + 0.85 * z[..., None], 3, axis=-1), np.broadcast_to(color, picture.shape))
    panels = [picture, *(each * shown for each in maps), np.broadcast_to((0.9, 0.3, 0.3), picture.shape) * shown]
    return [(255 * panel).round().astype(np.uint8) for panel in panels]
