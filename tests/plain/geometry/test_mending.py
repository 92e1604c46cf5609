"""Meshes with ordinary defects, mended for matching."""

from __future__ import annotations

import igl
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.beasts import beast
from helpers.shapes import joined
from meshkin.geometry.closest_points import closest_points
from meshkin.geometry.mending import MendingSettings, has_holes, is_part, mended, roughness, smoothed_noise
from meshkin.geometry.mesh import bounding_diagonal, surface_area
from meshkin.geometry.proxy import ProxySettings

Array = NDArray[np.float64]
SETTINGS = MendingSettings(proxy=ProxySettings(cell=0.02, faces=4000))


def body() -> tuple[Array, NDArray[np.integer]]:
    shape, _, _ = beast(64, 0.2, 0)
    return shape.vertices.astype(float), shape.faces.astype(np.int64)


def test_a_clean_mesh_stays_as_it_is() -> None:
    vertices, faces = body()
    mesh = mended(vertices, faces)
    assert mesh.closed_places is None
    assert np.array_equal(mesh.vertices, vertices)
    assert np.array_equal(mesh.faces, faces)


def test_flipped_faces_alone_change_nothing_else() -> None:
    vertices, faces = body()
    mesh = mended(vertices, np.where(np.random.default_rng(0).random(len(faces))[:, None] < 0.5, faces[:, ::-1], faces))
    assert np.array_equal(mesh.vertices, vertices)
    assert np.array_equal(np.sort(mesh.faces, axis=1), np.sort(faces, axis=1))


@pytest.mark.parametrize("share", [0.005, 0.01])
def test_noise_is_found_and_smoothed(share: float) -> None:
    vertices, faces = body()
    noise = share * bounding_diagonal(vertices) * np.random.default_rng(0).standard_normal(vertices.shape)
    assert roughness(vertices, faces) < SETTINGS.noise < roughness(vertices + noise, faces)
    smooth = smoothed_noise(vertices + noise, faces)
    assert np.array_equal(smoothed_noise(vertices, faces), vertices)

    def off(points: Array) -> float:
        return float(np.sqrt(closest_points(points, vertices, faces).square.mean()))

    assert off(smooth) < off(vertices + noise) / 1.5


def open_body() -> tuple[Array, NDArray[np.integer]]:
    """A body with a hole in its trunk."""
    vertices, faces = body()
    near = np.linalg.norm(vertices - vertices[len(vertices) // 2], axis=1) < 0.3
    return vertices, faces[~near[faces].any(axis=1)]


def test_holes_are_filled_and_all_vertices_stay() -> None:
    vertices, faces = open_body()
    assert has_holes(vertices, faces)
    assert not has_holes(*body())
    mesh = mended(vertices, faces)
    assert mesh.closed_places is not None
    assert len(igl.boundary_facets(mesh.faces)[0]) == 0
    assert surface_area(mesh.vertices, mesh.faces) == pytest.approx(surface_area(*body()), rel=0.02)
    used = np.unique(faces)
    np.testing.assert_allclose(mesh.carried(mesh.vertices)[used], vertices[used])
    sampled = mesh.sampled(vertices, vertices, faces)
    assert (np.linalg.norm(sampled - mesh.vertices, axis=1) < 1e-6).sum() >= len(used)


def test_pieces_with_gaps_get_a_closed_proxy_that_knows_their_vertices() -> None:
    vertices, faces = body()
    is_upper = vertices[faces][:, :, 1] > 0.2
    pieces = faces[is_upper.all(axis=1) | ~is_upper.any(axis=1)]
    mesh = mended(vertices, pieces, SETTINGS)
    assert mesh.closed_places is not None
    size = np.sqrt(surface_area(vertices, faces))
    used = np.unique(pieces)
    assert np.linalg.norm(mesh.carried(mesh.vertices) - vertices, axis=1)[used].max() < 0.03 * size
    back = mesh.sampled(vertices, vertices, pieces)
    assert np.percentile(np.linalg.norm(back - mesh.vertices, axis=1), 90) < 0.05 * size


def test_a_part_that_was_cut_off_stays_open() -> None:
    vertices, faces = body()
    bust = faces[(vertices[faces][:, :, 1] > -0.3).all(axis=1)]
    assert is_part(vertices, bust)
    assert not is_part(*open_body())
    assert mended(vertices, bust).closed_places is None


def test_layers_stay_as_they_are() -> None:
    """A proxy would merge what lies in another part with its outside."""
    vertices, faces = body()
    layered = joined((vertices, faces), (0.8 * vertices, faces))
    assert mended(*layered, SETTINGS).closed_places is None


def test_the_same_mesh_is_mended_once() -> None:
    """Features and matcher want the same; what has another content is mended for itself."""
    vertices, faces = body()
    mesh = mended(vertices, faces)
    assert mended(vertices.copy(), faces.copy()) is mesh
    moved = vertices.copy()
    moved[0] += 0.01
    assert np.array_equal(mended(moved, faces).vertices, moved)
