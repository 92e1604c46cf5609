"""UV layouts for meshes that have none, on the corners of the object's own mesh."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ...geometry.welding import place_numbers, welded_corners
from ..arrays import read_floats, read_integers
from .building import new_mesh
from .snapshot import own_mesh

UNWRAP_NAME = "MeshKin unwrap"
"""Name of the temporary scene and object."""
UNWRAP_UV_MAP = "MeshKin"
"""Name of the temporary UV map."""


def smart_project(obj: bpy.types.Object, margin: float) -> NDArray[np.float32]:
    """Blender's Smart UV Project of a copy of the object's own mesh, float32 (C, 2).

    Vertices at one place are one in the copy, unless they have different materials: importers split them along UV seams
    and sharp edges, and each face of a mesh that is shaded flat would become an island of a few texels.

    Args:
        obj: a mesh object.
        margin: between UV islands, in widths of the UV square.

    Raises:
        InputError: ``unwrap-failed``.
    """
    scene = bpy.data.scenes.new(UNWRAP_NAME)
    data = _welded(obj.data)
    copy = bpy.data.objects.new(UNWRAP_NAME, data)
    try:
        scene.collection.objects.link(copy)
        view_layer = scene.view_layers[0]
        view_layer.objects.active = copy
        copy.select_set(True, view_layer=view_layer)
        for elements in (data.vertices, data.edges, data.polygons):
            elements.foreach_set("select", np.ones(len(elements), bool))
        data.uv_layers.new(name=UNWRAP_UV_MAP)
        _run_smart_project(scene, view_layer, copy, margin)
        return read_floats(data.uv_layers[UNWRAP_UV_MAP].uv, "vector", 2)
    except RuntimeError as error:
        raise InputError(
            "unwrap-failed", f"“{obj.name}” cannot be unwrapped: {str(error).strip()}", "Unwrap it by hand."
        ) from error
    finally:
        bpy.data.batch_remove([copy, data, scene])


def _welded(mesh: bpy.types.Mesh) -> bpy.types.Mesh:
    """The same polygons and corners, with one vertex at each place and for each material, but where polygons need more.

    Borders of materials so are borders of islands: colors change there, sharply.
    """
    sizes, material = (read_integers(mesh.polygons, name) for name in ("loop_total", "material_index"))
    positions = read_floats(mesh.vertices, "co", 3)[read_integers(mesh.loops, "vertex_index")]
    place = place_numbers(np.column_stack((positions, np.repeat(material, sizes))))
    _, first, vertex = np.unique(welded_corners(place, sizes), return_index=True, return_inverse=True)
    return new_mesh(UNWRAP_NAME, positions[first], vertex.reshape(-1), sizes)


def _run_smart_project(
    scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, obj: bpy.types.Object, margin: float
) -> None:
    """Run Blender's operator on an object of a temporary scene; raises RuntimeError."""
    context = {
        "scene": scene,
        "view_layer": view_layer,
        "object": obj,
        "active_object": obj,
        "selected_objects": [obj],
    }
    with bpy.context.temp_override(**context):
        bpy.ops.object.mode_set(mode="EDIT")
        with bpy.context.temp_override(**context, edit_object=obj, objects_in_mode_unique_data=[obj]):
            bpy.ops.uv.smart_project(island_margin=margin)
        bpy.ops.object.mode_set(mode="OBJECT")


def local_mesh(obj: bpy.types.Object) -> Snapshot:
    """The object's own mesh, without its modifiers, in local coordinates, as another unwrapping tool needs it."""
    return own_mesh(obj, read_floats(obj.data.vertices, "co", 3), np.zeros(3), flip=False)
