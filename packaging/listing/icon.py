"""Draw the extension's icon, ``icon.png``: a small and a large figure whose corresponding points have one color.

python packaging/listing/icon.py        (a Python that has NumPy)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "core"))
from meshkin.base.png import write_png

SIZE, FINER = 256, 4
"""Pixels of the icon, and how many times finer it is drawn, so that edges are smooth."""
GROUND = (0.13, 0.14, 0.17)
CORNER = 0.18
"""Radius of the icon's corners, shares of its size. Chosen."""
FIGURES = ((0.27, 0.80, 0.50, 0.055), (0.69, 0.88, 0.72, 0.075))
"""Middle, feet, height and thickness of both figures, shares of the icon's size. Chosen: as parent and child."""
STOPS = ((0.98, 0.76, 0.25), (0.93, 0.36, 0.38), (0.55, 0.36, 0.85), (0.24, 0.68, 0.93))
"""Colors from the head to the feet, sRGB."""

Array = NDArray[np.float64]


def capsule(x: Array, y: Array, start: tuple[float, float], end: tuple[float, float], radius: float) -> Array:
    """Return the distance of each pixel to a line with round ends, below zero inside."""
    along = np.array(end) - start
    share = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / (along @ along), 0, 1)
    return np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1]) - radius


def figure(x: Array, y: Array, middle: float, feet: float, height: float, thickness: float) -> Array:
    """Return the distance of each pixel to a standing figure with arms and legs apart, below zero inside."""
    top, hip = feet - 0.70 * height, feet - 0.38 * height
    hand, foot = 0.26 * height, 0.17 * height
    parts = [capsule(x, y, (middle, top + 0.04 * height), (middle, hip), thickness)]
    for side in (-1, 1):
        parts.append(capsule(x, y, (middle, top), (middle + side * hand, top + 0.20 * height), 0.7 * thickness))
        parts.append(capsule(x, y, (middle, hip), (middle + side * foot, feet), 0.75 * thickness))
    parts.append(np.hypot(x - middle, y - (feet - 0.87 * height)) - 0.13 * height)
    return np.minimum.reduce(parts)


def main() -> int:
    """Draw and write the icon; returns the exit code."""
    side = (np.arange(SIZE * FINER) + 0.5) / (SIZE * FINER)
    x, y = np.meshgrid(side, side)
    edge = np.maximum(np.abs(np.stack((x, y)) - 0.5) - (0.5 - CORNER), 0)
    alpha = (np.hypot(*edge) <= CORNER).astype(float)
    colors = np.broadcast_to(np.array(GROUND), (*x.shape, 3)).copy()
    for middle, feet, height, thickness in FIGURES:
        inside = figure(x, y, middle, feet, height, thickness) <= 0
        share = np.clip((y - (feet - height)) / height, 0, 1)
        for channel in range(3):
            stops = [stop[channel] for stop in STOPS]
            painted = np.interp(share, np.linspace(0, 1, len(STOPS)), stops)
            colors[..., channel][inside] = painted[inside]
    pixels = np.concatenate((colors * alpha[..., None], alpha[..., None]), axis=-1)
    small = pixels.reshape(SIZE, FINER, SIZE, FINER, 4).mean(axis=(1, 3))
    small[..., :3] /= np.maximum(small[..., 3:], 1e-9)
    write_png(Path(__file__).with_name("icon.png"), np.round(np.clip(small, 0, 1) * 255).astype(np.uint8))
    return 0


if __name__ == "__main__":
    sys.exit(main())
