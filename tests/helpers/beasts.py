"""Four-legged bodies made of balls, in any pose, for tests of matching."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from helpers import shapes
from meshkin.data.snapshot import Snapshot

Floats = NDArray[np.float64]
LIMBS = ((0.0, 0.5, 0.9), (0.8, 0.6, 0.2), (-0.8, 0.6, 0.2), (0.6, -0.7, -0.3), (-0.6, -0.7, -0.3))
"""Directions of a head, two arms and two legs on the unit sphere, mirror images of each other in x."""
LENGTHS = (0.7, 1.3, 1.3, 1.6, 1.6)


def beast(
    columns: int, bend: float, noise: float, lopsided: float = 0.0
) -> tuple[Snapshot, Floats, NDArray[np.float32]]:
    """A body with five limbs, its left and right the same before it is bent sideways.

    Returns the shape, where each vertex lies on the unit sphere it was made from, and features that are the same on
    both sides but for noise. With ``lopsided``, up to 1, the features tell the sides.
    """
    ball = shapes.sphere(columns, columns // 2)
    places = ball.vertices.astype(np.float64)
    radius = np.ones(len(places))
    for limb, length in zip(LIMBS, LENGTHS, strict=True):
        cosine = places @ (np.array(limb) / np.linalg.norm(limb))
        radius += length * np.exp((cosine - 1) / 0.04)
    x, y, z = (places * radius[:, None]).T
    turned = np.stack((x * np.cos(bend * y) - z * np.sin(bend * y), y, x * np.sin(bend * y) + z * np.cos(bend * y)), 1)
    across = lopsided * places[:, 0] + (1 - lopsided) * np.abs(places[:, 0])
    folded = np.column_stack((across, places[:, 1:]))
    features = shapes.smooth_features(folded)
    blurred = features + np.random.default_rng(columns).normal(0, noise, features.shape)
    return shapes.snapshot(turned, ball.faces), places, blurred.astype(np.float32)
