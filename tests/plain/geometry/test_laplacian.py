"""The Laplacian against closed forms, and its factorizations against dense solvers."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from scipy import sparse

from helpers.shapes import grid, icosphere
from meshkin.geometry.laplacian import bilaplacian, connected_laplacian, factorized, harmonic_solver, laplacian


def test_constants_have_no_energy_and_the_mass_is_the_area() -> None:
    vertices, faces = icosphere(4)
    stiffness, mass = laplacian(np.concatenate((vertices, [(9.0, 9, 9)])), faces)
    assert np.abs(stiffness @ np.ones(len(mass))).max() < 1e-9
    assert mass.sum() == pytest.approx(4 * np.pi, rel=5e-3)
    assert mass[-1] == 0  # a vertex without a face
    assert stiffness[[-1]].nnz == 0
    x = vertices[:, 0]
    assert x @ (stiffness[:-1][:, :-1] @ x) == pytest.approx(2 * (mass[:-1] * x) @ x, rel=0.01)  # eigenvalue l (l + 1)


def test_repeated_faces_count_once_or_as_often_as_they_occur() -> None:
    points, faces = grid(4, 4)
    vertices = np.column_stack((points, np.zeros(len(points))))
    twice = np.concatenate((faces, faces[:, ::-1]))
    once, mass = laplacian(vertices, faces)
    assert abs(laplacian(vertices, twice)[0] - once).max() < 1e-12
    doubled, double_mass = laplacian(vertices, twice, keep_duplicates=True)
    assert double_mass == pytest.approx(2 * mass)
    assert abs(doubled - 2 * once).max() < 1e-9


@pytest.mark.parametrize("ordering", ["MMD_AT_PLUS_A", "COLAMD"])
def test_factorizations_agree_with_a_dense_solver(ordering: Literal["MMD_AT_PLUS_A", "COLAMD"]) -> None:
    vertices, faces = icosphere(2)
    stiffness, mass = connected_laplacian(vertices * (1, 1.5, 0.2), faces)
    right = np.random.default_rng(0).normal(size=(len(mass), 3))
    for matrix in (stiffness, bilaplacian(stiffness, mass)):
        system = sparse.csc_array(matrix + sparse.diags_array(mass))
        solve = factorized(system, ordering)
        assert solve(right) == pytest.approx(np.linalg.solve(system.toarray(), right), rel=1e-8, abs=1e-10)
        assert solve(right[:, 0]) == pytest.approx(solve(right)[:, 0])


def test_a_singular_matrix_is_an_error() -> None:
    with pytest.raises(RuntimeError):
        factorized(sparse.csc_array(np.diag([1.0, 0, 2])))


def test_harmonic_values_of_linear_functions_are_linear() -> None:
    points, faces = grid(9, 7)
    vertices = np.column_stack((points, np.zeros(len(points))))
    known = ((points == 0) | (points == 1)).any(axis=1)
    truth = np.column_stack((points @ (1, 2), points @ (-3, 0.5) + 4))
    stiffness, _ = laplacian(vertices, faces)
    assert harmonic_solver(stiffness, known)(truth[known]) == pytest.approx(truth[~known], abs=1e-9)
