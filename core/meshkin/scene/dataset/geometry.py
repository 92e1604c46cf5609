"""All surfaces of a scene as a render sees them: with the modifiers' render settings, instances, and what is hidden.

Blender gives that to render engines alone. So a small engine is registered for a moment, whose render reads the arrays.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ...dataset.camera import PinholeCamera
from ...geometry.arrays import Floats
from ..arrays import read_floats, read_integers
from ..frames import transform_points
from ..mesh.part_labels import NAMES_PROPERTY, PART
from ..mesh.snapshot import transformed_normals
from . import key_points

ENGINE = "MESHKIN_GEOMETRY"
"""Identifier of the engine."""
SURFACE_TYPES = ("MESH", "CURVE", "SURFACE", "FONT", "META")
"""Types of objects that have surfaces."""
COORDINATES_ATTRIBUTE = "meshkin_coordinates"
"""Attribute of points: their place on the template, in [0, 1]; without it, it is that in the model's box."""


@dataclass(frozen=True)
class SceneSurface:
    """A surface of a scene, once for each instance.

    Attributes:
        name: of its object.
        owner: of the object that instances it, or its own name.
        vertices: float64 (V, 3), in the world.
        faces: int32 (F, 3).
        normals: float32 (F, 3, 3), at the corners, in the world.
        parts: int32 (F,), the part of each face, from 0; -1 for none.
        coordinates: float64 (V, 3), in [0, 1], or None.
        pose: float64 (4, 4), model to world, a turn and a shift.
        key_points: names and places in the world.
        part_names: those of its parts, by their numbers.
    """

    name: str
    owner: str
    vertices: Floats
    faces: NDArray[np.int32]
    normals: NDArray[np.float32]
    parts: NDArray[np.int32]
    coordinates: Floats | None
    pose: Floats
    key_points: tuple[tuple[str, Floats], ...]
    part_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class SceneSurfaces:
    """All surfaces of a scene at one moment, and its camera.

    Attributes:
        surfaces: all, in the order of Blender's instances.
        poses: of armatures and empties, by their names, as those of surfaces.
        camera: the scene's; None if it is no perspective camera.
        near: its nearest depth.
    """

    surfaces: tuple[SceneSurface, ...]
    poses: dict[str, Floats]
    camera: PinholeCamera | None
    near: float


@contextlib.contextmanager
def reading(scene: bpy.types.Scene, render: Callable[[], None]) -> Iterator[Callable[[], SceneSurfaces]]:
    """A function that reads the surfaces of a scene by a render of it.

    Args:
        scene: a temporary one; its engine is changed.
        render: renders it.
    """
    found: list[SceneSurfaces] = []

    class Engine(bpy.types.RenderEngine):  # type: ignore[misc]
        bl_idname = ENGINE
        bl_label = "MeshKin"
        bl_use_preview = False

        def render(self, depsgraph: bpy.types.Depsgraph) -> None:
            if not found:  # the first view layer alone
                found.append(_read(depsgraph))

    def read() -> SceneSurfaces:
        found.clear()
        engine, scene.render.engine = scene.render.engine, ENGINE
        try:
            render()
        finally:
            scene.render.engine = engine
        return found[0]

    bpy.utils.register_class(Engine)
    try:
        yield read
    finally:
        bpy.utils.unregister_class(Engine)


def _read(depsgraph: bpy.types.Depsgraph) -> SceneSurfaces:
    empties, shown_empties = key_points.empties_of(depsgraph), key_points.shown_empties_of(depsgraph)
    meshes: dict[int, _EvaluatedMesh] = {}
    surfaces = []
    for instance in depsgraph.object_instances:
        obj = instance.object
        if not instance.show_self or obj.type not in SURFACE_TYPES:
            continue
        key = obj.data.as_pointer() if obj.type == "MESH" else obj.as_pointer()
        if key not in meshes:
            meshes[key] = _mesh(obj)
        if not len(meshes[key].faces):
            continue
        matrix = instance.matrix_world.copy()
        owner = instance.parent.original.name if instance.parent else obj.original.name
        from_object = matrix @ obj.matrix_world.inverted_safe()
        known = empties.get(obj.original.name, {})
        points = [(name, transform_points(from_object, place[None])[0]) for name, place in known.items()]
        if key_points.is_of_collection(instance):  # its object's matrix is that of the instance already
            points = list(shown_empties.get((owner, obj.original.name), {}).items())
        points += [(name, transform_points(matrix, place[None])[0]) for name, place in meshes[key].key_points.items()]
        surface = _placed(obj.original.name, owner, meshes[key], matrix, tuple(points))
        names = tuple(str(part) for part in obj.original.get(NAMES_PROPERTY, ()))
        surfaces.append(replace(surface, part_names=names))
    carrying = [obj for obj in depsgraph.objects if obj.type in ("ARMATURE", "EMPTY")]
    poses = {obj.original.name: _pose(obj.matrix_world) for obj in carrying}
    return SceneSurfaces(tuple(surfaces), poses, *_camera(depsgraph))


@dataclass(frozen=True)
class _EvaluatedMesh:
    """A mesh in its object's frame; see :class:`SceneSurface`."""

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    normals: NDArray[np.float32]
    parts: NDArray[np.int32]
    coordinates: Floats | None
    key_points: dict[str, Floats]


def _mesh(obj: bpy.types.Object) -> _EvaluatedMesh:
    mesh = obj.data if obj.type == "MESH" else obj.to_mesh()
    mesh.calc_loop_triangles()
    corners = read_integers(mesh.loop_triangles, "loops", 3)
    polygons = read_integers(mesh.loop_triangles, "polygon_index")
    part = mesh.attributes.get(PART)
    parts = np.full(len(mesh.polygons), -1, np.int32)
    if part is not None and part.domain == "FACE" and part.data_type == "INT":
        part.data.foreach_get("value", parts)
    layer = mesh.attributes.get(COORDINATES_ATTRIBUTE)
    is_usable = layer is not None and layer.domain == "POINT" and layer.data_type == "FLOAT_VECTOR"
    vertices = read_floats(mesh.vertices, "co", 3)
    finite = np.asarray(np.isfinite(vertices).all(axis=1))
    faces = read_integers(mesh.loops, "vertex_index")[corners]
    keep = finite[faces].all(axis=1)
    made = _EvaluatedMesh(
        np.where(finite[:, None], vertices, 0),
        faces[keep],
        read_floats(mesh.corner_normals, "vector", 3)[corners[keep]],
        parts[polygons][keep],
        read_floats(layer.data, "vector", 3).astype(np.float64) if is_usable else None,
        key_points.groups_of(obj, mesh, vertices),
    )
    if obj.type != "MESH":
        obj.to_mesh_clear()
    return made


def _placed(
    name: str, owner: str, mesh: _EvaluatedMesh, matrix: Matrix, points: tuple[tuple[str, Floats], ...]
) -> SceneSurface:
    linear = np.array(matrix, np.float64)[:3, :3]
    order = slice(None, None, -1 if np.linalg.det(linear) < 0 else 1)
    normals = transformed_normals(mesh.normals.reshape(-1, 3), linear).reshape(-1, 3, 3)
    return SceneSurface(
        name,
        owner,
        transform_points(matrix, mesh.vertices),
        mesh.faces[:, order],
        normals[:, order],
        mesh.parts,
        mesh.coordinates,
        _pose(matrix),
        points,
    )


def _pose(matrix: Matrix) -> Floats:
    """The turn and the shift of a matrix, (4, 4)."""
    place, turn, _ = matrix.decompose()
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = np.array(turn.to_matrix()), np.array(place)
    return pose


def _camera(depsgraph: bpy.types.Depsgraph) -> tuple[PinholeCamera | None, float]:
    """The camera that a depsgraph's scene renders from, with its shift, its fit and pixels that are not square."""
    scene = depsgraph.scene_eval
    obj = scene.camera
    if obj is None or obj.type != "CAMERA" or obj.data.type != "PERSP":
        return None, 0.0
    render = scene.render
    width, height = render.resolution_x, render.resolution_y
    projection = np.array(
        obj.calc_matrix_camera(
            depsgraph, x=width, y=height, scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
        ),
        np.float64,
    )
    matrix = np.array(
        (
            (projection[0, 0] * width / 2, 0, width / 2 * (1 - projection[0, 2])),
            (0, projection[1, 1] * height / 2, height / 2 * (1 + projection[1, 2])),
            (0, 0, 1),
        )
    )
    return PinholeCamera.looking(width, height, matrix, _pose(obj.matrix_world)), float(obj.data.clip_start)
