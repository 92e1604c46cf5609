"""A part is laid on its counterpart: in the last stages, what is bent closely settles and all else stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from helpers.shapes import grid
from meshkin.geometry.closest_points import closest_points
from meshkin.matching.close_up_fitting import FittingSettings, fitted
from meshkin.matching.close_up_partners import Mesh


def grooved(across: int, along: int, sway: float) -> Mesh:
    """A gently bent sheet of side 1 with a narrow groove along it that sways, and most vertices around that."""
    flat, faces = grid(across, along)
    x, y = 2 * flat[:, 0] - 1, flat[:, 1]
    x = 0.5 + 0.5 * (0.3 * x + 0.7 * x**3)
    groove = 0.5 + sway * np.sin(2 * np.pi * y / 0.1)
    depth = 0.012 * np.exp(-(((x - groove) / 0.012) ** 2))
    return np.stack((x, y, 0.1 * np.sin(3 * x) - depth), axis=1), faces


def test_only_the_groove_settles_in_the_end() -> None:
    settings = replace(FittingSettings(), steps=3)
    surface, (vertices, faces) = grooved(50, 76, 0.0), grooved(44, 80, 0.004)
    vertices[:, 2] += np.random.default_rng(0).normal(0, 0.002, len(vertices))  # as two heads are nowhere quite alike
    coarse = fitted(vertices, faces, surface, replace(settings, fine_reaches=()))
    fine = fitted(vertices, faces, surface, settings)
    beside = np.abs(vertices[:, 0] - 0.5)
    left = [np.sqrt(closest_points(laid[beside < 0.02], *surface).square).mean() for laid in (coarse, fine)]
    assert left[1] < 0.95 * left[0]
    np.testing.assert_array_equal(fine[beside > 0.2], coarse[beside > 0.2])
