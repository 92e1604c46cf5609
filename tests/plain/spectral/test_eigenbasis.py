"""Eigenvalues and eigenfunctions against closed forms, on sound meshes and on broken ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csgraph
from scipy.spatial.transform import Rotation

from helpers import shapes
from helpers.shapes import icosphere
from meshkin.geometry.coarsening import coarsen
from meshkin.geometry.laplacian import connected_laplacian, laplacian
from meshkin.geometry.mesh import normalize, vertex_normals
from meshkin.spectral import eigenbasis
from meshkin.spectral.eigenbasis import eigenpairs, spectral_mesh

Mesh = tuple[NDArray[np.float64], NDArray[np.int64]]


def scattered(count: int, size: float = 0.02) -> Mesh:
    """Separate small triangles at random places."""
    generator = np.random.default_rng(1)
    corners = generator.normal(size=(count, 1, 3)) + size * generator.normal(size=(count, 3, 3))
    return corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3)


def test_sphere_spectrum() -> None:
    vertices, faces = icosphere(4)
    values, functions = eigenpairs(*laplacian(vertices, faces), 25)
    expected = np.repeat(np.arange(5), 2 * np.arange(5) + 1)
    assert values == pytest.approx(expected * (expected + 1), rel=0.02, abs=1e-6)
    _, mass = laplacian(vertices, faces)
    assert functions.T @ (mass[:, None] * functions) == pytest.approx(np.eye(25), abs=1e-8)


def test_dense_and_iterative_solvers_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    stiffness, mass = laplacian(*icosphere(2))
    dense, _ = eigenpairs(stiffness, mass, 20)
    monkeypatch.setattr(eigenbasis, "LARGEST_DENSE", 0)
    iterative, _ = eigenpairs(stiffness, mass, 20)
    assert iterative == pytest.approx(dense, rel=1e-8, abs=1e-8)


def test_spectrum_survives_motion_and_scale() -> None:
    vertices, faces = icosphere(3)
    vertices = vertices * (1, 0.7, 0.4)
    moved = vertices @ Rotation.from_euler("xyz", (0.3, 1, 2)).as_matrix().T * 1e-3 + (500, -20, 3)
    one, two = (
        eigenpairs(*connected_laplacian(normalize(points, faces), faces), 30)[0] for points in (vertices, moved)
    )
    assert two == pytest.approx(one, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("size", [80, 2000])
def test_loose_parts_get_one_spectrum(size: int) -> None:
    vertices, faces = scattered(size)
    stiffness, mass = connected_laplacian(vertices, faces)
    assert csgraph.connected_components(stiffness)[0] == 1
    assert np.abs(stiffness.sum(axis=0)).max() < 1e-9
    values, functions = eigenpairs(stiffness, mass, 20)
    assert values[0] < 1e-6 * values[1]
    assert np.ptp(functions[:, 0]) < 1e-6 * abs(functions[0, 0])


def test_a_button_joins_the_functions_of_the_place_where_it_sits() -> None:
    vertices, faces = icosphere(3)
    vertices = vertices * (3, 1, 1)
    button, sides = icosphere(0)
    both = np.concatenate((vertices, button * 0.05 + (3.1, 0, 0)))
    joined = np.concatenate((faces, sides + len(vertices)))
    _, functions = eigenpairs(*connected_laplacian(both, joined), 8)
    tip = vertices[:, 0].argmax()
    spread = functions[:, 1:].max(axis=0) - functions[:, 1:].min(axis=0)
    assert (np.abs(functions[-12:, 1:] - functions[tip, 1:]) / spread).max() < 0.1


BROKEN: dict[str, Mesh] = {
    "one triangle": (np.eye(3), np.array([[0, 1, 2]])),
    "repeated and degenerate": (
        np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [9, 9, 9]]),
        np.array([[0, 1, 2], [0, 1, 2], [2, 1, 0], [3, 3, 1], [3, 0, 1]]),
    ),
    "no area": (np.column_stack((np.arange(12.0), np.zeros((12, 2)))), np.arange(12).reshape(-1, 3)),
    "one point": (np.zeros((6, 3)), np.arange(6).reshape(-1, 3)),
    "three faces on an edge": (
        np.array([[0.0, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0], [-1, -1, 0]]),
        np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]]),
    ),
    "flat parts in a plane": (
        np.array([[x + a, y + b, 0] for x in range(4) for y in range(3) for a, b in ((0, 0), (0.5, 0), (0, 0.5))]),
        np.arange(36).reshape(-1, 3),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_meshes_give_finite_spectra(name: str) -> None:
    vertices, faces = BROKEN[name]
    coarse = coarsen(vertices, faces)
    assert coarse.prolong.shape == (len(vertices), len(coarse.vertices))
    assert coarse.prolong.sum(axis=1) == pytest.approx(np.ones(len(vertices)))
    stiffness, mass = connected_laplacian(coarse.vertices, coarse.faces)
    values, functions = eigenpairs(stiffness, mass, 10)
    assert np.isfinite(values).all()
    assert np.isfinite(functions).all()
    assert np.isfinite(vertex_normals(vertices, faces)).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(4, 40))
@settings(max_examples=40, deadline=None)
def test_any_soup_of_triangles_is_handled(seed: int, faces: int, vertices: int) -> None:
    generator = np.random.default_rng(seed)
    points = generator.integers(0, 4, (vertices, 3)).astype(np.float64)  # many coincide, many faces have no area
    triangles = generator.integers(0, vertices, (faces, 3))
    coarse = coarsen(points, triangles)
    stiffness, mass = connected_laplacian(coarse.vertices, coarse.faces)
    values, functions = eigenpairs(stiffness, mass, 12)
    assert np.isfinite(values).all()
    assert np.isfinite(functions).all()
    assert csgraph.connected_components(stiffness)[0] == 1


def test_the_opposite_point_lies_straight_across() -> None:
    ball = shapes.sphere(48, 24)
    rough = spectral_mesh(ball.vertices * (1.0, 2.0, 0.5), ball.faces)[0].rough
    assert rough is not None
    points = rough.points
    flat = np.abs(rough.normals[:, 2]) > 0.9
    across = points[rough.opposite] * (1, 1, -1)
    assert flat.sum() > 100
    thickness = np.ptp(points[:, 2])
    assert np.linalg.norm(across - points, axis=1)[flat].max() < thickness / 2
