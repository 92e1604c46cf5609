"""UV layouts of meshes as importers leave them."""

from __future__ import annotations

import bmesh
import bpy
import numpy as np

from meshkin.scene.arrays import read_floats, read_integers
from meshkin.scene.mesh.building import new_mesh
from meshkin.scene.mesh.unwrapping import smart_project


def test_a_mesh_that_is_split_at_every_edge_is_unwrapped_as_if_it_were_not() -> None:
    sphere, whole = bmesh.new(), bpy.data.meshes.new("whole")
    bmesh.ops.create_icosphere(sphere, subdivisions=3, radius=1)
    sphere.to_mesh(whole)
    sphere.free()
    corner, sizes = read_integers(whole.loops, "vertex_index"), read_integers(whole.polygons, "loop_total")
    split = new_mesh("split", read_floats(whole.vertices, "co", 3)[corner], np.arange(len(corner)), sizes)
    expected, found = (smart_project(bpy.data.objects.new(mesh.name, mesh), 0.01) for mesh in (whole, split))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(split.vertices) == len(corner)  # the object's own mesh stays as it is
    assert not split.uv_layers
    corners = found.reshape(-1, 3, 2).astype(np.float64)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).sum() / 2
    assert area > 0.4  # single triangles with margins would cover a third of it


def test_faces_at_one_place_keep_corners_of_their_own() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    mesh = new_mesh("doubled", vertices, np.array([0, 1, 2, 3, 3, 2, 1, 0, 0, 1, 2]), np.array([4, 4, 3]))
    found = smart_project(bpy.data.objects.new("doubled", mesh), 0.01)
    assert found.shape == (11, 2)
    assert np.isfinite(found).all()
