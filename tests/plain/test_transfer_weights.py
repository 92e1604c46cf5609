"""Skin weights through a map: properties that hold for every input."""

from __future__ import annotations

import numpy as np
import pytest
import shapes
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from meshkin.errors import InputError
from meshkin.surface_map import SurfaceMap
from meshkin.transfer.weights import transfer_weights

POINTS, FACES = shapes.grid(3, 2)


def random_map(generator: np.random.Generator, count: int, confidence: float = 0.0) -> SurfaceMap:
    face = generator.integers(0, len(FACES), count).astype(np.int32)
    barycentric = generator.dirichlet((0.5, 0.5, 0.5), count).astype(np.float32)
    vertex = FACES[face, barycentric.argmax(axis=1)]
    return SurfaceMap(face, barycentric, vertex, np.full(count, confidence, np.float32))


weights_of_any_kind = st.integers(1, 9).flatmap(
    lambda bones: arrays(
        st.sampled_from([np.float32, np.float64]),
        (len(POINTS), bones),
        elements=st.one_of(st.just(0.0), st.floats(-1, 3, width=32), st.sampled_from([np.nan, np.inf, -np.inf, 1e30])),
    )
)


@settings(max_examples=200, deadline=None)
@given(weights_of_any_kind, st.integers(1, 6), st.integers(0, 1000))
def test_rows_are_weights(weights: shapes.Array, limit: int, seed: int) -> None:
    """Whatever the source's weights and however little the map is trusted."""
    found = random_map(np.random.default_rng(seed), 40)
    carried = transfer_weights(weights, FACES, found, limit)
    assert carried.dtype == np.float32
    assert carried.shape == (40, weights.shape[1])
    assert (carried >= 0).all()
    assert ((carried > 0).sum(axis=1) <= limit).all()
    weighted = (np.isfinite(weights) & (weights > 0)).any(axis=1)
    corners = weighted[FACES[found.face]] & (found.barycentric > 0)
    np.testing.assert_allclose(carried.sum(axis=1), corners.any(axis=1), atol=1e-6)


def test_weights_come_from_the_right_place() -> None:
    """A map of vertices onto vertices permutes rows; between them weights are mixed by barycentric coordinates."""
    generator = np.random.default_rng(0)
    weights = generator.dirichlet(np.ones(4), len(POINTS))
    face = np.array([np.flatnonzero((vertex == FACES).any(axis=1))[0] for vertex in range(len(POINTS))], np.int32)
    barycentric = (FACES[face] == np.arange(len(POINTS))[:, None]).astype(np.float32)
    identity = SurfaceMap(face, barycentric, np.arange(len(POINTS), dtype=np.int32), np.ones(len(POINTS), np.float32))
    np.testing.assert_allclose(transfer_weights(weights, FACES, identity), weights, atol=1e-6)
    found = random_map(generator, 50)
    mixed = np.einsum("vk,vkb->vb", found.barycentric, weights[FACES[found.face]])
    np.testing.assert_allclose(transfer_weights(weights, FACES, found), mixed, atol=1e-6)


def test_the_largest_are_kept() -> None:
    weights = np.tile([0.05, 0.3, 0.1, 0.35, 0.2], (len(POINTS), 1))
    carried = transfer_weights(weights, FACES, random_map(np.random.default_rng(0), 10), 2)
    np.testing.assert_allclose(carried, np.tile([0, 0.3 / 0.65, 0, 0.35 / 0.65, 0], (10, 1)), atol=1e-6)


def test_unnormalised_and_unweighted_vertices_do_not_pull() -> None:
    """A corner whose weights sum to 100, and one without any, count like their neighbours and not at all."""
    weights = np.zeros((len(POINTS), 2))
    a, b, _ = FACES[0]
    weights[a] = (100, 0)
    weights[b] = (0, 1)
    third = np.full((1, 3), 1 / 3, np.float32)
    found = SurfaceMap(np.zeros(1, np.int32), third, FACES[0, :1], np.zeros(1, np.float32))
    np.testing.assert_allclose(transfer_weights(weights, FACES, found), [[0.5, 0.5]], atol=1e-6)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    weights, found = generator.random((len(POINTS), 7)), random_map(generator, 100)
    whole = transfer_weights(weights, FACES, found)
    monkeypatch.setattr("meshkin.transfer.weights.BLOCK", 50)
    np.testing.assert_array_equal(transfer_weights(weights, FACES, found), whole)


def test_bad_input_is_named() -> None:
    found = random_map(np.random.default_rng(0), 5)
    with pytest.raises(InputError) as failure:
        transfer_weights(np.ones((len(POINTS) - 1, 2)), FACES, found)
    assert failure.value.code == "weights-size"
    with pytest.raises(InputError) as failure:
        transfer_weights(np.ones((len(POINTS), 2)), FACES, found, 0)
    assert failure.value.code == "weights-limit"
    assert transfer_weights(np.ones((len(POINTS), 0)), FACES, found).shape == (5, 0)
