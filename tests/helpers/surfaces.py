"""Shapes with features, and what is asked of the maps between them, for tests of matching."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers import shapes
from helpers.beasts import beast
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match, SurfaceMap
from meshkin.matching.pipeline import match_features
from meshkin.matching.surfaces import DescribedSurface

Floats = NDArray[np.float64]


def described(shape: Snapshot, features: NDArray[Any], confidence: NDArray[Any] | None = None) -> DescribedSurface:
    """A shape with features, which are trusted everywhere unless a confidence is given."""
    return DescribedSurface(shape, features, np.ones(len(features)) if confidence is None else confidence)


def described_beast(columns: int, bend: float, noise: float, lopsided: float = 0.0) -> tuple[DescribedSurface, Floats]:
    """A body of :func:`helpers.beasts.beast` with its features, and its vertices' places on the unit sphere."""
    shape, places, features = beast(columns, bend, noise, lopsided)
    return described(shape, features), places


def match_by_position(source: Snapshot, target: Snapshot, noise: float = 0.0, seed: int = 0) -> Match:
    """The match by smooth features of position, with noise of that deviation."""
    generator = np.random.default_rng(seed)
    features = [shapes.smooth_features(shape.vertices) for shape in (source, target)]
    noisy = [rows + generator.normal(0, noise, rows.shape).astype(np.float32) for rows in features]
    return match_features(described(source, noisy[0]), described(target, noisy[1]))


def assert_valid(surface_map: SurfaceMap, count: int, shape: Snapshot) -> None:
    """Check that a map of ``count`` vertices to a shape keeps what :class:`SurfaceMap` promises."""
    assert surface_map.face.dtype == surface_map.vertex.dtype == np.int32
    assert surface_map.barycentric.dtype == surface_map.confidence.dtype == np.float32
    assert surface_map.face.shape == surface_map.vertex.shape == surface_map.confidence.shape == (count,)
    assert 0 <= surface_map.face.min() <= surface_map.face.max() < len(shape.faces)
    assert (surface_map.barycentric >= 0).all()
    np.testing.assert_allclose(surface_map.barycentric.sum(axis=1), 1, atol=1e-6)
    assert (shape.faces[surface_map.face] == surface_map.vertex[:, None]).any(axis=1).all()
    assert 0 <= surface_map.confidence.min() <= surface_map.confidence.max() <= 1


def errors_to_source(match: Match, source_places: Floats, target_places: Floats) -> Floats:
    """Distance between each target vertex's place and that of the source vertex it is matched to, (V,)."""
    return np.asarray(np.linalg.norm(source_places[match.to_source.vertex] - target_places, axis=1))
