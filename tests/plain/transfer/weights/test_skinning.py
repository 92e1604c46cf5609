"""Skinning weights through a map: properties that hold for every input, and bones that must keep to their place."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import cKDTree

from helpers import shapes
from helpers.maps import vertex_map
from meshkin.base.errors import InputError
from meshkin.data.surface_map import SurfaceMap
from meshkin.geometry.smoothing import smooth_along_edges
from meshkin.transfer.weights.interpolation import interpolate_weights
from meshkin.transfer.weights.options import WeightOptions
from meshkin.transfer.weights.skinning import SkinningSettings, weights_through_map

POINTS, FACES = shapes.grid(3, 2)
FLAT = shapes.snapshot(np.column_stack((POINTS, np.zeros(len(POINTS)))), FACES)
FINE = shapes.snapshot(np.column_stack((shapes.grid(4, 7)[0], np.zeros(40))), shapes.grid(4, 7)[1])


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
@given(weights_of_any_kind, st.integers(1, 6), st.integers(0, 1000), st.sampled_from([0.0, 0.3, 1.0, None]))
def test_rows_are_weights(weights: shapes.Array, limit: int, seed: int, confidence: float | None) -> None:
    """Whatever the source's weights and however little the map is trusted."""
    generator = np.random.default_rng(seed)
    to_source = random_map(generator, 40, confidence or 0)
    if confidence is None:
        to_source.confidence[:] = generator.random(40)
    weighted = np.asarray((np.isfinite(weights) & (weights > 0)).any(axis=1))
    if not (weighted[FACES[to_source.face]] & (to_source.barycentric > 0)).any():
        with pytest.raises(InputError) as failure:
            weights_through_map(weights, FLAT, FINE, to_source, options=WeightOptions(limit=limit))
        assert failure.value.code == "no-weights"
        return
    options = WeightOptions(limit=limit, smoothing=seed % 3)
    carried = weights_through_map(weights, FLAT, FINE, to_source, bool(seed % 2), options).weights
    assert carried.dtype == np.float32
    assert carried.shape == (40, weights.shape[1])
    assert (carried >= 0).all()
    assert ((carried > 0).sum(axis=1) <= limit).all()
    np.testing.assert_allclose(carried.sum(axis=1), 1, atol=1e-6)


def test_weights_come_from_the_right_place() -> None:
    """A map of vertices onto vertices permutes rows; between them weights are mixed by barycentric coordinates."""
    generator = np.random.default_rng(0)
    weights = generator.dirichlet(np.ones(4), len(POINTS))
    identity = vertex_map(np.arange(len(POINTS)), FACES)
    np.testing.assert_allclose(interpolate_weights(weights, FACES, identity), weights, atol=1e-6)
    to_source = random_map(generator, 50)
    mixed = np.einsum("vk,vkb->vb", to_source.barycentric, weights[FACES[to_source.face]])
    np.testing.assert_allclose(interpolate_weights(weights, FACES, to_source), mixed, atol=1e-6)


def test_the_largest_are_kept() -> None:
    weights = np.tile([0.05, 0.3, 0.1, 0.35, 0.2], (len(POINTS), 1))
    to_source = random_map(np.random.default_rng(0), 40)
    carried = weights_through_map(weights, FLAT, FINE, to_source, options=WeightOptions(limit=2)).weights
    np.testing.assert_allclose(carried, np.tile([0, 0.3 / 0.65, 0, 0.35 / 0.65, 0], (40, 1)), atol=1e-6)


def test_unnormalized_and_unweighted_vertices_do_not_pull() -> None:
    """A corner whose weights sum to 100, and one without any, count like their neighbors and not at all."""
    weights = np.zeros((len(POINTS), 2))
    a, b, _ = FACES[0]
    weights[a] = (100, 0)
    weights[b] = (0, 1)
    third = np.full((1, 3), 1 / 3, np.float32)
    to_source = SurfaceMap(np.zeros(1, np.int32), third, FACES[0, :1], np.zeros(1, np.float32))
    np.testing.assert_allclose(interpolate_weights(weights, FACES, to_source), [[0.5, 0.5]], atol=1e-6)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    weights, to_source = generator.random((len(POINTS), 7)), random_map(generator, 100)
    whole = interpolate_weights(weights, FACES, to_source)
    monkeypatch.setattr("meshkin.transfer.weights.interpolation.WEIGHT_BLOCK", 50)
    np.testing.assert_array_equal(interpolate_weights(weights, FACES, to_source), whole)


def test_bad_input_is_named() -> None:
    to_source = random_map(np.random.default_rng(0), 40)
    for weights, limit, code in (
        (np.ones((len(POINTS) - 1, 2)), 4, "weights-size"),
        (np.ones((len(POINTS), 2)), 0, "weights-limit"),
        (np.zeros((len(POINTS), 2)), 4, "no-weights"),
        (np.ones((len(POINTS), 0)), 4, "no-weights"),
    ):
        with pytest.raises(InputError) as failure:
            weights_through_map(weights, FLAT, FINE, to_source, options=WeightOptions(limit=limit))
        assert failure.value.code == code


def test_a_small_bone_does_not_take_all_that_is_unknown_around_it() -> None:
    """An eye deep in its socket: all of the socket is doubtful, and the map knows the eye's place best."""
    head = shapes.sphere(60, 40)
    height = head.vertices[:, 2].astype(float)
    eye, socket = height > 0.98, height > 0.6
    weights = np.column_stack((eye, ~eye)).astype(float)
    to_source = vertex_map(np.arange(len(height)), head.faces, np.where(socket, 0.1 + 0.1 * eye, 0.9))
    longer = shapes.snapshot(head.vertices * (1, 1, 1.1), head.faces)  # on a copy nothing would be doubtful
    carried = weights_through_map(weights, head, longer, to_source)
    assert carried.inpainted.any()
    ruled = carried.weights[:, 0] > 0.5
    assert eye[ruled].all()
    assert ruled.sum() > eye.sum() / 3


def test_a_bone_is_not_found_where_it_cannot_be() -> None:
    """Eight bones in a row: a doubtful place next to the first that looks like the last is none of its own."""
    points, faces = shapes.grid(80, 4)
    strip = shapes.snapshot(np.column_stack((4 * points[:, 0], points[:, 1], np.zeros(len(points)))), faces)
    bone = np.minimum((points[:, 0] * 8).astype(int), 7)
    weights = np.eye(8)[bone]
    weights[1:-1] = (weights[:-2] + weights[1:-1] + weights[2:]) / 3
    weights = (weights + weights[np.clip(np.arange(len(points)) + 5, 0, len(points) - 1)]) / 2
    column = np.arange(len(points)) // 5
    doubtful, wrong = (column >= 70) | ((column >= 8) & (column < 18)), (column >= 8) & (column < 18)
    vertex = np.where(wrong, np.arange(len(points)) + 5 * 62, np.arange(len(points)))
    to_source = vertex_map(vertex, faces, np.where(doubtful, 0.1, 0.9))
    carried = weights_through_map(weights, strip, strip, to_source).weights
    assert carried[column < 25, 3:].max() < 0.01
    assert (carried[column >= 76].argmax(axis=1) == 7).all()


def test_coarse_meshes_leave_bones_out() -> None:
    """Twenty bones in a row on six squares: the next bone that is found lies three farther."""
    points, faces = shapes.grid(200, 8)
    strip = shapes.snapshot(np.column_stack((6 * points[:, 0], points[:, 1], np.zeros(len(points)))), faces)
    bone = np.minimum((points[:, 0] * 20).astype(int), 19)
    weights = smooth_along_edges(np.eye(20)[bone], strip.vertices, faces, 10)
    few, squares = shapes.grid(6, 2)
    coarse = shapes.snapshot(np.column_stack((6 * few[:, 0], few[:, 1], np.zeros(len(few)))), squares)
    nearest = cKDTree(points).query(few)[1]
    carried = weights_through_map(weights, strip, coarse, vertex_map(nearest, faces, 0.9))
    assert not carried.inpainted.any()
    assert (carried.weights.argmax(axis=1) == weights[nearest].argmax(axis=1)).all()


def test_what_lies_on_a_limb_follows_that_limb_alone() -> None:
    """Two legs side by side, and between them a plate of the one, nearer to the other in part, unknown."""
    across, faces = shapes.grid(10, 60)
    legs = [np.column_stack((side * 0.5 + 0.2 * across[:, 0], np.zeros(len(across)), across[:, 1])) for side in (0, 1)]
    hip = np.array([[0, 0, 1.1], [0.7, 0, 1.1]])
    body = np.vstack((*legs, hip))
    top = [np.argsort(-leg[:, 2], kind="stable")[:11] + number * len(across) for number, leg in enumerate(legs)]
    bridge = [[*pair, len(body) - 2 + number] for number in (0, 1) for pair in pairwise(np.sort(top[number]))]
    joined = [[top[0].max(), len(body) - 1, len(body) - 2], [top[1].min(), len(body) - 1, len(body) - 2]]
    triangles = np.vstack((faces, faces + len(across), bridge, joined)).astype(np.int32)
    source = shapes.snapshot(body, triangles)
    side, high = body[:, 0] > 0.35, body[:, 2]
    bone = np.where(high > 1, 0, np.where(high > 0.5, 1, 2) + 2 * side)
    weights = smooth_along_edges(np.eye(5)[bone], body, triangles, 6)
    plate, squares = shapes.grid(10, 10)
    place = np.column_stack((0.24 + 0.16 * plate[:, 0], np.full(len(plate), 0.02), 0.1 + 0.2 * plate[:, 1]))
    target = shapes.snapshot(np.vstack((body, place)), np.vstack((triangles, squares + len(body))).astype(np.int32))
    vertex = np.concatenate((np.arange(len(body)), np.zeros(len(plate), np.int64)))
    to_source = vertex_map(vertex, triangles, np.where(np.arange(len(vertex)) < len(body), 0.9, 0.0))
    carried = weights_through_map(weights, source, target, to_source)
    assert (carried.weights[len(body) :, 2] > 0.9).all()
    assert (carried.weights[: len(body)].argmax(axis=1) == weights.argmax(axis=1)).mean() > 0.98


@pytest.mark.parametrize("nodding", [False, True])
def test_a_head_of_its_own_follows_one_bone_as_on_the_source(nodding: bool) -> None:
    """The map sends its lowest tenth to the body, on which it stands."""
    body = shapes.sphere(40, 24)
    head = 0.6 * body.vertices + np.array((0, 0, 1.5))
    vertices, faces = shapes.joined((body.vertices, body.faces), (head, body.faces))
    source = shapes.snapshot(vertices, faces)
    longer = shapes.snapshot(vertices * (1, 1, 1.1), faces)  # on a copy the map would be certain
    count = len(head)
    of_head = np.arange(2 * count) >= count
    turned = nodding & of_head & (vertices[:, 2] > 1.5)
    weights = np.column_stack((~of_head, of_head & ~turned, turned)).astype(float)
    low = np.flatnonzero(of_head & (vertices[:, 2] < 1.02))
    partner = np.arange(2 * count)
    partner[low] = cKDTree(body.vertices).query(vertices[low])[1]
    carried = weights_through_map(weights, source, longer, vertex_map(partner, faces, 0.9)).weights
    np.testing.assert_allclose(carried[:count], weights[:count], atol=1e-6)
    if nodding:  # the map is followed where nothing says that the part is rigid
        assert (carried[low, 0] > 0.5).all()
    else:
        np.testing.assert_allclose(carried[count:], weights[count:], atol=1e-6)


def test_what_could_not_be_solved_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the equations of inpainting are singular, the nearest vertex stands in, and the result says where."""
    points, faces = shapes.grid(12, 12)
    square = shapes.snapshot(np.column_stack((points, np.zeros(len(points)))), faces)
    weights = np.column_stack((points[:, 0], 1 - points[:, 0]))
    doubtful = np.linalg.norm(points - 0.5, axis=1) < 0.2
    to_source = vertex_map(np.arange(len(points)), faces, np.where(doubtful, 0.1, 0.9))
    alone = SkinningSettings(anchors=0.0)
    longer = shapes.snapshot(square.vertices * (1, 1.1, 1), faces)  # on a copy nothing would be doubtful
    solved = weights_through_map(weights, square, longer, to_source, settings=alone)
    np.testing.assert_array_equal(solved.inpainted, doubtful)
    assert not solved.unsolved.any()

    def singular(*_: object, **__: object) -> None:
        raise RuntimeError("Factor is exactly singular")

    monkeypatch.setattr("meshkin.geometry.filling.factorized", singular)
    approximated = weights_through_map(weights, square, longer, to_source, settings=alone)
    np.testing.assert_array_equal(approximated.unsolved, doubtful)
    np.testing.assert_allclose(approximated.weights.sum(axis=1), 1, atol=1e-6)


def test_weights_of_a_copy_arrive_as_they_are() -> None:
    """Of a body with fingernails: small shells of several bones, which on another body would follow one."""
    body = shapes.sphere()
    nail = shapes.sphere(8, 5)
    vertices, faces = shapes.joined(
        (body.vertices, body.faces),
        *((0.03 * nail.vertices + center, nail.faces) for center in body.vertices[200:1200:50] * 1.05),
    )
    source = shapes.snapshot(vertices, faces)
    weights = np.random.default_rng(0).dirichlet(np.full(4, 0.2), len(vertices))
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    copy = shapes.snapshot(3 * vertices @ turn.T + (1, 2, 3), faces)
    for confidence in (1.0, 0.9, 0.1):
        to_source = vertex_map(np.arange(len(vertices)), faces, confidence)
        carried = weights_through_map(weights, source, copy, to_source)
        np.testing.assert_allclose(carried.weights, weights, atol=1e-6)
        assert not carried.inpainted.any()
    # In a longer body, which is no copy, they bend still: they correspond to parts that do.
    longer = shapes.snapshot(vertices * (1, 1, 1.1), faces)
    carried = weights_through_map(weights, source, longer, vertex_map(np.arange(len(vertices)), faces, 0.9))
    np.testing.assert_allclose(carried.weights, weights, atol=1e-6)
    # What was added to the copy, where the map is at a loss, is not certain; the rest still is.
    hat = shapes.joined((vertices, faces), (0.3 * nail.vertices + (0, 0, 1.5), nail.faces))
    with_hat = shapes.snapshot(*hat)
    vertex = np.append(np.arange(len(vertices)), np.random.default_rng(1).integers(0, 2000, len(nail.vertices)))
    sure = np.append(np.full(len(vertices), 0.9), np.full(len(nail.vertices), 0.1))
    carried = weights_through_map(weights, source, with_hat, vertex_map(vertex, faces, sure))
    np.testing.assert_allclose(carried.weights[: len(vertices)], weights, atol=1e-6)
    assert carried.inpainted[len(vertices) :].all()
