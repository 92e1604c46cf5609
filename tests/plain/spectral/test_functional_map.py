"""Functional maps of known maps, and maps found again from them."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import shapes
from meshkin.spectral.eigenbasis import EigenbasisSettings, SpectralMesh, spectral_mesh
from meshkin.spectral.functional_map import coefficients, functional_map, maps_from, matching_counts, zoomout_refine

SMALL = EigenbasisSettings(fine=600, rough=300, eigenfunctions=40)


@pytest.fixture(scope="module")
def mesh() -> SpectralMesh:
    ball = shapes.bumpy(shapes.sphere(40, 20))
    return spectral_mesh(ball.vertices, ball.faces, SMALL)[0]


def test_coefficients_of_functions_in_the_span_are_found_again(mesh: SpectralMesh) -> None:
    basis = mesh.eigenfunctions[:, :10]
    truth = np.random.default_rng(0).normal(size=(10, 3))
    assert coefficients(basis, mesh.mass, basis @ truth) == pytest.approx(truth, abs=1e-6)


def test_the_functional_map_of_the_identity_is_the_identity(mesh: SpectralMesh) -> None:
    same = np.arange(len(mesh.points))
    bases = mesh.eigenfunctions, mesh.eigenfunctions
    matrix = functional_map(mesh, mesh, bases, (same, same))
    assert matrix == pytest.approx(np.eye(40), abs=1e-6)
    none = np.zeros((len(same), 0))
    for found in maps_from(bases, (none, none), matrix):
        np.testing.assert_array_equal(found, same)


def test_zoomout_makes_a_noisy_map_exact(mesh: SpectralMesh) -> None:
    same = np.arange(len(mesh.points))
    generator = np.random.default_rng(0)
    near = np.linalg.norm(mesh.points[:, None] - mesh.points, axis=2).argsort(axis=1)
    noisy = near[same, generator.integers(0, 40, len(same))], near[same, generator.integers(0, 40, len(same))]
    none = np.zeros((len(same), 0))
    bases, eigenvalues = (mesh.eigenfunctions,) * 2, (mesh.eigenvalues,) * 2
    rounds: list[None] = []
    refined, matrix = zoomout_refine(
        mesh, mesh, bases, eigenvalues, (none, none), noisy, 8, lambda: rounds.append(None)
    )
    assert (noisy[0] == same).mean() < 0.1
    for found in refined:
        assert (found == same).mean() > 0.9
    assert matrix.shape == (40, 40)
    assert len(rounds) > 3


def test_eigenfunctions_go_together_by_eigenvalue_not_by_number() -> None:
    """One shape has ten smooth eigenfunctions more, of a part that the other lacks."""
    eigenvalues = np.arange(1.0, 101)
    more = np.sort(np.concatenate((eigenvalues, np.linspace(0.5, 5, 10))))
    assert matching_counts((eigenvalues, eigenvalues), 20) == (20, 20)
    assert matching_counts((eigenvalues, more), 20) == (20, 30)
    assert matching_counts((more, eigenvalues), 20) == (30, 20)
    assert matching_counts((eigenvalues, np.full(100, 1e-3)), 20) == (20, 40)
