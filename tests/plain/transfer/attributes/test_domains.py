"""Values of every domain, UV maps, labels and displacements through known maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from helpers import shapes
from helpers.textured import known_map
from meshkin.data.snapshot import Snapshot
from meshkin.geometry.arrays import expand
from meshkin.geometry.mesh import vertex_normals
from meshkin.transfer.attributes.domains import Domains, Values, detail
from meshkin.transfer.attributes.hair import carry_strands

Array = shapes.Array


def edges_of(shape: Snapshot) -> Array:
    return np.unique(np.sort(shape.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)


def domains(source: Snapshot, target: Snapshot) -> Domains:
    return Domains(source, target, known_map(source, target).to_source, edges_of(source), edges_of(target))


@pytest.fixture(scope="module")
def source() -> Snapshot:
    return shapes.bumpy(shapes.sphere(64, 40))


@pytest.fixture(scope="module")
def target() -> Snapshot:
    return shapes.bumpy(shapes.sphere(50, 30))


def test_the_same_mesh_keeps_every_value(source: Snapshot) -> None:
    same = domains(source, source)
    generator = np.random.default_rng(0)
    sizes = {"POINT": len(source.vertices), "FACE": len(source.faces), "CORNER": source.corners.size}
    for domain, size in sizes.items():
        labels = generator.integers(0, 1000 if domain != "FACE" else 2**30, (size, 1))
        share = (same.carry(Values(domain, True, labels)) == labels).mean()
        assert share > (0.99 if domain != "FACE" else 0.98), domain
    marks = np.zeros((len(same.source_edges), 1), bool)
    marks[generator.choice(len(marks), 200)] = True
    assert (same.carry(Values("EDGE", True, marks)) == marks).mean() > 0.97
    assert same.carry(Values("EDGE", True, marks))[marks[:, 0]].all()


PLACES: dict[str, Callable[[Snapshot], Array]] = {
    "POINT": lambda shape: shape.vertices,
    "CORNER": lambda shape: shape.vertices[shape.faces].reshape(-1, 3),
    "FACE": lambda shape: shape.vertices[shape.faces].mean(axis=1),
}
"""Where the values of each domain lie."""


def wave(points: Array) -> Array:
    """Two smooth numbers for each point."""
    return np.sin(points @ np.array([[2.0, 1], [1, -2], [0.5, 1]]))


def test_smooth_values_on_another_mesh(source: Snapshot, target: Snapshot) -> None:
    other = domains(source, target)
    for domain, places in PLACES.items():
        found = other.carry(Values(domain, False, wave(places(source))))
        assert np.abs(found - wave(places(target))).mean() < 0.03, domain


def test_values_of_all_edges_and_lines(source: Snapshot, target: Snapshot) -> None:
    """What every edge has goes to every edge; a line of marked edges stays a line."""
    other = domains(source, target)
    given, wanted = (
        2 + np.sin(shape.vertices[edges].mean(axis=1) @ np.array([[2.0], [1], [0.5]]))
        for shape, edges in ((source, other.source_edges), (target, other.target_edges))
    )
    assert np.quantile(np.abs(other.carry(Values("EDGE", False, given)) - wanted), 0.95) < 0.15
    assert other.carry(Values("EDGE", True, np.ones((len(other.source_edges), 1), bool))).all()
    line = (np.abs(source.vertices[other.source_edges][..., 2]) < 0.02).all(axis=1)[:, None]
    marked = other.carry(Values("EDGE", True, line))
    assert 0 < marked.mean() < 3 * line.mean()


def test_a_hard_edge_between_corners_stays_hard(source: Snapshot) -> None:
    """Corner colors that differ from face to face: no corner mixes two of them."""
    upper = (source.vertices[source.faces].mean(axis=1)[:, 2] > 0).astype(float)
    found = domains(source, source).carry(Values("CORNER", False, np.repeat(upper, 3)[:, None]))
    assert (np.minimum(found, 1 - found) < 1e-3).mean() > 0.99


def test_labels_by_majority_with_clean_borders(source: Snapshot, target: Snapshot) -> None:
    """Two materials, and noise on a few faces: right nearly everywhere, and no single face left alone."""
    side = (source.vertices[source.faces].mean(axis=1)[:, 0] > 0.2).astype(np.int32) * 7 + 3
    noisy = side.copy()
    noisy[np.random.default_rng(0).choice(len(side), 60)] = 99
    found = domains(source, target).carry(Values("FACE", True, noisy[:, None]))[:, 0]
    truth = (target.vertices[target.faces].mean(axis=1)[:, 0] > 0.2).astype(np.int32) * 7 + 3
    assert (found == truth).mean() > 0.97
    assert (found == 99).mean() < 0.5 * (noisy == 99).mean()


def test_a_uv_map_keeps_its_islands_whole(source: Snapshot, target: Snapshot) -> None:
    """The source's map has one seam; on the target no face is drawn across it."""
    assert source.uvs is not None
    found = domains(source, target).uvs(source.uvs.astype(np.float64))[target.corners]
    truth = target.uvs
    assert truth is not None
    middle = np.abs(truth[..., 1].mean(axis=1) - 0.5) < 0.4  # away from the poles
    spread = np.ptp(found[middle], axis=1).max(axis=1)
    assert spread.max() < 0.1
    difference = np.abs(found[middle] - truth[middle])
    difference[..., 0] = np.minimum(difference[..., 0], np.abs(1 - difference[..., 0]))
    assert np.quantile(difference, 0.99) < 0.02


def test_several_islands(source: Snapshot, target: Snapshot) -> None:
    """Islands per octant: every face of the target lies in one of them, and in the right one."""
    middle = source.vertices[source.faces].mean(axis=1)
    octant = ((middle > 0) @ np.array([1, 2, 4])).astype(int)
    layout = source.vertices[source.faces][:, :, :2] * 0.04 + 0.06 + octant[:, None, None] * np.array([0.12, 0])
    found = domains(source, target).uvs(layout)[target.corners]
    own = np.clip(np.floor(found.mean(axis=1)[:, 0] / 0.12), 0, 7).astype(int)
    truth = ((target.vertices[target.faces].mean(axis=1) > 0) @ np.array([1, 2, 4])).astype(int)
    assert (own == truth).mean() > 0.93
    assert np.ptp(found, axis=1).max() < 0.03


def test_displacements_turn_and_scale_with_the_frame(source: Snapshot) -> None:
    """A turned copy of twice the size: bumps along the normal stay along the normal, twice as high."""
    angle = 0.9
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    turn = turn @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    target = replace(source, vertices=(2 * source.vertices @ turn.T).astype(np.float32))
    offsets = np.random.default_rng(0).normal(0, 0.1, source.vertices.shape)
    found = Domains(source, target, known_map(source, source).to_source, edges_of(source), edges_of(target))
    np.testing.assert_allclose(found.displacements(offsets), 2 * offsets @ turn.T, atol=0.02)


def test_detail_is_what_is_small(source: Snapshot) -> None:
    """Fine ripples on a smooth body are found again, the body itself is not."""
    ripple = 0.01 * np.sin(20 * source.vertices[:, 2])
    normals = np.zeros_like(source.vertices)
    np.add.at(normals, source.faces.ravel(), source.normals.reshape(-1, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    rough = replace(source, vertices=(source.vertices + ripple[:, None] * normals).astype(np.float32))
    middle = np.abs(source.vertices[:, 2]) < 0.7
    found = np.einsum("vd,vd->v", detail(rough, 2), normals)
    plain = np.einsum("vd,vd->v", detail(source, 2), normals)
    assert np.corrcoef(found[middle] - plain[middle], ripple[middle])[0, 1] > 0.9
    assert np.abs(plain[middle]).mean() < 0.004


def test_hair_goes_with_its_surface() -> None:
    """On a copy turned, moved and twice as large, strands are turned, moved and twice as long."""
    ball = shapes.bumpy(shapes.sphere(48, 24))
    turn = Rotation.from_euler("xyz", (0.3, 1.0, -0.5)).as_matrix()
    target = replace(ball, vertices=(2 * ball.vertices @ turn.T + (1, 2, 3)).astype(np.float32))
    rooted = np.arange(100, 1000, 30)
    roots, normals = ball.vertices[rooted].astype(float), vertex_normals(ball.vertices, ball.faces)[rooted]
    lengths = 2 + np.arange(len(rooted)) % 3
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    strand, along = expand(lengths)
    points = roots[strand] + 0.1 * along[:, None] * (normals[strand] + along[:, None] * (0, 0, 0.3))
    match = known_map(ball, ball).to_target
    moved, uvs = carry_strands(ball, target, match, points, first)
    np.testing.assert_allclose(moved, 2 * points @ turn.T + (1, 2, 3), atol=0.02)
    corner = np.array([np.argwhere(ball.faces == vertex)[0] for vertex in rooted])
    u, v = (uvs - ball.uvs[corner[:, 0], corner[:, 1]]).T
    np.testing.assert_allclose(v, 0, atol=0.01)
    np.testing.assert_allclose(u - np.rint(u), 0, atol=0.02)
