"""Skin weights through a map: properties that hold for every input, and clothes whose true weights are known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import cKDTree

from helpers import shapes
from helpers.figures import Figure
from meshkin.base.errors import InputError
from meshkin.data.surface_map import SurfaceMap
from meshkin.geometry.smoothing import smooth_along_edges
from meshkin.transfer.weights.garments import closest, is_worn
from meshkin.transfer.weights.skinning import interpolate, transfer_weights
from meshkin.transfer.weights.trust import trusted

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
    found = random_map(generator, 40, confidence or 0)
    if confidence is None:
        found.confidence[:] = generator.random(40)
    weighted = (np.isfinite(weights) & (weights > 0)).any(axis=1)
    if not (weighted[FACES[found.face]] & (found.barycentric > 0)).any():
        with pytest.raises(InputError) as failure:
            transfer_weights(weights, FLAT, FINE, found, limit=limit)
        assert failure.value.code == "no-weights"
        return
    worn = bool(seed % 2)
    carried = transfer_weights(weights, FLAT, FINE, found, limit=limit, smoothing=seed % 3, worn=worn).weights
    assert carried.dtype == np.float32
    assert carried.shape == (40, weights.shape[1])
    assert (carried >= 0).all()
    assert ((carried > 0).sum(axis=1) <= limit).all()
    np.testing.assert_allclose(carried.sum(axis=1), 1, atol=1e-6)


def test_weights_come_from_the_right_place() -> None:
    """A map of vertices onto vertices permutes rows; between them weights are mixed by barycentric coordinates."""
    generator = np.random.default_rng(0)
    weights = generator.dirichlet(np.ones(4), len(POINTS))
    face = np.array([np.flatnonzero((vertex == FACES).any(axis=1))[0] for vertex in range(len(POINTS))], np.int32)
    barycentric = (FACES[face] == np.arange(len(POINTS))[:, None]).astype(np.float32)
    identity = SurfaceMap(face, barycentric, np.arange(len(POINTS), dtype=np.int32), np.ones(len(POINTS), np.float32))
    np.testing.assert_allclose(interpolate(weights, FACES, identity), weights, atol=1e-6)
    found = random_map(generator, 50)
    mixed = np.einsum("vk,vkb->vb", found.barycentric, weights[FACES[found.face]])
    np.testing.assert_allclose(interpolate(weights, FACES, found), mixed, atol=1e-6)


def test_the_largest_are_kept() -> None:
    weights = np.tile([0.05, 0.3, 0.1, 0.35, 0.2], (len(POINTS), 1))
    found = random_map(np.random.default_rng(0), 40)
    carried = transfer_weights(weights, FLAT, FINE, found, limit=2).weights
    np.testing.assert_allclose(carried, np.tile([0, 0.3 / 0.65, 0, 0.35 / 0.65, 0], (40, 1)), atol=1e-6)


def test_unnormalized_and_unweighted_vertices_do_not_pull() -> None:
    """A corner whose weights sum to 100, and one without any, count like their neighbors and not at all."""
    weights = np.zeros((len(POINTS), 2))
    a, b, _ = FACES[0]
    weights[a] = (100, 0)
    weights[b] = (0, 1)
    third = np.full((1, 3), 1 / 3, np.float32)
    found = SurfaceMap(np.zeros(1, np.int32), third, FACES[0, :1], np.zeros(1, np.float32))
    np.testing.assert_allclose(interpolate(weights, FACES, found), [[0.5, 0.5]], atol=1e-6)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    weights, found = generator.random((len(POINTS), 7)), random_map(generator, 100)
    whole = interpolate(weights, FACES, found)
    monkeypatch.setattr("meshkin.transfer.weights.skinning.BLOCK", 50)
    np.testing.assert_array_equal(interpolate(weights, FACES, found), whole)


def test_bad_input_is_named() -> None:
    found = random_map(np.random.default_rng(0), 40)
    for weights, limit, code in (
        (np.ones((len(POINTS) - 1, 2)), 4, "weights-size"),
        (np.ones((len(POINTS), 2)), 0, "weights-limit"),
        (np.zeros((len(POINTS), 2)), 4, "no-weights"),
        (np.ones((len(POINTS), 0)), 4, "no-weights"),
    ):
        with pytest.raises(InputError) as failure:
            transfer_weights(weights, FLAT, FINE, found, limit=limit)
        assert failure.value.code == code


@pytest.mark.parametrize(("gap", "mean", "wrong"), [(0.0, 0.012, 0.0), (0.05, 0.02, 0.001), (0.08, 0.032, 0.005)])
def test_clothes_take_the_weights_of_what_they_lie_on(gap: float, mean: float, wrong: float) -> None:
    """Also where the other leg is nearer. The bounds include what the two coarse meshes cost (0.01)."""
    figure = Figure()
    body = figure.body(90)
    suit, truth = figure.clothes(gap, 82)
    assert is_worn(body, suit)
    weights = figure.weights(body.vertices.astype(np.float64))
    found = closest(body, suit)
    error = np.abs(transfer_weights(weights, body, suit, found, worn=True).weights - truth).sum(axis=1)
    assert error.mean() <= mean
    assert (error > 1).mean() <= wrong


@pytest.mark.parametrize(("legs", "arms"), [(0.075, 25), (0.05, 35)])
def test_folds_belong_to_what_they_fold_with(legs: float, arms: float) -> None:
    """Under the arms and between the legs the normals of several places go through a point of the cloth."""
    figure = Figure(legs, arms)
    body = figure.body(200)
    suit, truth = figure.clothes(0.05, 82)
    weights = figure.weights(body.vertices.astype(np.float64))
    error = np.abs(transfer_weights(weights, body, suit, closest(body, suit), worn=True).weights - truth).sum(axis=1)
    assert error.mean() <= 0.009
    assert (error > 1).mean() <= 0.001


@pytest.mark.parametrize("gap", [0.03])
def test_thick_cloth_is_the_same_on_both_sides(gap: float) -> None:
    """A pipe around an arm, open at both ends and thick: its inside faces the arm, and is not distrusted for that."""
    figure = Figure(arms=60)
    body = figure.body()
    head, tail, radius = figure.bones["upperarm.L"]
    outer, faces = tube(head, tail, radius + gap + 0.01)
    inner, _ = tube(head, tail, radius + gap)
    count = len(outer)
    rim = [
        np.stack((ring, np.roll(ring, -1), np.roll(ring, -1) + count, ring + count), axis=1)[:, corners]
        for ring in (np.arange(24)[::-1], np.arange(count - 24, count))
        for corners in ([0, 1, 2], [0, 2, 3])
    ]
    sleeve = shapes.snapshot(np.concatenate((outer, inner)), np.concatenate((faces, faces[:, ::-1] + count, *rim)))
    for one in (sleeve, shapes.snapshot(sleeve.vertices, sleeve.faces[:, ::-1])):
        found = closest(body, one)
        middle = np.tile(np.repeat(np.arange(count // 24) > 3, 24), 2)
        assert (found.confidence[middle] > 0.4).mean() > 0.9
        weights = transfer_weights(figure.weights(body.vertices.astype(float)), body, one, found, worn=True).weights
        assert np.abs(weights[:count] - weights[count:]).sum(axis=1)[middle[:count]].max() < 0.2


def test_small_parts_follow_one_bone_and_lost_ones_their_neighbors() -> None:
    figure = Figure()
    body = figure.body()
    ball = shapes.sphere(12, 8)
    eye = 0.015 * ball.vertices + (0.02, -0.06, 0.93)
    button = 0.01 * ball.vertices + (0.0, -0.105, 0.66)  # between spine and chest
    far = 0.3 * ball.vertices + (3, 0, 0.9)
    count = len(ball.vertices)
    vertices, faces = (
        np.concatenate((body.vertices, eye, button, far)),
        np.concatenate([body.faces, *(ball.faces + len(body.vertices) + count * part for part in range(3))]),
    )
    target = shapes.snapshot(vertices, faces)
    weights = figure.weights(body.vertices.astype(float))
    carried = transfer_weights(weights, body, target, closest(body, target), worn=True).weights
    parts = np.split(carried[len(body.vertices) :], 3)
    np.testing.assert_array_equal(parts[0][:, figure.names.index("head")], 1)
    assert (parts[1] == parts[1][0]).all()
    np.testing.assert_allclose(parts[2].sum(axis=1), 1, atol=1e-6)
    assert figure.names[parts[2].sum(axis=0).argmax()].endswith(("head", ".L"))


def test_a_small_bone_does_not_take_all_that_is_unknown_around_it() -> None:
    """An eye deep in its socket: all of the socket is doubtful, and the map knows the eye's place best."""
    head = shapes.sphere(60, 40)
    height = head.vertices[:, 2].astype(float)
    eye, socket = height > 0.98, height > 0.6
    weights = np.column_stack((eye, ~eye)).astype(float)
    vertex = np.arange(len(height), dtype=np.int32)
    face = np.array([np.flatnonzero((head.faces == one).any(axis=1))[0] for one in vertex], np.int32)
    barycentric = (head.faces[face] == vertex[:, None]).astype(np.float32)
    sure = np.where(socket, 0.1 + 0.1 * eye, 0.9).astype(np.float32)
    carried = transfer_weights(weights, head, head, SurfaceMap(face, barycentric, vertex, sure))
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
    face = np.array([np.flatnonzero((one == faces).any(axis=1))[0] for one in vertex], np.int32)
    barycentric = (faces[face] == vertex[:, None]).astype(np.float32)
    sure = np.where(doubtful, 0.1, 0.9).astype(np.float32)
    found = SurfaceMap(face, barycentric, vertex.astype(np.int32), sure)
    carried = transfer_weights(weights, strip, strip, found).weights
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
    there = cKDTree(points).query(few)[1]
    face = np.array([np.flatnonzero((one == faces).any(axis=1))[0] for one in there], np.int32)
    barycentric = (faces[face] == there[:, None]).astype(np.float32)
    sure = np.full(len(few), 0.9, np.float32)
    carried = transfer_weights(weights, strip, coarse, SurfaceMap(face, barycentric, there.astype(np.int32), sure))
    assert not carried.inpainted.any()
    assert (carried.weights.argmax(axis=1) == weights[there].argmax(axis=1)).all()


def test_what_lies_on_a_limb_follows_that_limb_alone() -> None:
    """Two legs side by side, and between them a plate of the one, nearer to the other in part, unknown."""
    across, faces = shapes.grid(10, 60)
    legs = [np.column_stack((side * 0.5 + 0.2 * across[:, 0], np.zeros(len(across)), across[:, 1])) for side in (0, 1)]
    hip = np.array([[0, 0, 1.1], [0.7, 0, 1.1]])
    body = np.vstack((*legs, hip))
    top = [np.argsort(-leg[:, 2], kind="stable")[:11] + number * len(across) for number, leg in enumerate(legs)]
    bridge = [[one, two, len(body) - 2 + number] for number in (0, 1) for one, two in pairwise(np.sort(top[number]))]
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
    face = np.array([np.flatnonzero((one == triangles).any(axis=1))[0] for one in vertex], np.int32)
    sure = np.where(np.arange(len(vertex)) < len(body), 0.9, 0.0).astype(np.float32)
    barycentric = (triangles[face] == vertex[:, None]).astype(np.float32)
    carried = transfer_weights(weights, source, target, SurfaceMap(face, barycentric, vertex.astype(np.int32), sure))
    assert (carried.weights[len(body) :, 2] > 0.9).all()
    assert (carried.weights[: len(body)].argmax(axis=1) == weights.argmax(axis=1)).mean() > 0.98


def test_what_is_worn() -> None:
    figure = Figure()
    body = figure.body()
    ball = shapes.sphere(12, 8)
    eye = shapes.snapshot(0.015 * ball.vertices + (0.02, -0.05, 0.93), ball.faces)
    assert is_worn(body, eye)
    assert is_worn(body, figure.clothes(0.02)[0])
    assert not is_worn(body, Figure(arms=80).body(60))
    taller = shapes.snapshot(body.vertices * (0.9, 1, 1.1), body.faces)
    assert not is_worn(body, taller)
    astride, child = Figure(legs=0.15).body(), Figure(arms=10).body(60)
    assert not is_worn(astride, shapes.snapshot(child.vertices * 0.35, child.faces))  # stands between the legs
    moved = figure.clothes(0.02)[0]
    moved.location[:] = (1, 0, 0)
    assert not is_worn(body, moved)


def test_torn_turned_and_doubtful_places_are_not_trusted() -> None:
    points, faces = shapes.grid(30, 30)
    flat = np.column_stack((points, np.zeros(len(points))))
    face = np.array([np.flatnonzero((vertex == faces).any(axis=1))[0] for vertex in range(len(points))], np.int32)

    def map_to(vertex: shapes.Array, confidence: shapes.Array) -> SurfaceMap:
        barycentric = (faces[face[vertex]] == vertex[:, None]).astype(np.float32)
        return SurfaceMap(face[vertex], barycentric, vertex.astype(np.int32), confidence.astype(np.float32))

    number = np.arange(len(points)).reshape(31, 31)
    sure = np.ones(len(points))
    shape = (flat, faces)
    assert trusted(map_to(number.ravel(), sure), shape, shape, 0.5, 0.0).all()
    assert not trusted(map_to(number[::-1].ravel(), sure), shape, shape, 0.5, 0.0).any()
    assert trusted(map_to(number[::-1].ravel(), sure), shape, shape, 0.5, None).all()
    torn = number.copy()
    torn[10:13, 10:12] = number[25:28, 25:27]
    kept = trusted(map_to(torn.ravel(), sure), shape, shape, 0.5, None).reshape(31, 31)
    assert not kept[10:13, 10:12].any()
    assert kept.mean() > 0.95
    doubtful = np.where(points[:, 0] < 0.5, 0.2, 0.9)
    np.testing.assert_array_equal(
        trusted(map_to(number.ravel(), doubtful), shape, shape, 0.5, 0.0), points[:, 0] >= 0.5
    )


def tube(head: shapes.Array, tail: shapes.Array, radius: float) -> tuple[shapes.Array, shapes.Array]:
    """A pipe from head to tail, 15 rings of 24 vertices, facing outwards."""
    along = (tail - head) / np.linalg.norm(tail - head)
    across = np.cross(along, (0, 1, 0))
    angle = np.arange(24) * 2 * np.pi / 24
    ring = np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * np.cross(along, across)
    rings = np.linspace(0, 1, 15)[:, None, None] * (tail - head) + head + radius * ring
    number = np.arange(15 * 24).reshape(15, 24)
    a, b = number[:-1], np.roll(number[:-1], -1, axis=1)
    c, d = np.roll(number[1:], -1, axis=1), number[1:]
    faces = np.concatenate([np.stack((a, b, c), -1).reshape(-1, 3), np.stack((a, c, d), -1).reshape(-1, 3)])
    return rings.reshape(-1, 3), faces
