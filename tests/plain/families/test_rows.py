"""What a family reads of each vertex: finite for any shape, and told by what lies around."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.beasts import beast
from helpers.shapes import snapshot, sphere
from meshkin.data.snapshot import Snapshot
from meshkin.families.rows import row_width, rows_alone, surface_rows
from meshkin.families.sides import SpectralShape
from meshkin.geometry.arrays import nearest_rows
from meshkin.spectral import pca

CHANNELS = 70


def loose(count: int) -> Snapshot:
    """Small balls that lie about."""
    ball = sphere(4, 3)
    at = np.random.default_rng(0).uniform(0, 40, (count, 1, 3))
    faces = ball.faces + len(ball.vertices) * np.arange(count)[:, None, None]
    return snapshot((ball.vertices + at).reshape(-1, 3), faces.reshape(-1, 3))


def triangle() -> Snapshot:
    return snapshot(np.array([[0.0, 0, 0], [0, 0, 1], [1, 1, 0]]), np.array([[0, 1, 2]]))


@pytest.mark.parametrize("shape", [triangle(), sphere(4, 3), loose(100)], ids=["triangle", "small", "loose"])
def test_rows_are_finite(shape: Snapshot) -> None:
    generator = np.random.default_rng(0)
    features: NDArray[np.float32] = generator.normal(size=(len(shape.vertices), CHANNELS)).astype(np.float32)
    features[0] = 0  # nothing is known there
    components = pca.basis([features, generator.normal(size=(200, CHANNELS))], 16)
    rows = surface_rows(SpectralShape.of(shape, features, components), features, components)
    assert rows.shape == (len(shape.vertices), row_width(16))
    assert np.isfinite(rows).all()
    assert rows_alone(features, components).shape == rows.shape


def test_what_lies_around_tells_points_apart_that_look_alike() -> None:
    """Noise covers what features say of a point, not what those around it say."""
    (one, places, features), (two, _, others) = (beast(32, bend, 0.0) for bend in (-0.2, 0.2))
    generator = np.random.default_rng(1)
    noisy = [rows + generator.normal(0, 0.6, rows.shape).astype(np.float32) for rows in (features, others)]
    components = pca.basis(noisy, 32)
    folded = np.abs(places) * (1, 0, 0) + places * (0, 1, 1)

    def error(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
        return float(np.linalg.norm(folded[nearest_rows(first, second)] - folded, axis=1).mean())

    rows = [
        surface_rows(SpectralShape.of(shape, values, components), values, components)
        for shape, values in zip((one, two), noisy, strict=True)
    ]
    alone = [rows_alone(values, components) for values in noisy]
    assert error(*rows) < 0.5 * error(*alone)
