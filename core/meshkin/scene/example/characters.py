"""The two characters in a scene of their own: one textured, rigged and waving, and a bare one of other proportions."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Quaternion, Vector
from numpy.typing import NDArray

from .. import compat
from ..arrays import write_vectors
from ..materials.base_colors import write_texture
from ..objects import Handle
from ..rig import armature as armatures
from ..rig import binding
from ..rig import weights as vertex_groups
from . import figure as figures
from . import painting

SCENE = "MeshKin Try It"
"""Name of the scene (Blender adds a number to a name that is taken)."""
SOURCE = figures.Build("Scout", 0.82, 0.52, 0.09, 0.145, 0.52, 0.5, 0.17, 0.10, 0.062, 0.145)
TARGET = figures.Build("Giant", 0.74, 0.86, 0.05, 0.20, 0.80, 0.6, 0.30, 0.17, 0.105, 0.27, 56)
"""Their builds: a child, and a giant with long arms and short legs. Chosen."""
BETWEEN = 1.0
"""Distance of the giant from the middle between both, as a share of its height. Chosen."""
WAVE = ((1, 0.0), (15, 1.0), (23, 0.55), (31, 1.0), (39, 0.55), (48, 0.0))
"""Frames, and how far the arm is lifted there. Chosen."""
LIFTED, BENT, NODDED = 1.5, 0.9, 0.25
"""Angles of the lifted upper arm, the bent forearm and the head, radians. Chosen."""


_COLLECTIONS = ("scenes", "objects", "meshes", "armatures", "materials", "images", "actions")
"""The collections of ``bpy.data`` in which data-blocks are made."""


@dataclass(frozen=True)
class Example:
    """The new scene, and what is in it.

    Attributes:
        scene: its name.
        source, target: the characters.
        uids: of all new data-blocks, by ``session_uid``.
    """

    scene: str
    source: Handle
    target: Handle
    uids: frozenset[int]


def shown_scene() -> str:
    """Name of the scene in the window where the user is."""
    return str(bpy.context.window.scene.name)


def make() -> Example:
    """Make the scene, and show it in the window where the user is; nothing that was there is changed."""
    before = _all_uids()
    scene = bpy.data.scenes.new(SCENE)
    compat.window().scene = scene
    objects = []
    for build in (SOURCE, TARGET):
        body = figures.figure(build)
        vertices, quads = figures.surface(body, build.cells)
        obj = bpy.data.objects.new(build.name, _mesh(build.name, vertices, quads))
        scene.collection.objects.link(obj)
        if build is SOURCE:
            _dress(obj, body, vertices, quads)
            _wave(_rig(obj, body, vertices))
        else:
            obj.location.x = BETWEEN * body.height
        objects.append(obj)
    scene.frame_start, scene.frame_end = WAVE[0][0], WAVE[-1][0]
    scene.frame_set(WAVE[0][0])
    bpy.context.view_layer.update()
    source, target = objects
    return Example(scene.name, Handle.of(source), Handle.of(target), frozenset(_all_uids() - before))


def remove(example: Example, back_to: str) -> None:
    """Take away everything that :func:`make` has made, and show another scene in its place."""
    scenes = [scene for scene in bpy.data.scenes if scene.session_uid in example.uids]
    if back_to in bpy.data.scenes:
        for window in bpy.context.window_manager.windows:
            if window.scene in scenes:
                window.scene = bpy.data.scenes[back_to]
    for name in _COLLECTIONS:
        blocks = getattr(bpy.data, name)
        bpy.data.batch_remove([block for block in blocks if block.session_uid in example.uids])


def _all_uids() -> set[int]:
    return {block.session_uid for name in _COLLECTIONS for block in getattr(bpy.data, name)}


def _mesh(name: str, vertices: NDArray[np.float64], quads: NDArray[np.int32]) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(vertices))
    write_vectors(mesh.vertices, "co", vertices.astype(np.float32))
    mesh.loops.add(quads.size)
    mesh.loops.foreach_set("vertex_index", quads.ravel())
    mesh.polygons.add(len(quads))
    mesh.polygons.foreach_set("loop_start", np.arange(0, quads.size, 4, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(quads), bool))
    mesh.update(calc_edges=True)
    return mesh


def _dress(
    obj: bpy.types.Object, body: figures.Figure, vertices: NDArray[np.float64], quads: NDArray[np.int32]
) -> None:
    """Give the character its UV map and its texture."""
    corners = vertices[quads]
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    uvs = painting.uvs(body, corners.reshape(-1, 3), np.repeat(normals[:, 1] > 0, 4))
    obj.data.uv_layers.new(name="UVMap").uv.foreach_set("vector", uvs.astype(np.float32).ravel())
    write_texture(obj, painting.picture(body), f"{obj.name} skin")


def _rig(obj: bpy.types.Object, body: figures.Figure, vertices: NDArray[np.float64]) -> bpy.types.Object:
    """Give the character its armature and its weights; returns the armature."""
    rig = armatures.build(obj, f"{obj.name} rig", body.bones, body.heads, body.tails, body.parents)
    vertex_groups.write(obj, body.bones, figures.weights(body, vertices))
    binding.bind(obj, rig)
    return rig


def _wave(rig: bpy.types.Object) -> None:
    """Let the character wave with its left arm."""
    turns = {"upper_arm.L": LIFTED, "forearm.L": BENT, "head": NODDED}
    for name, angle in turns.items():
        bone = rig.pose.bones[name]
        bone.rotation_mode = "QUATERNION"
        axis = bone.bone.matrix_local.to_3x3().inverted() @ Vector((0, -1, 0))
        for frame, lifted in WAVE:
            bone.rotation_quaternion = Quaternion(axis, angle * lifted)
            bone.keyframe_insert("rotation_quaternion", frame=frame)
