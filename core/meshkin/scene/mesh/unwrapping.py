"""UV layouts for meshes that have none, on the corners of the object's own mesh."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot


def smart_project(obj: bpy.types.Object, margin: float) -> NDArray[np.float32]:
    """Blender's Smart UV Project of a copy of the object's mesh, float32 (C, 2); ``margin`` in shares of the layout.

    Raises InputError ``unwrap-failed``.
    """
    scene = bpy.data.scenes.new("MeshKin unwrap")
    data = obj.data.copy()
    copy = bpy.data.objects.new("MeshKin unwrap", data)
    try:
        scene.collection.objects.link(copy)
        layer = scene.view_layers[0]
        layer.objects.active = copy
        copy.select_set(True, view_layer=layer)
        data.attributes.active = None
        for one in ("hide", "select"):
            for part in (data.vertices, data.edges, data.polygons):
                part.foreach_set(one, np.full(len(part), one == "select", bool))
        layout = data.uv_layers.new(name="MeshKin")
        layout.active = layout.active_render = True
        here = {"scene": scene, "view_layer": layer, "object": copy, "active_object": copy, "selected_objects": [copy]}
        with bpy.context.temp_override(**here):
            bpy.ops.object.mode_set(mode="EDIT")
            with bpy.context.temp_override(**here, edit_object=copy, objects_in_mode_unique_data=[copy]):
                bpy.ops.uv.smart_project(island_margin=margin)
            bpy.ops.object.mode_set(mode="OBJECT")
        uvs = np.empty(len(data.loops) * 2, np.float32)
        data.uv_layers["MeshKin"].uv.foreach_get("vector", uvs)
        return uvs.reshape(-1, 2)
    except RuntimeError as error:
        raise InputError(
            "unwrap-failed", f"“{obj.name}” cannot be unwrapped: {str(error).strip()}", "Unwrap it by hand."
        ) from error
    finally:
        bpy.data.batch_remove([copy, data, scene])


def own_triangles(obj: bpy.types.Object) -> Snapshot:
    """The object's own mesh, without its modifiers, as far as unwrapping needs it."""
    mesh = obj.data
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    vertices = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", vertices)
    corners, faces = np.empty(count * 3, np.int32), np.empty(count * 3, np.int32)
    mesh.loop_triangles.foreach_get("loops", corners)
    mesh.loop_triangles.foreach_get("vertices", faces)
    polygons = np.empty(count, np.int32)
    mesh.loop_triangles.foreach_get("polygon_index", polygons)
    own = len(mesh.vertices)
    return Snapshot(
        obj.name, vertices.reshape(-1, 3), faces.reshape(-1, 3), polygons, corners.reshape(-1, 3),
        np.zeros((count, 3, 3), np.float32), None, "", np.zeros(count, np.int32), (), np.zeros(own, np.int32),
        np.arange(own, dtype=np.int32), np.zeros(3),
    )  # fmt: skip
