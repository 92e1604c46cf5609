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
