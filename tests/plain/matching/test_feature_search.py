"""Search by features, against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import shapes
from meshkin.geometry.arrays import unit_rows
from meshkin.matching import feature_search
from meshkin.matching.feature_search import most_similar, precise_points, sample_evenly


def test_blocks_equal_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    queries, references = (unit_rows(generator.normal(size=(count, 8))).astype(np.float32) for count in (301, 257))
    points = generator.uniform(5, 6, (257, 3))
    monkeypatch.setattr(feature_search, "SIMILARITY_BLOCK", 257 * 10)
    index, best_cosine, rival_cosine = most_similar(queries, references, points, 0.4)
    similarity = queries @ references.T
    np.testing.assert_array_equal(index, similarity.argmax(axis=1))
    np.testing.assert_allclose(best_cosine, similarity.max(axis=1), rtol=1e-6)
    is_near = np.linalg.norm(points[index][:, None] - points[None], axis=2) <= 0.4
    np.testing.assert_allclose(rival_cosine, np.where(is_near, -1, similarity).max(axis=1), rtol=1e-6)


def test_precise_points_equal_brute_force() -> None:
    """Where all triangles touch the given vertex, the answer is the nearest point of all triangles."""
    generator = np.random.default_rng(1)
    references = generator.normal(size=(9, 5)).astype(np.float32)
    faces = np.array([[8, k, (k + 1) % 8] for k in range(8)])
    queries = generator.normal(size=(200, 5)).astype(np.float32)
    _, barycentric, squares = precise_points(queries, np.full(200, 8), references, faces)
    weights = np.stack(np.meshgrid(*[np.linspace(0, 1, 60)] * 2), axis=-1).reshape(-1, 2)
    weights = weights[weights.sum(axis=1) <= 1]
    weights = np.concatenate([1 - weights.sum(axis=1, keepdims=True), weights], axis=1)
    points = np.einsum("sk,fkd->fsd", weights, references[faces].astype(np.float64)).reshape(-1, 5)
    brute_force = ((queries[:, None] - points[None]) ** 2).sum(axis=2).min(axis=1)
    assert (squares <= brute_force + 1e-5).all()
    assert (squares >= brute_force - 0.05).all()
    assert (barycentric >= 0).all()


def test_samples_are_even_and_keep_both_sides_of_a_thin_sheet() -> None:
    points, faces = shapes.grid(60, 60)
    sheet = np.concatenate([np.pad(points, ((0, 0), (0, 1)), constant_values=z) for z in (0.0, 0.002)])
    both_sides = np.concatenate([faces[:, ::-1], faces + len(points)])
    sample = sample_evenly(sheet, both_sides, np.arange(len(sheet)), 400)
    assert 300 <= len(sample) <= 400
    assert abs((sample < len(points)).mean() - 0.5) < 0.02
    gaps = np.linalg.norm(sheet[:, None] - sheet[sample][None], axis=2).min(axis=1)
    assert gaps.max() < 3 / np.sqrt(200)
