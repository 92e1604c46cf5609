"""From a Blender object to a :class:`meshkin.data.snapshot.Snapshot`: the evaluated mesh as plain arrays.

An object is evaluated as a temporary copy in a temporary scene. So it does not matter whether the object is hidden,
excluded, linked or in edit mode; its parents, constraints, drivers, armature and modifiers act as they do in the
user's scene, in the present pose and with the present values, keyed or not; and no data of the user are touched. Only
modifiers that hide parts of a mesh do not: what is hidden under clothes is a part of the body all the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import bpy
import numpy as np
from mathutils.kdtree import KDTree
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot, connected_parts
from ..arrays import read_floats, read_integers, write_vectors
from ..frames import mirrors
from . import hiding
from .hiding import NUMBER, REST
from .resting import Change, has_armature, is_moved, put_at_rest, remove_armatures, unchanged

SHAPE_PROPERTY = "meshkin_shape"
"""Custom property of objects: the key of the shape that an object has now, and of the one that this is the same as."""
BAKED_PROPERTY = "meshkin_baked"
"""Custom property of materials that show all of a surface, baked: their names tell nothing about what they are on."""
POSED_TOLERANCE = 1e-4
"""An object stands at rest if its armature moves no vertex by more than this share of its size; chosen."""

INSTANCE_FIX = "It shows a collection; choose an object of that, or Object > Apply > Make Instances Real."
"""What can be done about an empty that instances a collection."""


def take(obj: bpy.types.Object, uvs: NDArray[np.floating] | None = None) -> Snapshot:
    """The object's evaluated mesh as it is now; frame and fields as in :class:`Snapshot`.

    An object in edit mode gives the state being edited. Curves, texts and metaballs give the mesh that Blender makes of
    them; ``original`` is empty then, as they have no mesh of their own to write to. After a modifier that builds a new
    surface (Remesh), no vertex is one of the object's own: ``original`` is the nearest in space then.

    An object whose armature stands at rest is as it is without one, exactly: armatures move it by rounding errors even
    then, and an object that has got one would not be the shape any more that it was matched as.

    Args:
        obj: the object.
        uvs: (C, 2), a UV layout for the corners of its own mesh, to be used instead of its UV maps.

    Raises:
        InputError: ``not-a-surface`` when the object has no surface (camera, armature, empty).
    """
    if not is_moved(obj):
        return known(obj, taken(obj, unchanged, uvs))
    at_rest = taken(obj, put_at_rest, uvs)
    snapshot = taken(obj, unchanged, uvs, at_rest)  # the same triangles in every pose, also where a quad is folded
    if has_armature(obj):
        unposed = taken(obj, remove_armatures, uvs, at_rest)
        snapshot = unposed if is_same_shape(unposed, snapshot) else snapshot
    return known(obj, snapshot)


def is_same_shape(one: Snapshot, other: Snapshot) -> bool:
    """Whether two snapshots have the same triangles and lie on each other, to :data:`POSED_TOLERANCE`."""
    if one.vertices.shape != other.vertices.shape or not np.array_equal(one.faces, other.faces):
        return False
    moved = np.abs(one.vertices - other.vertices).max(initial=0)
    return bool(moved <= POSED_TOLERANCE * (np.ptp(one.vertices, axis=0).max() if len(one.vertices) else 0))


def known(obj: bpy.types.Object, snapshot: Snapshot) -> Snapshot:
    """The snapshot with the key that its shape is known by, if the object is noted to have kept that."""
    key, original = obj.get(SHAPE_PROPERTY) or ("", "")
    return replace(snapshot, known_as=original) if key == snapshot.own_key else snapshot


def taken(
    obj: bpy.types.Object, change: Change, uvs: NDArray[np.floating] | None = None, like: Snapshot | None = None
) -> Snapshot:
    """The snapshot of an object after a change of the copy that is evaluated.

    Args:
        obj: the object.
        change: of the copy.
        uvs: as for :func:`take`.
        like: a snapshot whose triangles are to be used, if it has the same faces.

    Raises as :func:`take`.
    """
    with evaluated(obj, uvs, change) as (evaluated_object, mesh):
        vertices = read_floats(mesh.vertices, "co", 3)
        mesh.calc_loop_triangles()
        corners = read_integers(mesh.loop_triangles, "loops", 3)
        polygons = read_integers(mesh.loop_triangles, "polygon_index")
        matrix = np.array(evaluated_object.matrix_world, np.float64)
        linear = matrix[:3, :3]
        if np.linalg.det(linear) < 0:
            corners = corners[:, ::-1]
        if like is not None and np.array_equal(like.polygons, polygons) and _same_corners(like.corners, corners):
            corners = like.corners
        faces = read_integers(mesh.loops, "vertex_index")[corners]
        uv_layer = next((layer for layer in mesh.uv_layers if layer.active_render), None)
        slots = slot_materials(evaluated_object, mesh)
        slot_of_polygon = np.clip(read_integers(mesh.polygons, "material_index"), 0, max(len(slots) - 1, 0))
        return Snapshot(
            name=obj.name,
            vertices=np.einsum("vd,ed->ve", vertices, linear).astype(np.float32),
            faces=np.ascontiguousarray(faces),
            polygons=polygons,
            corners=np.ascontiguousarray(corners),
            normals=transformed_normals(read_floats(mesh.corner_normals, "vector", 3), linear)[corners],
            uvs=read_floats(uv_layer.uv, "vector", 2)[corners] if uv_layer else None,
            uv_name=uv_layer.name if uv_layer else "",
            materials=slot_of_polygon[polygons],
            material_names=tuple(one.name if one and BAKED_PROPERTY not in one else "" for one in slots),
            parts=connected_parts(len(vertices), faces),
            original=_original(obj, mesh, vertices),
            location=matrix[:3, 3].copy(),
        )


def _same_corners(one: NDArray[np.int32], other: NDArray[np.int32]) -> bool:
    """Whether triangles (F, 3) are of the same corners, however polygons are cut into them."""
    return bool(np.array_equal(np.unique(one), np.unique(other)))


def own_mesh(
    obj: bpy.types.Object, vertices: NDArray[np.float32], location: NDArray[np.float64], flip: bool
) -> Snapshot:
    """The object's own mesh, without its modifiers, with the given vertices; without normals, UVs and materials.

    Args:
        obj: a mesh object.
        vertices: float32 (W, 3), in the frame that the snapshot is to have.
        location: float64 (3,), the origin of that frame in the world.
        flip: whether the triangles wind the other way in that frame than in the mesh.
    """
    mesh = obj.data
    mesh.calc_loop_triangles()
    count, order = len(mesh.loop_triangles), slice(None, None, -1 if flip else 1)
    faces = read_integers(mesh.loop_triangles, "vertices", 3)[:, order]
    corners = read_integers(mesh.loop_triangles, "loops", 3)[:, order]
    return Snapshot(
        name=obj.name,
        vertices=vertices,
        faces=np.ascontiguousarray(faces),
        polygons=read_integers(mesh.loop_triangles, "polygon_index"),
        corners=np.ascontiguousarray(corners),
        normals=np.zeros((count, 3, 3), np.float32),
        uvs=None,
        uv_name="",
        materials=np.zeros(count, np.int32),
        material_names=(),
        parts=np.zeros(len(mesh.vertices), np.int32),
        original=np.arange(len(mesh.vertices), dtype=np.int32),
        location=location,
    )


def own_mesh_in_place(obj: bpy.types.Object, snapshot: Snapshot) -> Snapshot:
    """The object's own mesh, without its modifiers, its vertices where they are in a snapshot of the object.

    Values of faces and corners can only be written to the own mesh. Raises InputError ``mesh-changed``.
    """
    if len(obj.data.vertices) != len(snapshot.original):
        raise _changed_meanwhile(obj.name)
    return own_mesh(obj, snapshot.vertices[snapshot.original], snapshot.location, mirrors(obj))


def slot_materials(evaluated_object: bpy.types.Object, mesh: bpy.types.Mesh) -> list[bpy.types.Material | None]:
    """The material of each slot of an evaluated object: the object's, or its mesh's, which modifiers may set."""
    slots = evaluated_object.material_slots
    materials = [
        slots[index].material if index < len(slots) and slots[index].link == "OBJECT" else material
        for index, material in enumerate(mesh.materials)
    ]
    return [material.original if material else None for material in materials]


# Checks -----------------------------------------------------------------------------------------------------------


def check_unchanged(obj: bpy.types.Object, snapshot: Snapshot) -> None:
    """Raise InputError ``mesh-changed`` when the object would not give the same snapshot any more."""
    now = take(obj)
    if now.own_key != snapshot.own_key or not np.array_equal(now.original, snapshot.original):
        raise changed(snapshot)


def check_uvs_unchanged(obj: bpy.types.Object, uvs: NDArray[np.floating] | None) -> None:
    """Raise InputError ``mesh-changed`` when the object's UVs are not those (F, 3, 2) of a snapshot any more."""
    now = take(obj)
    if now.uvs is None or uvs is None or not np.array_equal(now.uvs, uvs):
        raise changed(now)


def check_same_vertices(obj: bpy.types.Object, mesh: bpy.types.Mesh, snapshot: Snapshot) -> None:
    """Raise InputError ``mesh-changed`` when an object's evaluated mesh has another number of vertices than before."""
    if len(mesh.vertices) != len(snapshot.vertices):
        raise _changed_meanwhile(obj.name)


def check_vertex_count(obj: bpy.types.Object, count: int) -> None:
    """Raise InputError ``mesh-changed`` when the object's own mesh does not have ``count`` vertices."""
    if len(obj.data.vertices) != count:
        raise InputError("mesh-changed", f"“{obj.name}” has other vertices now.", "Run the job again.")


def check_face_count(obj: bpy.types.Object, count: int) -> None:
    """Raise InputError ``mesh-changed`` when the object's own mesh does not have ``count`` faces."""
    if len(obj.data.polygons) != count:
        raise _other_faces(obj)


def check_corner_count(obj: bpy.types.Object, count: int) -> None:
    """Raise InputError ``mesh-changed`` when the object's own mesh does not have ``count`` corners (loops)."""
    if len(obj.data.loops) != count:
        raise _other_faces(obj)


def is_read_only(obj: bpy.types.Object) -> bool:
    """Whether the object's mesh, if it has one, is linked from a library (or a library override)."""
    return obj.data is not None and (obj.data.library is not None or obj.data.override_library is not None)


def check_writable(obj: bpy.types.Object) -> None:
    """Raise InputError when attributes cannot be written to the object's own mesh.

    ``not-a-mesh`` (a curve, a text), ``read-only`` (linked from a library), ``edit-mode`` (edit mode, and sculpting
    with dynamic topology, overwrite what is written when they end).
    """
    if obj.type != "MESH":
        fix = INSTANCE_FIX if obj.instance_collection else "Convert it first (Object > Convert > Mesh)."
        raise InputError("not-a-mesh", f"“{obj.name}” is not a mesh.", fix)
    if obj.library or is_read_only(obj):
        library = (obj.data.library or obj.library or obj.override_library.reference.library).filepath
        raise InputError(
            "read-only",
            f"The mesh of “{obj.name}” is linked from {library}.",
            "Make it local first (Object > Relations > Make Local > Selected Objects and Data).",
        )
    if obj.data.is_editmode or (obj.mode == "SCULPT" and obj.use_dynamic_topology_sculpting):
        raise InputError("edit-mode", f"The mesh of “{obj.name}” is being edited.", "Go back to Object Mode first.")


def is_writable(obj: bpy.types.Object) -> bool:
    """Whether :func:`check_writable` passes."""
    try:
        check_writable(obj)
    except InputError:
        return False
    return True


# Evaluation -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def evaluated(
    obj: bpy.types.Object,
    uvs: NDArray[np.floating] | None = None,
    change: Change = unchanged,
) -> Iterator[tuple[bpy.types.Object, bpy.types.Mesh]]:
    """The evaluated object and its mesh with all its layers (vertex groups, attributes), valid inside the block.

    Vertices and corners are numbered as in the snapshots that :func:`take` makes. Raises InputError
    ``not-a-surface``.

    Args:
        obj: the object.
        uvs: as for :func:`take`.
        change: changes the temporary copy of the object, which has its own data, before it is evaluated.
    """
    if obj.type not in ("MESH", "CURVE", "SURFACE", "FONT", "META"):
        fix = INSTANCE_FIX if obj.instance_collection else "Choose a mesh object."
        raise InputError("not-a-surface", f"“{obj.name}” has no surface.", fix)
    if obj.data.is_editmode:
        obj.update_from_editmode()
    bpy.context.view_layer.update()  # so that matrix_world is up to date after a script has moved objects
    scene = bpy.data.scenes.new("MeshKin")
    copy, data = obj.copy(), obj.data.copy()
    try:
        _use_settings_of(scene, bpy.context.scene)
        copy.data = data
        copy.hide_viewport = False
        change(copy)
        if obj.type == "MESH":
            _number_vertices(data)
            if uvs is not None:
                uv_layer = data.uv_layers.new(name="MeshKin", do_init=False)
                write_vectors(uv_layer.uv, "vector", uvs)
                uv_layer.active_render = True
        scene.collection.objects.link(copy)
        view_layer = scene.view_layers[0]
        hiding.show_all(copy, view_layer)
        view_layer.update()
        evaluated_object = copy.evaluated_get(view_layer.depsgraph)
        yield evaluated_object, evaluated_object.to_mesh()
        evaluated_object.to_mesh_clear()
    finally:
        shape_keys = getattr(data, "shape_keys", None)
        bpy.data.batch_remove([block for block in (copy, data, shape_keys, scene) if block])


def _use_settings_of(scene: bpy.types.Scene, user_scene: bpy.types.Scene) -> None:
    """Give the temporary scene the frame and the simplification of the user's scene.

    The update of the still empty scene matters: a frame change after the object is linked would replace a pose that
    the user has set but not keyed by the one of the animation.
    """
    scene.frame_current, scene.frame_subframe = user_scene.frame_current, user_scene.frame_subframe
    scene.render.use_simplify = user_scene.render.use_simplify
    scene.render.simplify_subdivision = user_scene.render.simplify_subdivision
    scene.view_layers[0].update()


def _number_vertices(mesh: bpy.types.Mesh) -> None:
    """Store the position and the number of each vertex in attributes that modifiers carry along."""
    positions = read_floats(mesh.vertices, "co", 3)
    write_vectors(mesh.attributes.new(REST, "FLOAT_VECTOR", "POINT").data, "vector", positions)
    numbers = np.arange(len(positions), dtype=np.float32)
    mesh.attributes.new(NUMBER, "FLOAT", "POINT").data.foreach_set("value", numbers)


def _original(obj: bpy.types.Object, mesh: bpy.types.Mesh, vertices: NDArray[np.float32]) -> NDArray[np.int32]:
    """For each vertex of the object's own mesh, the vertex of the evaluated ``mesh`` that stands for it, int32 (W,)."""
    if obj.type != "MESH":
        return np.empty(0, np.int32)
    own = read_floats(obj.data.vertices, "co", 3)
    result = np.full(len(own), -1, np.int32)
    if not len(own) or not len(vertices):
        return np.zeros(len(own), np.int32)
    rest, number = mesh.attributes.get(REST), mesh.attributes.get(NUMBER)
    if rest and number and rest.domain == number.domain == "POINT":
        positions = read_floats(rest.data, "vector", 3)
        numbers = read_floats(number.data, "value", 1).ravel()
        # A vertex that the modifiers kept has exactly its old number and position; one that they made has a mixture of
        # several. Reversed, so that the first of several copies (Mirror, Array) is the one that stays.
        candidates = np.clip(np.nan_to_num(numbers), 0, len(own) - 1).astype(np.int64)
        is_kept = (candidates == numbers) & (own[candidates] == positions).all(axis=1)
        kept = np.flatnonzero(is_kept)[::-1]
        result[candidates[kept]] = kept
    else:
        positions = vertices
    missing = np.flatnonzero(result < 0)
    if len(missing):
        result[missing] = nearest(own[missing], positions)
    return result


def nearest(queries: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.int32]:
    """The number of the nearest point for each query, int32 (N,)."""
    usable = np.flatnonzero(np.isfinite(points).all(axis=1))
    if not len(usable):
        return np.zeros(len(queries), np.int32)
    tree = KDTree(len(usable))  # Blender's k-d tree takes and finds points one by one only
    for index, point in zip(usable.tolist(), points[usable].tolist(), strict=True):
        tree.insert(point, index)
    tree.balance()
    return np.array([tree.find(query)[1] or 0 for query in np.nan_to_num(queries).tolist()], np.int32)


def transformed_normals(normals: NDArray[np.float32], linear: NDArray[np.float64]) -> NDArray[np.float32]:
    """Unit normals (C, 3) under a linear map, by its inverse transpose (the cofactor matrix, up to a factor)."""
    cofactors = np.stack([np.cross(linear[(row + 1) % 3], linear[(row + 2) % 3]) for row in range(3)])
    if np.linalg.det(linear) < 0:
        cofactors = -cofactors
    scale = np.abs(cofactors).max() or 1
    transformed: NDArray[np.float32] = np.einsum("cd,ed->ce", normals, (cofactors / scale).astype(np.float32))
    length = np.sqrt(np.einsum("cd,cd->c", transformed, transformed))
    invalid = ~(np.isfinite(length) & (length > 0))
    transformed[invalid], length[invalid] = (0, 0, 1), 1
    transformed /= length[:, None]
    return transformed


def changed(snapshot: Snapshot) -> InputError:
    """The error that a mesh is not any more what a snapshot was taken of."""
    return InputError(
        "mesh-changed", f"“{snapshot.name}” was changed while the job ran.", "Nothing was written. Run the job again."
    )


def _other_faces(obj: bpy.types.Object) -> InputError:
    return InputError("mesh-changed", f"“{obj.name}” has other faces now.", "Run the job again.")


def _changed_meanwhile(name: str) -> InputError:
    return InputError("mesh-changed", f"“{name}” was changed while the job ran.", "Run the job again.")
