"""Displacements and sculpted detail through known maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from helpers.attributes import SOURCE
from helpers.textured import known_map
from meshkin.transfer.attributes.displacements import surface_detail, transfer_displacements
from meshkin.transfer.attributes.lookup import MappedMesh


def test_displacements_turn_and_scale_with_the_frame() -> None:
    """A turned copy of twice the size: bumps along the normal stay along the normal, exactly twice as high."""
    angle = 0.9
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    turn = turn @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    target = replace(SOURCE, vertices=(2 * SOURCE.vertices @ turn.T).astype(np.float32))
    offsets = np.random.default_rng(0).normal(0, 0.1, SOURCE.vertices.shape)
    mapped = MappedMesh(SOURCE, target, known_map(SOURCE, SOURCE).to_source)
    np.testing.assert_allclose(transfer_displacements(mapped, offsets), 2 * offsets @ turn.T, atol=1e-6)


def test_displacements_do_not_jitter_with_the_surface() -> None:
    """On a target whose surface is rough, neighbors still move alike."""
    rough = SOURCE.vertices + np.random.default_rng(1).normal(0, 0.004, SOURCE.vertices.shape)
    target = replace(SOURCE, vertices=rough.astype(np.float32))
    mapped = MappedMesh(SOURCE, target, known_map(SOURCE, SOURCE).to_source)
    offsets = np.tile([0.1, 0, 0], (len(SOURCE.vertices), 1))
    carried = transfer_displacements(mapped, offsets)
    assert np.linalg.norm(carried - offsets, axis=1).max() < 0.03
    assert np.linalg.norm(transfer_displacements(mapped, offsets, reach=0) - offsets, axis=1).max() > 0.03


def test_detail_is_what_is_small() -> None:
    """Fine ripples on a smooth body are found again, the body itself is not."""
    ripple = 0.01 * np.sin(20 * SOURCE.vertices[:, 2])
    normals = np.zeros_like(SOURCE.vertices)
    np.add.at(normals, SOURCE.faces.ravel(), SOURCE.normals.reshape(-1, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    rough = replace(SOURCE, vertices=(SOURCE.vertices + ripple[:, None] * normals).astype(np.float32))
    middle = np.abs(SOURCE.vertices[:, 2]) < 0.7
    rippled = np.einsum("vd,vd->v", surface_detail(rough, 2), normals)
    plain = np.einsum("vd,vd->v", surface_detail(SOURCE, 2), normals)
    assert np.corrcoef(rippled[middle] - plain[middle], ripple[middle])[0, 1] > 0.9
    assert np.abs(plain[middle]).mean() < 0.004
