"""Coarser meshes of a surface."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from helpers.shapes import icosphere
from meshkin.geometry.coarsening import coarsen
from meshkin.geometry.laplacian import laplacian
from meshkin.geometry.mesh import edges
from meshkin.spectral.eigenbasis import eigenpairs


def test_split_seams_are_welded() -> None:
    vertices, faces = icosphere(2)
    split = vertices[faces].reshape(-1, 3)
    coarse = coarsen(split, np.arange(len(split)).reshape(-1, 3))
    assert len(coarse.vertices) == len(vertices)
    assert coarse.prolong @ coarse.vertices == pytest.approx(split)
    whole, _ = eigenpairs(*laplacian(vertices, faces), 12)
    welded, _ = eigenpairs(*laplacian(coarse.vertices, coarse.faces), 12)
    assert welded == pytest.approx(whole, rel=1e-6, abs=1e-6)


def test_a_coarser_mesh_keeps_the_surface() -> None:
    vertices, faces = icosphere(5)
    coarse = coarsen(vertices, faces, 1500)
    assert len(coarse.vertices) <= 1500
    closed = len(coarse.vertices) - len(edges(coarse.faces)) + len(coarse.faces)
    assert closed == 2
    assert np.linalg.norm(coarse.prolong @ coarse.vertices - vertices, axis=1).max() < 0.06
    assert np.linalg.norm(coarse.vertices - vertices[coarse.vertex], axis=1).max() < 0.06
    expected = np.repeat(np.arange(4), 2 * np.arange(4) + 1)
    values, _ = eigenpairs(*laplacian(coarse.vertices, coarse.faces), 16)
    assert values == pytest.approx(expected * (expected + 1), rel=0.03, abs=1e-6)


def test_a_coarser_mesh_keeps_apart_what_is_apart() -> None:
    """Two sheets much closer to each other than the coarser mesh's edges are long."""
    vertices, faces = icosphere(5)
    both = np.concatenate((vertices, vertices * 0.999))
    coarse = coarsen(both, np.concatenate((faces, faces + len(vertices))), 1000)
    outside = coarse.vertex < len(vertices)
    assert 400 < outside.sum() < 600
    mixed = coarse.prolong @ outside.astype(np.float64)
    assert mixed[: len(vertices)] == pytest.approx(1)
    assert mixed[len(vertices) :] == pytest.approx(0)


def test_the_coarser_mesh_of_a_turned_mesh_is_the_turned_one() -> None:
    vertices, faces = icosphere(4)
    turn = Rotation.from_euler("xyz", (1, 2, 3)).as_matrix()
    one, two = coarsen(vertices, faces, 500), coarsen(vertices @ turn.T, faces, 500)
    same = one.vertex == two.vertex  # rounding may settle a tie otherwise
    assert same.mean() > 0.95
