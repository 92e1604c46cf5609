"""Organic shapes as Blender objects, for tests."""

from __future__ import annotations

import bmesh
import bpy
import numpy as np
from numpy.typing import NDArray


def creature(name: str, stretch: float = 1.0, subdivisions: int = 4) -> bpy.types.Object:
    """A blob without symmetry, with UVs; ``stretch`` scales it along X."""
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=subdivisions, calc_uvs=True)
    obj = bpy.context.view_layer.objects.active
    obj.name = obj.data.name = name
    x, y, z = vertex_positions(obj).T
    bumps = 1 + 0.9 * np.exp(-4 * ((x - 1) ** 2 + y**2 + z**2)) + 0.6 * np.exp(-6 * (x**2 + (y - 1) ** 2 + z**2))
    bumps += 0.4 * np.exp(-8 * ((x + 0.6) ** 2 + (y + 0.3) ** 2 + (z - 0.7) ** 2))
    positions = np.stack((x * bumps * stretch, y * bumps, z * bumps), axis=1)
    obj.data.vertices.foreach_set("co", positions.astype(np.float32).ravel())
    return obj


def symmetric_creature(name: str, stretch: float = 1.0) -> bpy.types.Object:
    """A body with a head, a nose and two equal arms, left and right of x = 0."""
    obj = creature(name)
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=4)
    ball = bpy.context.view_layer.objects.active
    x, y, z = vertex_positions(ball).T
    bpy.data.objects.remove(ball)
    bumps = 1 + 1.1 * np.exp(-9 * ((np.abs(x) - 0.9) ** 2 + y**2 + (z - 0.4) ** 2))
    bumps += 0.8 * np.exp(-5 * (x**2 + y**2 + (z - 1) ** 2))
    bumps += 0.4 * np.exp(-9 * (x**2 + (y + 0.8) ** 2 + (z - 0.6) ** 2))
    positions = np.stack((x * bumps * stretch, y * bumps * 0.8, z * bumps), axis=1)
    obj.data.vertices.foreach_set("co", positions.astype(np.float32).ravel())
    return obj


def renumber(obj: bpy.types.Object) -> None:
    """Give the vertices other numbers: two creatures are made of one base mesh, by which they would be known."""
    mesh = bmesh.new()
    mesh.from_mesh(obj.data)
    order = np.random.default_rng(0).permutation(len(mesh.verts))
    for vertex, number in zip(mesh.verts, order, strict=True):
        vertex.index = number
    mesh.verts.sort()
    mesh.to_mesh(obj.data)
    mesh.free()


def vertex_positions(obj: bpy.types.Object) -> NDArray[np.float32]:
    """The vertices of the object's own mesh, float32 (V, 3)."""
    positions = np.empty(len(obj.data.vertices) * 3, np.float32)
    obj.data.vertices.foreach_get("co", positions)
    return positions.reshape(-1, 3)


def add_height_values(obj: bpy.types.Object) -> None:
    """Add two vertex groups, ``upper`` and ``lower``, and an attribute, ``height``, that are linear in the height."""
    heights = vertex_positions(obj)[:, 2]
    share = (heights - heights.min()) / np.ptp(heights)
    for name, values in (("upper", share), ("lower", 1 - share)):
        group = obj.vertex_groups.new(name=name)
        for index, value in enumerate(values.tolist()):
            group.add((index,), value, "REPLACE")
    obj.data.attributes.new("height", "FLOAT", "POINT").data.foreach_set("value", share)
