"""Mean value coordinates, and points carried with a surface by them."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from helpers.figures import Figure
from meshkin.geometry.mean_value import carry_points, mean_value_coordinates

BODY = Figure().body(50)


def test_coordinates_reproduce_points_inside_and_outside() -> None:
    vertices, faces = BODY.vertices.astype(np.float64), BODY.faces
    for point in ((0, 0, 0.6), (0.06, 0, 0.3), (0.3, 0.5, 1.2), (0, 0, 0.02), vertices[5]):
        shares = mean_value_coordinates(np.array(point), vertices, faces)
        assert abs(shares.sum() - 1) < 1e-9
        np.testing.assert_allclose(shares @ vertices, point, atol=1e-6)


def test_a_similarity_is_exact_also_for_open_surfaces() -> None:
    vertices = BODY.vertices.astype(np.float64)
    open_faces = BODY.faces[vertices[BODY.faces].mean(axis=1)[:, 2] < 0.7]
    turn = Rotation.from_euler("xyz", (20, 40, -70), degrees=True)
    points = np.array([(0, 0, 0.6), (0.06, 0, 0.3), (0.5, 0.5, 0.5)])
    for faces in (BODY.faces, open_faces):
        moved = carry_points(points, vertices, faces, 2.5 * turn.apply(vertices) + (1, 2, 3))
        np.testing.assert_allclose(moved, 2.5 * turn.apply(points) + (1, 2, 3), atol=1e-6)


def test_beside_an_open_sheet_shares_are_still_sound() -> None:
    """In the plane of a sheet the coordinates cancel out: distances stand in for them."""
    vertices = np.array([(0.0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)])
    shares = mean_value_coordinates(np.array((2.0, 0.5, 0)), vertices, np.array([[0, 1, 2], [0, 2, 3]]))
    assert np.isfinite(shares).all()
    assert abs(shares.sum() - 1) < 1e-9
    assert shares[1] > shares[0]


def test_in_the_gap_of_an_open_surface_errors_are_not_magnified() -> None:
    """At the open end of a sleeve, vertices that are moved at random move the point by no more than they move."""
    angle, along = (each.ravel() for each in np.meshgrid(np.linspace(0, 2 * np.pi, 25)[:-1], np.linspace(0, 1, 9)))
    vertices = np.column_stack((0.1 * np.cos(angle), 0.1 * np.sin(angle), along))
    first = np.add.outer(24 * np.arange(8), np.arange(24)).ravel()
    after = first - first % 24 + (first + 1) % 24
    faces = np.concatenate(
        (np.column_stack((first, after, after + 24)), np.column_stack((first, after + 24, first + 24)))
    )
    points = np.array([(0.02, 0, height) for height in (0.5, 0.98, 1.0, 1.02, 1.1)] + [(0.12, 0, 1.03)])
    noise = 0.01 * np.random.default_rng(0).normal(size=vertices.shape)
    moved = carry_points(points, vertices, faces, vertices + noise)
    assert np.linalg.norm(moved - points, axis=1).max() < 0.015
