"""Displacements and sculpted detail through known maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from helpers.attributes import SOURCE
from helpers.shapes import Array
from helpers.textured import known_map
from meshkin.data.snapshot import Snapshot
from meshkin.geometry.mesh import face_vectors
from meshkin.transfer.attributes.displacements import surface_detail, transfer_displacements
from meshkin.transfer.attributes.lookup import MappedMesh


def test_displacements_turn_and_scale_with_the_frame() -> None:
    """A turned copy of twice the size: bumps along the normal stay along the normal, exactly twice as high."""
    angle = 0.9
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    turn = turn @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    target = replace(SOURCE, vertices=(2 * SOURCE.vertices @ turn.T).astype(np.float32))
    offsets = np.random.default_rng(0).normal(0, 0.1, SOURCE.vertices.shape)
    mapped = MappedMesh(SOURCE, target, known_map(SOURCE, SOURCE).to_source)
    np.testing.assert_allclose(transfer_displacements(mapped, offsets), 2 * offsets @ turn.T, atol=1e-6)


def test_displacements_do_not_jitter_with_the_surface() -> None:
    """On a target whose surface is rough, neighbors still move alike."""
    rough = SOURCE.vertices + np.random.default_rng(1).normal(0, 0.004, SOURCE.vertices.shape)
    target = replace(SOURCE, vertices=rough.astype(np.float32))
    mapped = MappedMesh(SOURCE, target, known_map(SOURCE, SOURCE).to_source)
    offsets = np.tile([0.1, 0, 0], (len(SOURCE.vertices), 1))
    carried = transfer_displacements(mapped, offsets)
    assert np.linalg.norm(carried - offsets, axis=1).max() < 0.03
    assert np.linalg.norm(transfer_displacements(mapped, offsets, reach=0) - offsets, axis=1).max() > 0.03


def test_detail_is_what_is_small() -> None:
    """Fine ripples on a smooth body are found again, the body itself is not."""
    ripple = 0.01 * np.sin(20 * SOURCE.vertices[:, 2])
    normals = np.zeros_like(SOURCE.vertices)
    np.add.at(normals, SOURCE.faces.ravel(), SOURCE.normals.reshape(-1, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    rough = replace(SOURCE, vertices=(SOURCE.vertices + ripple[:, None] * normals).astype(np.float32))
    middle = np.abs(SOURCE.vertices[:, 2]) < 0.7
    rippled = np.einsum("vd,vd->v", surface_detail(rough, 2), normals)
    plain = np.einsum("vd,vd->v", surface_detail(SOURCE, 2), normals)
    assert np.corrcoef(rippled[middle] - plain[middle], ripple[middle])[0, 1] > 0.9
    assert np.abs(plain[middle]).mean() < 0.004


def lids() -> tuple[Snapshot, Array, Array]:
    """A sheet with a slit, its closing from above as displacements (V, 3), and the vertices of the slit's lower edge
    (N,), each with the one above it: (N, 2)."""
    x, y = np.meshgrid(np.linspace(-1, 1, 41), [*np.linspace(-1, -0.03, 21), *np.linspace(0.03, 1, 21)], indexing="ij")
    vertices = np.stack((x.ravel(), y.ravel(), np.zeros(x.size)), axis=1)
    start = (42 * np.arange(40)[:, None] + np.arange(41)).ravel()
    faces = np.concatenate([np.stack((start, start + 42, start + 43), 1), np.stack((start, start + 43, start + 1), 1)])
    middle = vertices[faces].mean(axis=1)
    shape = Snapshot.from_arrays(vertices, faces[(np.abs(middle[:, 1]) > 0.02) | (np.abs(middle[:, 0]) > 0.6)])
    opening = np.clip(1 - (vertices[:, 0] / 0.6) ** 2, 0, 1)
    offsets = np.zeros_like(vertices)
    offsets[:, 1] = np.where(vertices[:, 1] > 0, -0.06 * opening * np.clip(1 - vertices[:, 1] / 0.5, 0, 1), 0)
    lower = np.flatnonzero((vertices[:, 1] == -0.03) & (np.abs(vertices[:, 0]) < 0.25))
    return shape, offsets, np.stack((lower, lower + 1), axis=1)


def turned_over(shape: Snapshot, offsets: Array) -> Array:
    """The triangles whose normals are turned round, bool (F,)."""
    before, after = (face_vectors(vertices, shape.faces) for vertices in (shape.vertices, shape.vertices + offsets))
    return np.asarray(np.einsum("fd,fd->f", before, after) < 0)


def test_lids_close_without_turning_over() -> None:
    """A third of the lower lid's edge is mapped across the gap: it stays where it is when the upper lid comes down."""
    shape, offsets, edge = lids()
    to_source = known_map(shape, shape).to_source
    across = edge[::3]
    at = np.array([int(np.flatnonzero((shape.faces == above).any(axis=1))[0]) for above in across[:, 1]])
    to_source.face[across[:, 0]] = at
    to_source.barycentric[across[:, 0]] = shape.faces[at] == across[:, 1:]
    assert turned_over(shape, to_source.pull(offsets, shape.faces)).sum() >= len(across)
    carried = transfer_displacements(MappedMesh(shape, shape, to_source), offsets)
    assert not turned_over(shape, carried).any()
    assert np.abs(carried - offsets).max() < 0.02  # a third of the way that the lid goes


def test_lips_that_touch_part() -> None:
    """Both edges of the slit at the same places, as of a closed mouth: the upper one goes, the lower one stays, also
    where triangles nearby are solved for again."""
    shape, offsets, edge = lids()
    vertices = shape.vertices.copy()
    vertices[edge, 1] = 0
    closed, upward = replace(shape, vertices=vertices), -1.8 * offsets
    to_source = known_map(shape, shape).to_source
    stray = edge[4, 0] - 1  # in the second row of the lower lip: it goes with the upper one, over its neighbors
    to_source.face[stray] = int(np.flatnonzero((shape.faces == edge[4, 1]).any(axis=1))[0])
    to_source.barycentric[stray] = shape.faces[to_source.face[stray]] == edge[4, 1]
    carried = transfer_displacements(MappedMesh(closed, closed, to_source), upward)
    assert turned_over(closed, to_source.pull(upward, shape.faces)).any()
    assert not turned_over(closed, carried).any()
    others = np.delete(edge, 4, axis=0)
    np.testing.assert_allclose(carried[others, 1], upward[others, 1], atol=0.02)


def with_a_sliver(shape: Snapshot, offsets: Array, face: int, inside: Array) -> tuple[Snapshot, Array]:
    """The sheet with a triangle cut in three at a vertex, and displacements that turn over the one of them in which
    ``inside``, barycentric coordinates (3,), lie."""
    a, b, c = shape.faces[face]
    new, corners = len(shape.vertices), shape.vertices[[a, b, c]].astype(np.float64)
    vertex = (0.7 * inside + 0.3 * np.eye(3)[1]) @ corners
    moved = np.array([0.5, -0.2, 0.7]) @ (corners + offsets[[a, b, c]]) - vertex
    faces = np.concatenate((np.delete(shape.faces, face, axis=0), [[c, a, new], [a, b, new], [b, c, new]]))
    return Snapshot.from_arrays(np.vstack((shape.vertices, vertex)), faces), np.vstack((offsets, moved))


def test_a_sliver_that_the_source_turns_over_turns_over_no_lid() -> None:
    """A vertex of the second row of the lower lid goes with the upper one, over its neighbors; where the
    target's triangles turn over then, small triangles of the source do."""
    shape, offsets, edge = lids()
    offsets[:, 2] = np.clip(-shape.vertices[:, 1] - 0.5, 0, None)  # what is solved again is small beside this

    def astray(source: Snapshot) -> MappedMesh:
        to_source, vertex = known_map(source, shape).to_source, edge[4, 0] - 1
        to_source.face[vertex] = int(np.flatnonzero((source.faces == edge[4, 1]).any(axis=1))[0])
        to_source.barycentric[vertex] = source.faces[to_source.face[vertex]] == edge[4, 1]
        return MappedMesh(source, shape, to_source)

    turned = np.flatnonzero(turned_over(shape, astray(shape).to_source.pull(offsets, shape.faces)))
    source = shape
    for triangle in turned.tolist():
        place = np.array([[4, 1, 1]], np.float32) / 6
        face, inside = astray(source).carrier.carry(np.array([triangle]), place)
        source, offsets = with_a_sliver(source, offsets, int(face[0]), inside[0].astype(np.float64))
    assert turned_over(source, offsets).sum() == len(turned)
    carried = transfer_displacements(astray(source), offsets)
    assert not turned_over(shape, carried).any()


def wider(shape: Snapshot, factor: float) -> Snapshot:
    """The same sheet with its slit that many times as wide."""
    vertices = shape.vertices.astype(np.float64)
    near = np.clip(1 - np.abs(vertices[:, 1]) / 0.5, 0, 1) * np.clip(1 - (vertices[:, 0] / 0.6) ** 2, 0, 1)
    vertices[:, 1] += np.sign(vertices[:, 1]) * 0.03 * (factor - 1) * near
    return replace(shape, vertices=vertices.astype(np.float32))


def test_wide_eyes_close() -> None:
    """The key closes the source's slit: it closes one that is twice as wide, evenly, and the lower lid rests."""
    shape, offsets, edge = lids()
    target = wider(shape, 2)
    mapped = MappedMesh(shape, target, known_map(shape, shape).to_source)
    carried = transfer_displacements(mapped, offsets)
    moved = target.vertices + carried
    gap = (moved[edge[:, 1]] - moved[edge[:, 0]])[:, 1]
    before = (target.vertices[edge[:, 1]] - target.vertices[edge[:, 0]])[:, 1]
    there = (shape.vertices + offsets)[edge]
    assert np.abs(gap - (there[:, 1] - there[:, 0])[:, 1]).mean() < 0.1 * before.mean()
    assert np.linalg.norm(carried[edge[:, 0]], axis=1).max() < 0.1 * before.mean()
    assert np.abs(np.diff(carried[edge[:, 1], 1], 2)).max() < 0.05 * before.mean()
    assert not turned_over(target, carried).any()


def test_a_gap_of_another_kind_is_not_closed() -> None:
    """Where the sides are many times as far apart as on the source, the map is off: nothing is pulled together."""
    shape, offsets, _ = lids()
    carried = transfer_displacements(MappedMesh(shape, wider(shape, 6), known_map(shape, shape).to_source), offsets)
    assert np.linalg.norm(carried, axis=1).max() < 2 * np.linalg.norm(offsets, axis=1).max()


def test_what_stays_open_on_the_source_stays_open() -> None:
    """Half a blink is half a blink."""
    shape, offsets, _ = lids()
    half = 0.5 * offsets
    carried = transfer_displacements(MappedMesh(shape, wider(shape, 2), known_map(shape, shape).to_source), half)
    np.testing.assert_allclose(carried, half, atol=0.004)


def test_what_the_source_turns_over_is_turned_over() -> None:
    """A key that folds the source on purpose comes over as it is."""
    shape, _, edge = lids()
    offsets = np.zeros((len(shape.vertices), 3))
    offsets[edge[:, 0], 1] = -0.08
    assert turned_over(shape, offsets).any()
    carried = transfer_displacements(MappedMesh(shape, shape, known_map(shape, shape).to_source), offsets)
    np.testing.assert_allclose(carried, offsets, atol=1e-3)


def test_on_a_copy_nothing_is_solved_again() -> None:
    """The triangles around each vertex are looked up in one of them each: where the key folds sharply, it stays."""
    shape, _, _ = lids()
    generator = np.random.default_rng(0)
    offsets = np.zeros((len(shape.vertices), 3))
    offsets[generator.integers(0, len(offsets), 30), 0] = 0.1
    to_source = known_map(shape, shape).to_source
    turned = replace(shape, vertices=(2 * shape.vertices[:, [1, 2, 0]]).astype(np.float32))
    carried = transfer_displacements(MappedMesh(shape, turned, to_source), offsets)
    np.testing.assert_allclose(carried, 2 * offsets[:, [1, 2, 0]], atol=1e-5)
