"""Small characters of several meshes: a body with eyes and a coat."""

from __future__ import annotations

import bpy

from helpers.rigged import new_armature
from helpers.skins import blob
from meshkin.scene.rig import binding

BONES = {"hips": ((0, 0, -1), (0, 0, 0), None), "head": ((0, 0, 0), (0, 0, 1), "hips")}
"""Of :func:`dressed`."""


def ball(name: str, radius: float, place: tuple[float, float, float]) -> bpy.types.Object:
    """A small smooth ball in the scene."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=12, ring_count=8, radius=radius, location=place)
    obj = bpy.context.view_layer.objects.active
    obj.name = obj.data.name = name
    return obj


def dressed(name: str = "", x: float = 0.0) -> dict[str, bpy.types.Object]:
    """A body with two eyes and a coat around it, unrelated to each other, by what they are."""
    body = blob(f"{name}body")
    coat = blob(f"{name}coat")
    coat.scale = (1.08, 1.08, 0.7)
    eyes = {side: ball(f"{name}eye.{side}", 0.12, (place, -0.62, 1.02)) for side, place in (("L", 0.22), ("R", -0.22))}
    meshes = {"body": body, "coat": coat, **eyes}
    for obj in meshes.values():
        obj.location.x += x
    bpy.context.view_layer.update()
    return meshes


def rig(name: str, meshes: dict[str, bpy.types.Object], x: float = 0.0) -> bpy.types.Object:
    """An armature that poses body and coat by modifiers and height, and from whose head bone the eyes hang."""
    armature = new_armature(name, BONES)
    armature.location.x = x
    bpy.context.view_layer.update()
    for part in ("body", "coat"):
        obj = meshes[part]
        groups = {bone: obj.vertex_groups.new(name=bone) for bone in BONES}
        for vertex in obj.data.vertices:
            share = min(max(vertex.co.z / 2 + 0.5, 0.0), 1.0)
            groups["head"].add((vertex.index,), share, "REPLACE")
            groups["hips"].add((vertex.index,), 1 - share, "REPLACE")
        binding.bind(obj, armature)
    for side in ("L", "R"):
        hang(meshes[side], armature, "head")
    return armature


def hang(obj: bpy.types.Object, armature: bpy.types.Object, bone: str) -> None:
    """Make a bone the parent of an object, which stays where it is."""
    place = obj.matrix_world.copy()
    obj.parent, obj.parent_type, obj.parent_bone = armature, "BONE", bone
    bpy.context.view_layer.update()
    obj.matrix_world = place
    bpy.context.view_layer.update()
