"""Analytic shapes for tests, as snapshots."""

from __future__ import annotations

from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray

from meshkin.data.snapshot import Snapshot

Array = NDArray[Any]


def uvs_of(shape: Snapshot) -> Array:
    """The UV coordinates of a shape that has a UV map, float32 (F, 3, 2)."""
    assert shape.uvs is not None
    return shape.uvs


def snapshot(
    vertices: Array,
    faces: Array,
    uvs: Array | None = None,
    materials: Array | None = None,
    name: str = "shape",
) -> Snapshot:
    """A snapshot of plain triangles, flat shaded."""
    vertices, faces = np.asarray(vertices, np.float32), np.asarray(faces, np.int32)
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    count = len(faces)
    return Snapshot(
        name=name,
        vertices=vertices,
        faces=faces,
        polygons=np.arange(count, dtype=np.int32),
        corners=np.arange(3 * count, dtype=np.int32).reshape(-1, 3),
        normals=np.repeat(normals[:, None], 3, axis=1).astype(np.float32),
        uvs=None if uvs is None else np.asarray(uvs, np.float32),
        uv_name="" if uvs is None else "UVMap",
        materials=np.zeros(count, np.int32) if materials is None else np.asarray(materials, np.int32),
        material_names=("",),
        parts=np.zeros(len(vertices), np.int32),
        original=np.arange(len(vertices), dtype=np.int32),
        location=np.zeros(3),
    )


def grid(columns: int, rows: int) -> tuple[Array, Array]:
    """The unit square as (columns + 1)(rows + 1) points, float64 (P, 2), and triangles, int32 (2 columns rows, 3)."""
    x, y = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1), indexing="ij")
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    a = (np.arange(columns)[:, None] * (rows + 1) + np.arange(rows)[None]).ravel()
    b, c, d = a + rows + 1, a + rows + 2, a + 1
    return points, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)


def sphere(columns: int = 64, rows: int = 32) -> Snapshot:
    """A unit UV sphere with poles and a seam, counter-clockwise from outside; UVs fill the unit square."""
    points, faces = grid(columns, rows)
    inner = np.arange(len(points)).reshape(columns + 1, rows + 1)
    number = np.empty_like(inner)
    number[:-1, 1:-1] = np.arange(columns * (rows - 1)).reshape(columns, rows - 1)
    number[-1] = number[0]
    number[:, 0], number[:, -1] = columns * (rows - 1), columns * (rows - 1) + 1
    angle, height = points[:, 0] * 2 * np.pi, points[:, 1] * np.pi
    places = np.stack([np.cos(angle) * np.sin(height), np.sin(angle) * np.sin(height), -np.cos(height)], axis=1)
    vertices = np.empty((number.max() + 1, 3))
    vertices[number.ravel()] = places
    welded = number.ravel()[faces]
    sound = (welded[:, 0] != welded[:, 1]) & (welded[:, 1] != welded[:, 2]) & (welded[:, 2] != welded[:, 0])
    return snapshot(vertices, welded[sound], points[faces][sound])


def sheet(size: int, normal_axis: int = 2) -> tuple[Array, Array]:
    """A square of side 2 around the origin."""
    x, y = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size), indexing="ij")
    vertices = np.insert(np.column_stack((x.ravel(), y.ravel())), normal_axis, 0, axis=1)
    corner = (np.arange(size - 1)[:, None] * size + np.arange(size - 1)).ravel()
    near, far = (corner, corner + size, corner + 1), (corner + size, corner + size + 1, corner + 1)
    return vertices, np.concatenate((np.column_stack(near), np.column_stack(far)))


def joined(*meshes: tuple[Array, Array]) -> tuple[Array, Array]:
    """Several meshes as one."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in meshes)])
    faces = [faces + start for (_, faces), start in zip(meshes, starts[:-1], strict=True)]
    return np.concatenate([vertices for vertices, _ in meshes]), np.concatenate(faces)


def bumpy(shape: Snapshot) -> Snapshot:
    """The sphere's vertices pushed in and out, without any symmetry."""
    x, y, z = shape.vertices.T.astype(np.float64)
    radius = 1 + 0.25 * np.sin(2 * x + 1) + 0.2 * np.cos(3 * y + 0.5 * z) + 0.1 * np.sin(4 * z + x)
    return snapshot(shape.vertices * radius[:, None], shape.faces, shape.uvs)


def smooth_features(places: Array, channels: int = 48, seed: int = 0) -> Array:
    """Random waves over space, float32 (V, channels): informative, smooth, the same wherever the places are."""
    generator = np.random.default_rng(seed)
    waves = generator.normal(0, 1.5, (3, channels))
    phases = generator.uniform(0, 2 * np.pi, channels)
    return np.sin(np.asarray(places, np.float64) @ waves + phases).astype(np.float32)


def icosphere(level: int) -> tuple[Array, Array]:
    """Vertices and faces of a ball of even triangles: 20 times 4 to the power of the level."""
    vertices, faces = igl.icosahedron()
    for _ in range(level):
        vertices, faces = igl.upsample(vertices, faces)
        vertices = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    return np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
