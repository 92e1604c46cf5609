"""UV layouts made for surfaces without: whole, flat, apart, within the square."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import shapes
from meshkin.transfer.texture.texels import texel_map
from meshkin.transfer.texture.unwrapping import unwrap, unwrap_polygons

Array = shapes.Array


def area(uvs: Array) -> Array:
    steps = uvs[:, 1:] - uvs[:, :1]
    return np.abs(steps[:, 0, 0] * steps[:, 1, 1] - steps[:, 0, 1] * steps[:, 1, 0]) / 2


def overlap(uvs: Array, size: int = 1024) -> float:
    """Share of texels shown first by one triangle and last by another, away from their borders."""
    first, second = texel_map(uvs, size), texel_map(uvs[::-1], size)
    both = first.covered & (first.barycentric.min(axis=2) > 0.05)
    return float((first.face[both] != len(uvs) - 1 - second.face[both]).mean())


@pytest.mark.parametrize("polygons", [False, True])
def test_a_layout_is_whole_and_does_not_overlap(polygons: bool) -> None:
    shape = shapes.bumpy(shapes.sphere(40, 24))
    if polygons:
        # Quads as Blender has them: four corners for two triangles.
        points, faces = shapes.grid(12, 9)
        heights = np.sin(points @ np.array([7.0, 4]))
        shape = shapes.snapshot(np.column_stack([points, 0.3 * heights]), faces)
        quads = len(faces) // 2
        number = np.concatenate([np.arange(quads)] * 2)
        corners = np.concatenate([number[:quads, None] * 4 + [0, 1, 2], number[:quads, None] * 4 + [0, 2, 3]])
        corner_uvs = unwrap_polygons(shape.vertices, shape.faces, number, corners)
        assert len(corner_uvs) == 4 * quads
        uvs = corner_uvs[corners]
    else:
        uvs = unwrap(shape.vertices, shape.faces)
    assert uvs.min() >= 0
    assert uvs.max() <= 1
    assert (area(uvs) > 0).all()
    assert overlap(uvs) < 0.002
    places = shape.vertices[shape.faces]
    real = np.linalg.norm(np.cross(places[:, 1] - places[:, 0], places[:, 2] - places[:, 0]), axis=1)
    density = np.sqrt(area(uvs) / real)
    assert np.quantile(density, 0.95) < 2.5 * np.quantile(density, 0.05)


def test_triangles_of_any_kind() -> None:
    """Doubled, degenerate and loose triangles: those with an area get one in the layout."""
    vertices = np.random.default_rng(0).normal(size=(60, 3))
    faces = np.concatenate([np.arange(60).reshape(-1, 3), [[0, 1, 2], [2, 1, 0], [3, 3, 4]]]).astype(np.int32)
    uvs = unwrap(vertices.astype(np.float32), faces)
    assert uvs.shape == (len(faces), 3, 2)
    assert (area(uvs)[:-1] > 0).all()
    assert np.isfinite(uvs).all()
