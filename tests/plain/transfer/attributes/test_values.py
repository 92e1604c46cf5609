"""Values of every domain through known maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from helpers.attributes import SOURCE, TARGET, mapped_mesh, with_edges
from helpers.maps import vertex_map
from helpers.shapes import Array
from meshkin.data.snapshot import Snapshot
from meshkin.transfer.attributes.lookup import MappedMesh
from meshkin.transfer.attributes.values import (
    transfer_corner_values,
    transfer_edge_values,
    transfer_face_values,
    transfer_point_values,
)

SAME, OTHER = mapped_mesh(SOURCE, SOURCE), mapped_mesh(SOURCE, TARGET)
SOURCE_EDGES, TARGET_EDGES = with_edges(SOURCE), with_edges(TARGET)

PLACES: dict[Callable[[MappedMesh, Array, bool], Array], Callable[[Snapshot], Array]] = {
    transfer_point_values: lambda shape: shape.vertices,
    transfer_corner_values: lambda shape: shape.vertices[shape.faces].reshape(-1, 3),
    transfer_face_values: lambda shape: shape.vertices[shape.faces].mean(axis=1),
}
"""Where the values of each domain lie."""


def wave(points: Array) -> Array:
    """Two smooth numbers for each point."""
    return np.sin(points @ np.array([[2.0, 1], [1, -2], [0.5, 1]]))


@pytest.mark.parametrize(
    ("transfer", "size", "largest", "share"),
    [
        (transfer_point_values, len(SOURCE.vertices), 1000, 0.99),
        (transfer_corner_values, SOURCE.corners.size, 1000, 0.99),
        (transfer_face_values, len(SOURCE.faces), 2**30, 0.98),
    ],
)
def test_the_same_mesh_keeps_its_labels(
    transfer: Callable[[MappedMesh, Array, bool], Array], size: int, largest: int, share: float
) -> None:
    labels = np.random.default_rng(0).integers(0, largest, (size, 1))
    assert (transfer(SAME, labels, True) == labels).mean() > share


def test_the_same_mesh_keeps_its_marked_edges() -> None:
    marks = np.zeros((len(SOURCE_EDGES.edges), 1), bool)
    marks[np.random.default_rng(0).choice(len(marks), 200)] = True
    carried = transfer_edge_values(SOURCE_EDGES, SOURCE_EDGES, SAME, marks)
    assert (carried == marks).mean() > 0.97
    assert carried[marks[:, 0]].all()


@pytest.mark.parametrize("transfer", PLACES)
def test_smooth_values_on_another_mesh(transfer: Callable[[MappedMesh, Array, bool], Array]) -> None:
    places = PLACES[transfer]
    carried = transfer(OTHER, wave(places(SOURCE)), False)
    assert np.abs(carried - wave(places(TARGET))).mean() < 0.03


def test_values_of_all_edges_and_lines() -> None:
    """What every edge has goes to every edge; a line of marked edges stays a line."""

    def transfer(values: Array) -> Array:
        return transfer_edge_values(SOURCE_EDGES, TARGET_EDGES, OTHER, values)

    values, truth = (
        2 + np.sin(mesh.shape.vertices[mesh.edges].mean(axis=1) @ np.array([[2.0], [1], [0.5]]))
        for mesh in (SOURCE_EDGES, TARGET_EDGES)
    )
    assert np.quantile(np.abs(transfer(values) - truth), 0.95) < 0.15
    assert transfer(np.ones((len(SOURCE_EDGES.edges), 1), bool)).all()
    line = (np.abs(SOURCE.vertices[SOURCE_EDGES.edges][..., 2]) < 0.02).all(axis=1)[:, None]
    assert 0 < transfer(line).mean() < 3 * line.mean()


def test_a_hard_edge_between_corners_stays_hard() -> None:
    """Corner colors that differ from face to face: no corner mixes two of them."""
    upper = (SOURCE.vertices[SOURCE.faces].mean(axis=1)[:, 2] > 0).astype(float)
    carried = transfer_corner_values(SAME, np.repeat(upper, 3)[:, None], False)
    assert (np.minimum(carried, 1 - carried) < 1e-3).mean() > 0.99


def test_labels_by_majority_with_clean_borders() -> None:
    """Two materials, and noise on a few faces: right nearly everywhere, and no single face left alone."""
    side = (SOURCE.vertices[SOURCE.faces].mean(axis=1)[:, 0] > 0.2).astype(np.int32) * 7 + 3
    noisy = side.copy()
    noisy[np.random.default_rng(0).choice(len(side), 60)] = 99
    carried = transfer_face_values(OTHER, noisy[:, None], True)[:, 0]
    truth = (TARGET.vertices[TARGET.faces].mean(axis=1)[:, 0] > 0.2).astype(np.int32) * 7 + 3
    assert (carried == truth).mean() > 0.97
    assert (carried == 99).mean() < 0.5 * (noisy == 99).mean()


def test_a_copy_has_the_very_values() -> None:
    """Of points, corners, faces and edges, whatever lies beside them: no two neighbors have anything in common."""
    generator = np.random.default_rng(0)
    copy = with_edges(replace(SOURCE, vertices=3 * SOURCE.vertices[:, [1, 2, 0]] + 1))
    mapped = MappedMesh(SOURCE, copy.shape, vertex_map(np.arange(len(SOURCE.vertices)), SOURCE.faces))
    counts = {"point": len(SOURCE.vertices), "corner": SOURCE.corners.max() + 1, "face": SOURCE.polygons.max() + 1}
    values = {kind: generator.random((count, 3)).astype(np.float32) for kind, count in counts.items()}
    np.testing.assert_array_equal(transfer_point_values(mapped, values["point"], False), values["point"])
    np.testing.assert_array_equal(transfer_corner_values(mapped, values["corner"], False), values["corner"])
    np.testing.assert_allclose(transfer_face_values(mapped, values["face"], False), values["face"], rtol=1e-6)
    for share in (0.2, 1.0):  # lines, and values that most edges have
        marked = generator.random((len(copy.edges), 1)) < share
        marks = generator.integers(1, 9, (len(copy.edges), 1)) * marked
        np.testing.assert_array_equal(transfer_edge_values(SOURCE_EDGES, copy, mapped, marks), marks)
