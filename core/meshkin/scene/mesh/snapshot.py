"""From a Blender object to a :class:`meshkin.data.snapshot.Snapshot`: the evaluated mesh as plain arrays.

An object is evaluated as a temporary copy in a temporary scene of its own. So it does not matter whether it is hidden,
excluded, linked or in edit mode; its parents, constraints, drivers, armature and modifiers act as they do in the
user's scene, in the pose and with the values that are there now, keyed or not; and nothing of the user's is touched.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import bpy
import numpy as np
from mathutils.kdtree import KDTree
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot

REST = ".meshkin_rest"
"""Temporary point attributes that carry each vertex's rest position and number through the modifiers."""
NUMBER = ".meshkin_number"


def take(obj: bpy.types.Object, uvs: NDArray[np.floating] | None = None) -> Snapshot:
    """The object's evaluated mesh as it is now; frame and fields as in :class:`Snapshot`.

    Objects in edit mode give the state being edited. Curves, texts and metaballs give the mesh that Blender makes of
    them; ``original`` is empty then, as they have no mesh of their own to write to. A modifier that builds a new
    surface (Remesh) has no vertices in common with the object's own: ``original`` is the nearest one in space then.

    Args:
        obj: the object.
        uvs: (C, 2), a UV layout for the corners of its own mesh, to be used instead of its UV maps.

    Raises:
        InputError: ``not-a-surface`` when the object has no surface (camera, armature, empty).
    """
    with evaluated(obj, uvs) as (copy, mesh):
        vertices = _floats(mesh.vertices, "co", 3)
        triangles = _triangles(mesh)
        matrix = np.array(copy.matrix_world, np.float64)
        linear = matrix[:3, :3]
        flipped = bool(np.linalg.det(linear) < 0)
        corners = triangles["loops"][:, ::-1] if flipped else triangles["loops"]
        corner_vertices = _integers(mesh.loops, "vertex_index")
        layer = next((layer for layer in mesh.uv_layers if layer.active_render), None)
        faces = corner_vertices[corners]
        slots = slot_materials(copy, mesh)
        return Snapshot(
            name=obj.name,
            vertices=np.einsum("vd,ed->ve", vertices, linear).astype(np.float32),
            faces=np.ascontiguousarray(faces),
            polygons=triangles["polygon_index"],
            corners=np.ascontiguousarray(corners),
            normals=_transformed_normals(_floats(mesh.corner_normals, "vector", 3), linear)[corners],
            uvs=_floats(layer.uv, "vector", 2)[corners] if layer else None,
            uv_name=layer.name if layer else "",
            materials=np.clip(_integers(mesh.polygons, "material_index"), 0, max(len(slots) - 1, 0))[
                triangles["polygon_index"]
            ],
            material_names=tuple(slot.name if slot else "" for slot in slots),
            parts=connected_parts(len(vertices), faces),
            original=_original(obj, mesh, vertices),
            location=matrix[:3, 3].copy(),
        )


def slot_materials(result: bpy.types.Object, mesh: bpy.types.Mesh) -> list[bpy.types.Material | None]:
    """The material of each slot of an evaluated object: its own, or those of its mesh, which modifiers may set."""
    slots = result.material_slots
    found = [
        slots[index].material if index < len(slots) and slots[index].link == "OBJECT" else material
        for index, material in enumerate(mesh.materials)
    ]
    return [material.original if material else None for material in found]


def with_uvs(obj: bpy.types.Object, snapshot: Snapshot, maps: Mapping[int, str]) -> Snapshot:
    """The snapshot with, on each material slot's triangles, the UVs that its texture uses.

    Args:
        obj: the object that ``snapshot`` was taken of.
        maps: name of a UV map for a material slot; a slot left out, or a name that is "" or not on the mesh, keeps
            the map active for rendering.

    Raises:
        InputError: ``mesh-changed`` when the mesh has other corners than the snapshot.
    """
    if snapshot.uvs is None or all(name in ("", snapshot.uv_name) for name in maps.values()):
        return snapshot
    uvs = snapshot.uvs.copy()
    with evaluated(obj) as (_, mesh):
        if len(mesh.loop_triangles) != len(snapshot.faces):
            raise _changed(snapshot)
        for slot, name in maps.items():
            if layer := mesh.uv_layers.get(name):
                here = snapshot.materials == slot
                uvs[here] = _floats(layer.uv, "vector", 2)[snapshot.corners[here]]
    return dataclasses.replace(snapshot, uvs=uvs)


def uv_layouts(obj: bpy.types.Object, snapshot: Snapshot, names: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """UV maps of an object at each triangle corner of its snapshot, float32 (F, 3, 2), by name.

    A name that is "" or not on the mesh gives the map active for rendering. Raises InputError ``no-uvs``,
    ``mesh-changed``.
    """
    if snapshot.uvs is None:
        raise InputError("no-uvs", f"“{snapshot.name}” has no UV map.", "Unwrap it first (UV > Smart UV Project).")
    found = dict.fromkeys(names, snapshot.uvs)
    with evaluated(obj) as (_, mesh):
        if len(mesh.loop_triangles) != len(snapshot.faces):
            raise _changed(snapshot)
        for name in found:
            if layer := mesh.uv_layers.get(name):
                found[name] = _floats(layer.uv, "vector", 2)[snapshot.corners]
    return found


def check_unchanged(obj: bpy.types.Object, snapshot: Snapshot) -> None:
    """Raise InputError ``mesh-changed`` when the object would not give the same snapshot any more."""
    now = take(obj)
    if now.key != snapshot.key or not np.array_equal(now.original, snapshot.original):
        raise _changed(snapshot)


def check_uvs_unchanged(obj: bpy.types.Object, uvs: NDArray[np.floating] | None) -> None:
    """Raise InputError ``mesh-changed`` when the object's UVs are not those (F, 3, 2) of a snapshot any more."""
    now = take(obj)
    if now.uvs is None or uvs is None or not np.array_equal(now.uvs, uvs):
        raise _changed(now)


def is_read_only(obj: bpy.types.Object) -> bool:
    """Whether the object's mesh, if it has one, is linked from a library (overridden objects' meshes are too)."""
    return obj.data is not None and (obj.data.library is not None or obj.data.override_library is not None)


def check_writable(obj: bpy.types.Object) -> None:
    """Raise InputError when attributes cannot be written to the object's own mesh.

    ``not-a-mesh`` (a curve, a text), ``read-only`` (linked from a library), ``edit-mode`` (edit mode, or dynamic
    topology sculpting, would overwrite what is written when it ends).
    """
    if obj.type != "MESH":
        raise InputError("not-a-mesh", f"“{obj.name}” is not a mesh.", "Convert it first (Object > Convert > Mesh).")
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
    """Whether :func:`check_writable` has nothing against the object."""
    try:
        check_writable(obj)
    except InputError:
        return False
    return True


@contextlib.contextmanager
def evaluated(
    obj: bpy.types.Object, uvs: NDArray[np.floating] | None = None
) -> Iterator[tuple[bpy.types.Object, bpy.types.Mesh]]:
    """The evaluated object and its mesh with all its layers (vertex groups, attributes), valid inside the block.

    Vertices and corners are numbered as in the snapshots that :func:`take` makes. Raises InputError
    ``not-a-surface``.
    """
    if obj.type not in ("MESH", "CURVE", "SURFACE", "FONT", "META"):
        raise InputError("not-a-surface", f"“{obj.name}” has no surface.", "Choose a mesh object.")
    if obj.data.is_editmode:
        obj.update_from_editmode()
    bpy.context.view_layer.update()  # what a script has moved is there from now on for all who ask
    scene = bpy.data.scenes.new("MeshKin")
    copy, data = obj.copy(), obj.data.copy()
    try:
        _follow(scene, bpy.context.scene)
        copy.data = data
        copy.hide_viewport = False
        if obj.type == "MESH":
            _number(data)
            if uvs is not None:
                layout = data.uv_layers.new(name="MeshKin", do_init=False)
                layout.uv.foreach_set("vector", np.ascontiguousarray(uvs, np.float32).ravel())
                layout.active_render = True
        scene.collection.objects.link(copy)
        layer = scene.view_layers[0]
        layer.update()
        result = copy.evaluated_get(layer.depsgraph)
        yield result, result.to_mesh()
        result.to_mesh_clear()
    finally:
        keys = getattr(data, "shape_keys", None)
        bpy.data.batch_remove([item for item in (copy, data, keys, scene) if item])


def connected_parts(count: int, faces: NDArray[np.integer]) -> NDArray[np.int32]:
    """The connected part of each of ``count`` vertices, numbered by first vertex, int32 (count,).

    Hooking and pointer jumping (Shiloach and Vishkin 1982), all vertices at once.
    """
    root = np.arange(count)
    one, two = np.concatenate((faces[:, :2], faces[:, 1:])).T
    while True:
        first, second = root[one], root[two]
        apart = first != second
        if not apart.any():
            break
        one, two, first, second = one[apart], two[apart], first[apart], second[apart]
        np.minimum.at(root, np.maximum(first, second), np.minimum(first, second))
        while not np.array_equal(root, above := root[root]):
            root = above
    return np.unique(root, return_inverse=True)[1].astype(np.int32).reshape(count)


def _follow(scene: bpy.types.Scene, user: bpy.types.Scene) -> None:
    """Give the temporary scene the user's frame and simplification.

    The update of the still empty scene matters: a frame change that meets the object would play its animation back
    over a pose that the user has set but not keyed.
    """
    scene.frame_current, scene.frame_subframe = user.frame_current, user.frame_subframe
    scene.render.use_simplify = user.render.use_simplify
    scene.render.simplify_subdivision = user.render.simplify_subdivision
    scene.view_layers[0].update()


def _number(mesh: bpy.types.Mesh) -> None:
    """Note each vertex's position and number in attributes that modifiers carry along."""
    rest = _floats(mesh.vertices, "co", 3)
    mesh.attributes.new(REST, "FLOAT_VECTOR", "POINT").data.foreach_set("vector", rest.ravel())
    number = np.arange(len(rest), dtype=np.float32)
    mesh.attributes.new(NUMBER, "FLOAT", "POINT").data.foreach_set("value", number)


def _original(obj: bpy.types.Object, mesh: bpy.types.Mesh, vertices: NDArray[np.float32]) -> NDArray[np.int32]:
    """For each vertex of the object's own mesh, the vertex of the evaluated ``mesh`` that stands for it."""
    if obj.type != "MESH":
        return np.empty(0, np.int32)
    own = _floats(obj.data.vertices, "co", 3)
    result = np.full(len(own), -1, np.int32)
    if not len(own) or not len(vertices):
        return np.zeros(len(own), np.int32)
    rest, number = mesh.attributes.get(REST), mesh.attributes.get(NUMBER)
    if rest and number and rest.domain == number.domain == "POINT":
        places = _floats(rest.data, "vector", 3)
        number = _floats(number.data, "value", 1).ravel()
        # A vertex that a modifier kept carries exactly its old number and position; one that it made in between
        # carries a mixture. Reversed, so that the first of several copies (Mirror, Array) is the one that stays.
        claimed = np.clip(np.nan_to_num(number), 0, len(own) - 1).astype(np.int64)
        same = (claimed == number) & (own[claimed] == places).all(axis=1)
        kept = np.flatnonzero(same)[::-1]
        result[claimed[kept]] = kept
    else:
        places = vertices
    lost = np.flatnonzero(result < 0)
    if len(lost):
        result[lost] = _nearest(own[lost], places)
    return result


def _nearest(queries: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.int32]:
    """For each query the nearest point. Blender's k-d tree takes and finds points one by one only."""
    usable = np.flatnonzero(np.isfinite(points).all(axis=1))
    if not len(usable):
        return np.zeros(len(queries), np.int32)
    tree = KDTree(len(usable))
    for index, point in zip(usable.tolist(), points[usable].tolist(), strict=True):
        tree.insert(point, index)
    tree.balance()
    return np.array([tree.find(query)[1] or 0 for query in np.nan_to_num(queries).tolist()], np.int32)


def _triangles(mesh: bpy.types.Mesh) -> dict[str, NDArray[np.int32]]:
    mesh.calc_loop_triangles()
    return {
        "loops": _integers(mesh.loop_triangles, "loops", 3),
        "polygon_index": _integers(mesh.loop_triangles, "polygon_index"),
    }


def _transformed_normals(normals: NDArray[np.float32], linear: NDArray[np.float64]) -> NDArray[np.float32]:
    """Unit normals (C, 3) under a linear map, by its inverse transpose (up to a factor: the cofactor matrix)."""
    cofactors = np.stack([np.cross(linear[(row + 1) % 3], linear[(row + 2) % 3]) for row in range(3)])
    if np.linalg.det(linear) < 0:
        cofactors = -cofactors
    scale = np.abs(cofactors).max() or 1
    moved: NDArray[np.float32] = np.einsum("cd,ed->ce", normals, (cofactors / scale).astype(np.float32))
    length = np.sqrt(np.einsum("cd,cd->c", moved, moved))
    bad = ~(np.isfinite(length) & (length > 0))
    moved[bad], length[bad] = (0, 0, 1), 1
    moved /= length[:, None]
    return moved


def _floats(collection: bpy.types.bpy_prop_collection, name: str, width: int) -> NDArray[np.float32]:
    values = np.empty(len(collection) * width, np.float32)
    collection.foreach_get(name, values)
    return values.reshape(-1, width)


def _integers(collection: bpy.types.bpy_prop_collection, name: str, width: int = 1) -> NDArray[np.int32]:
    values = np.empty(len(collection) * width, np.int32)
    collection.foreach_get(name, values)
    return values.reshape(-1, width) if width > 1 else values


def _changed(snapshot: Snapshot) -> InputError:
    return InputError(
        "mesh-changed", f"“{snapshot.name}” was changed while the job ran.", "Nothing was written. Run the job again."
    )
