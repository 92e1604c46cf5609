"""Mirror maps, found from features that do not tell the sides, and shapes with several symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers import shapes
from helpers.beasts import beast
from helpers.surfaces import described
from meshkin.data.snapshot import Snapshot
from meshkin.matching.pipeline import match
from meshkin.spectral.eigenbasis import SpectralMesh, spectral_mesh, with_features
from meshkin.symmetry.mirror_sides import connected_sides
from meshkin.symmetry.mirrors import find_mirrors, rough_of


def tick() -> None:
    """Nobody asks how far it is."""


def mesh_of(shape: Snapshot, features: NDArray[np.float32]) -> SpectralMesh:
    centered = features - features.mean(axis=0)
    mesh, _ = spectral_mesh(shape.vertices, shape.faces)
    return with_features(mesh, centered / np.sqrt((centered**2).sum(axis=1).mean()))


@pytest.mark.parametrize("bend", [0.0, 0.25])
def test_a_shapes_own_mirror_is_found_in_any_pose(bend: float) -> None:
    shape, places, features = beast(64, bend, 0.1)
    mesh = mesh_of(shape, features)
    mirror = find_mirrors(mesh, mesh, tick)[0][0]
    fine_places = places[mesh.vertex]
    rough_places = fine_places[rough_of(mesh).vertex]
    assert np.median(np.linalg.norm(rough_places[mirror.twin] - rough_places * (-1, 1, 1), axis=1)) < 0.1
    clear = np.abs(fine_places[:, 0]) > 0.2
    agree = (mirror.side[clear] > 0) == (fine_places[clear, 0] > 0)
    assert max(agree.mean(), 1 - agree.mean()) > 0.98


def test_each_side_is_one_piece() -> None:
    """Ends of limbs that were taken for the other side's, and spots in them, go back to their own."""
    shape, places, features = beast(64, 0.25, 0.1)
    mesh = mesh_of(shape, features)
    across, along = places[mesh.vertex, 0], places[mesh.vertex, 1]
    true = np.where(across > 0, 0.8, -0.8)
    swapped = (np.abs(across) > 0.7 * np.abs(across).max()) & (along > np.median(along))
    wrong = np.where(swapped, -true, true)
    wrong[np.flatnonzero(swapped)[::40]] *= -1
    assert np.mean(wrong != true) > 0.05
    np.testing.assert_array_equal(connected_sides(mesh, wrong), true)
    np.testing.assert_array_equal(connected_sides(mesh, true), true)
    np.testing.assert_array_equal(connected_sides(mesh, np.ones(len(true))), np.ones(len(true)))


def test_a_shape_borrows_the_others_mirror() -> None:
    clear_shape, _, clear_features = beast(64, 0.0, 0.1)
    noisy_shape, places, noisy_features = beast(52, 0.3, 0.4)
    source, target = mesh_of(clear_shape, clear_features), mesh_of(noisy_shape, noisy_features)
    mirror = find_mirrors(source, target, tick)[1][0]
    target_places = places[target.vertex]
    clear = np.abs(target_places[:, 0]) > 0.2
    agree = (mirror.side[clear] > 0) == (target_places[clear, 0] > 0)
    assert max(agree.mean(), 1 - agree.mean()) > 0.95


def test_no_mirror_is_made_up_where_features_tell_the_sides() -> None:
    shape, _, features = beast(64, 0.5, 0.02, lopsided=True)
    mesh = mesh_of(shape, features)
    assert find_mirrors(mesh, mesh, tick) == ([], [])


@pytest.mark.parametrize("name", ["table", "vase", "ball"])
def test_several_symmetries_are_told_and_matched_plainly(name: str) -> None:
    ball = shapes.sphere(64, 32)
    x, y, z = ball.vertices.astype(np.float64).T
    size = {"table": (1, 0.6, 0.35), "vase": (0.5, 0.5, 1), "ball": (1, 1, 1)}[name]
    described_by = {"table": (abs(x), abs(y), z), "vase": (np.hypot(x, y), z, z), "ball": (0 * x, 0 * x, 0 * x)}[name]
    features = shapes.smooth_features(np.column_stack(described_by))
    features += np.random.default_rng(0).normal(0, 0.1, features.shape)
    surface = described(shapes.snapshot(ball.vertices * size, ball.faces), features)
    result = match(surface, surface)
    assert result.notes["ambiguous"]
    assert not result.notes["sided"]
    assert result.notes["several_symmetries"] == [surface.name] * 2
    assert "point pairs" in result.notes["sentences"][0]
    assert result.to_source.confidence.mean() <= 0.5
