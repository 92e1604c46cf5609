"""Parts selected in Edit Mode."""

from __future__ import annotations

from collections.abc import Sequence

import bmesh
import bpy
from mathutils import Vector
from mathutils.bvhtree import BVHTree

from ...base.errors import InputError
from .part_labels import NAMES_PROPERTY, PART


def part_on_ray(
    objects: Sequence[bpy.types.Object], origin: Sequence[float], direction: Sequence[float]
) -> tuple[bpy.types.Object, int] | None:
    """The first object in Edit Mode that a ray in the world hits, and the part there; None where it hits none.

    Hidden faces are not hit. Raises InputError ``no-parts`` if what is hit has none.
    """
    nearest: tuple[float, bpy.types.Object, int] | None = None
    for obj in objects:
        inverse = obj.matrix_world.inverted_safe()
        start, way = inverse @ Vector(origin), inverse.to_3x3() @ Vector(direction)
        mesh = bmesh.from_edit_mesh(obj.data)
        faces = [face for face in mesh.faces if not face.hide]
        places = {vertex: number for number, vertex in enumerate(mesh.verts)}
        tree = BVHTree.FromPolygons(
            [vertex.co for vertex in mesh.verts], [[places[vertex] for vertex in face.verts] for face in faces]
        )
        place, _, number, _ = tree.ray_cast(start, way)
        if place is None:
            continue
        away = (obj.matrix_world @ place - Vector(origin)).length
        if nearest is None or away < nearest[0]:
            nearest = (away, obj, faces[number][_layer(obj, mesh)])
    return nearest[1:] if nearest else None


def select(objects: Sequence[bpy.types.Object], part: int, extend: bool = False) -> int:
    """Select the faces of a part on objects in Edit Mode, in the mode that selects faces; returns how many.

    Args:
        objects: in Edit Mode.
        part: its number.
        extend: whether what is selected stays so.

    Raises InputError ``no-parts``.
    """
    meshes = [(obj, bmesh.from_edit_mesh(obj.data)) for obj in objects]
    # Vertices would select faces between them, too. The scene's settings, not the context's: see compat.window.
    bpy.context.scene.tool_settings.mesh_select_mode = (False, False, True)
    layers = [_layer(obj, mesh) for obj, mesh in meshes]
    count = 0
    for (obj, mesh), layer in zip(meshes, layers, strict=True):
        mesh.select_mode = {"FACE"}
        if not extend:
            for element in (*mesh.verts, *mesh.edges, *mesh.faces):
                element.select = False
        for face in mesh.faces:
            if face[layer] == part and not face.hide:
                face.select_set(True)
                count += 1
        mesh.select_flush_mode()
        bmesh.update_edit_mesh(obj.data, loop_triangles=False, destructive=False)
    return count


def name_of(obj: bpy.types.Object, part: int) -> str:
    """The name of a part of an object."""
    names = obj.get(NAMES_PROPERTY, ())
    return str(names[part]) if part < len(names) else f"Part {part + 1}"


def _layer(obj: bpy.types.Object, mesh: bmesh.types.BMesh) -> bmesh.types.BMLayerItem:
    layer = mesh.faces.layers.int.get(PART)
    if layer is None:
        raise InputError("no-parts", f"“{obj.name}” has no parts.", "Find its parts first (panel Parts).")
    return layer
