"""Vertices that lie on a surface find their partners together, not each for itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from helpers.shapes import Array, grid
from meshkin.matching.close_up_partners import Mesh, PartnerSettings, partners


def lid(along: int, across: int, uneven: float = 0.0) -> Mesh:
    """A lid of side 1 and as thick as a fiftieth: its outside, its round rim and its inside, as one sheet, with
    vertices that lie off the lines of an even grid."""
    flat, faces = grid(along, across)
    radius, way = 0.01, 2 * flat[:, 1] - 1
    way += np.random.default_rng(0).uniform(-uneven, uneven, len(way))
    turn = np.clip(way / (np.pi / 2 * radius), -1, 1) * np.pi / 2
    beyond = np.sign(way) * np.maximum(np.abs(way) - np.pi / 2 * radius, 0)
    height = radius * (1 - np.cos(turn)) + np.abs(beyond)
    return np.column_stack((flat[:, 0], radius * np.sin(turn), height)), faces


def slips(mesh: Mesh, surface: Mesh, together: float) -> Array:
    """How far each vertex's partner is from itself, (V,)."""
    settings = replace(PartnerSettings(), together=together)
    face, weights = partners(mesh, np.arange(len(mesh[0])), surface, settings)
    places = np.einsum("vk,vkd->vd", weights, surface[0][surface[1][face]])
    return np.asarray(np.linalg.norm(places - mesh[0], axis=1))


def test_neighbors_agree_at_a_rim() -> None:
    """A coarse mesh with its vertices on a fine lid: at the rim its normals tell little, its neighbors more."""
    surface, coarse = lid(60, 800), lid(24, 24, 0.03)
    together, alone = (slips(coarse, surface, weight) for weight in (PartnerSettings().together, 0.0))
    rim = coarse[0][:, 2] < 0.06
    assert together[rim].mean() < 0.5 * alone[rim].mean()


def test_on_the_same_surface_each_is_its_own_partner() -> None:
    surface = lid(30, 60)
    np.testing.assert_allclose(slips(surface, surface, PartnerSettings().together), 0, atol=1e-9)
