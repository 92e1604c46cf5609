"""What maps do to triangles and to neighbors."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import shapes
from helpers.beasts import beast
from meshkin.data.snapshot import Snapshot
from meshkin.geometry.arrays import Floats
from meshkin.spectral.eigenbasis import EigenbasisSettings, SpectralMesh, spectral_mesh
from meshkin.spectral.similarity import (
    dirichlet_energy,
    kept_orientation,
    spectral_similarity,
    torn_links,
    triangle_orientations,
)


@pytest.fixture(scope="module")
def mesh() -> SpectralMesh:
    ball = shapes.sphere(40, 20)
    settings = EigenbasisSettings(fine=2000, rough=300, eigenfunctions=40)
    return spectral_mesh(ball.vertices * (1, 0.8, 1.3), ball.faces, settings)[0]


def mirrored(mesh: SpectralMesh) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The point nearest to each point's mirror image in x."""
    away = np.linalg.norm(mesh.points[:, None] * (-1, 1, 1) - mesh.points, axis=2)
    return away.argmin(axis=1)


def test_orientation_is_kept_by_the_identity_and_turned_by_a_mirror(mesh: SpectralMesh) -> None:
    same = np.arange(len(mesh.points))
    assert kept_orientation(mesh, mesh, same) == 1
    assert kept_orientation(mesh, mesh, mirrored(mesh)) == 0
    point = np.zeros_like(same)
    assert not triangle_orientations(mesh, mesh, point).any()
    assert kept_orientation(mesh, mesh, point) == 0.5


def test_a_random_map_has_an_energy_of_about_1_and_tears(mesh: SpectralMesh) -> None:
    same = np.arange(len(mesh.points))
    shuffled = np.random.default_rng(0).permutation(same)
    assert dirichlet_energy(mesh, mesh, same) < 0.1
    assert dirichlet_energy(mesh, mesh, shuffled) == pytest.approx(1, abs=0.1)
    assert not torn_links(mesh, same, mesh.links).any()
    assert torn_links(mesh, shuffled, mesh.links).mean() > 0.9


def test_bending_is_nearly_isometric_and_stretching_is_not() -> None:
    def eigenvalues(shape: Snapshot) -> Floats:
        return spectral_mesh(shape.vertices, shape.faces)[0].eigenvalues

    plain, bent = beast(64, 0.0, 0.1)[0], beast(64, 0.3, 0.1)[0]
    wide = shapes.snapshot(plain.vertices * (2.5, 1, 1), plain.faces)
    assert spectral_similarity((eigenvalues(plain), eigenvalues(plain))) == 1
    assert spectral_similarity((eigenvalues(plain), eigenvalues(bent))) > 0.8
    assert spectral_similarity((eigenvalues(plain), eigenvalues(wide))) < 0.3
