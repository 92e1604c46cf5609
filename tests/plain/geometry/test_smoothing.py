"""Smoothing of values and normals."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.shapes import grid, icosphere
from meshkin.geometry.laplacian import laplacian
from meshkin.geometry.smoothing import fair, neighbor_mean, smooth_along_edges, smoothed_normals


def test_the_mean_of_the_neighbors() -> None:
    mean = neighbor_mean(5, np.array([[0, 1, 2], [0, 2, 3]]))
    assert mean @ np.array([0.0, 3, 6, 9, 7]) == pytest.approx([6, 3, 4, 3, 7])
    assert mean.sum(axis=1) == pytest.approx(1)


def test_smoothing_along_edges_keeps_weights_and_seams_together() -> None:
    vertices, faces = icosphere(2)
    split = vertices[faces].reshape(-1, 3)
    rows = np.random.default_rng(0).dirichlet(np.ones(4), len(vertices)).astype(np.float32)
    smooth = smooth_along_edges(rows[faces].reshape(-1, 4), split, np.arange(len(split)).reshape(-1, 3), 5)
    assert smooth.dtype == np.float32
    assert smooth.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert smooth == pytest.approx(smooth_along_edges(rows, vertices, faces, 5)[faces].reshape(-1, 4), abs=1e-6)
    assert smooth.std(axis=0).max() < rows.std(axis=0).min() / 2
    assert smooth_along_edges(rows, vertices, faces, 0) is rows


def test_fairing_removes_noise_and_keeps_linear_functions() -> None:
    points, faces = grid(30, 30)
    vertices = np.column_stack((points, np.zeros(len(points))))
    stiffness, mass = laplacian(vertices, faces)
    linear = points @ np.array([[1.0, 2], [-1, 3]])
    noise = np.random.default_rng(0).normal(0, 0.1, linear.shape)
    inner = (np.abs(points - 0.5) < 0.4).all(axis=1)
    smooth = fair(linear + noise, mass, stiffness, mass, 0.1)
    assert np.abs(smooth - linear)[inner].mean() < 0.4 * np.abs(noise)[inner].mean()
    assert fair(linear, mass, stiffness, mass, 0) == pytest.approx(linear)


def test_smoothed_normals_of_a_noisy_ball_are_nearer_to_the_truth() -> None:
    vertices, faces = icosphere(3)
    noisy = vertices + np.random.default_rng(0).normal(0, 0.003, vertices.shape)
    normals = smoothed_normals(np.concatenate((noisy, [(5.0, 5, 5)])), faces)
    assert np.linalg.norm(normals[:-1], axis=1) == pytest.approx(1)
    assert np.einsum("vd,vd->v", normals[:-1], vertices).min() > 0.99
    assert not normals[-1].any()
