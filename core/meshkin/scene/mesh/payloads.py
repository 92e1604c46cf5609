"""Materials of faces, UV maps and shape keys: read from one mesh, written to another as new ones."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ..rig.weights import group_weights
from .attributes import edges
from .snapshot import check_writable

MOST_UV_MAPS = 8
"""Of a mesh, in Blender."""


def own_mesh(obj: bpy.types.Object, snapshot: Snapshot) -> tuple[Snapshot, NDArray[np.int32]]:
    """The object's own mesh, without its modifiers, at the places that its snapshot gives it; and its edges (E, 2).

    Values of faces and corners can be written to these only. Raises InputError ``mesh-changed``.
    """
    mesh = obj.data
    if len(mesh.vertices) != len(snapshot.original):
        raise InputError("mesh-changed", f"“{obj.name}” was changed while the job ran.", "Run the job again.")
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    corners, faces = np.empty(count * 3, np.int32), np.empty(count * 3, np.int32)
    polygons = np.empty(count, np.int32)
    mesh.loop_triangles.foreach_get("loops", corners)
    mesh.loop_triangles.foreach_get("vertices", faces)
    mesh.loop_triangles.foreach_get("polygon_index", polygons)
    order = slice(None, None, -1 if obj.matrix_world.determinant() < 0 else 1)
    own = len(mesh.vertices)
    ordered = [np.ascontiguousarray(one.reshape(-1, 3)[:, order]) for one in (faces, corners)]
    shape = Snapshot(
        obj.name, snapshot.vertices[snapshot.original], ordered[0], polygons, ordered[1],
        np.zeros((count, 3, 3), np.float32), None, "", np.zeros(count, np.int32), (), np.zeros(own, np.int32),
        np.arange(own, dtype=np.int32), snapshot.location,
    )  # fmt: skip
    return shape, edges(mesh)


@dataclass(frozen=True)
class ShapeKey:
    """A shape key.

    Attributes:
        name: its name.
        offsets: how far it moves each own vertex, as its vertex group lets it, world axes, float32 (W, 3).
        reach: the least and the greatest value of its slider.
        mute: it is switched off.
    """

    name: str
    offsets: NDArray[np.float32]
    reach: tuple[float, float]
    mute: bool


def shape_keys(obj: bpy.types.Object) -> list[ShapeKey]:
    """Each shape key but the basis."""
    keys = obj.data.shape_keys if obj.type == "MESH" else None
    if keys is None:
        return []
    linear = np.array(obj.matrix_world, np.float64)[:3, :3]
    masks = {key.vertex_group for key in keys.key_blocks}.intersection(obj.vertex_groups.keys())
    shares = group_weights(obj.data, len(obj.vertex_groups)) if masks else np.zeros((0, 0))
    mask = {name: shares[:, obj.vertex_groups[name].index, None] for name in masks}
    return [
        ShapeKey(
            key.name,
            (mask.get(key.vertex_group, 1) * (_places(key) - _places(key.relative_key)) @ linear.T).astype(np.float32),
            (key.slider_min, key.slider_max),
            key.mute,
        )
        for key in keys.key_blocks
        if key != keys.reference_key and key.relative_key != key
    ]


def write_shape_key(
    obj: bpy.types.Object,
    name: str,
    offsets: NDArray[np.floating],
    value: float = 0.0,
    reach: tuple[float, float] = (0.0, 1.0),
    mute: bool = False,
) -> str:
    """Add a shape key that moves the own vertices by ``offsets`` (W, 3), world axes; says what was done.

    Others, and which one is active, stay; ``value`` is how far it is switched on, ``reach`` its slider's range.

    Raises InputError ``mesh-changed``, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    if len(offsets) != len(obj.data.vertices):
        raise InputError("mesh-changed", f"“{obj.name}” has other vertices now.", "Run the job again.")
    linear = np.array(obj.matrix_world, np.float64)[:3, :3]
    local = np.asarray(offsets, np.float64) @ np.linalg.pinv(linear).T
    if obj.data.shape_keys is None:
        obj.shape_key_add(name="Basis", from_mix=False)
    key = obj.shape_key_add(name=name, from_mix=False)
    base = _places(obj.data.shape_keys.reference_key)
    key.data.foreach_set("co", (base + local).astype(np.float32).ravel())
    key.relative_key = obj.data.shape_keys.reference_key
    key.slider_min, key.slider_max = reach
    key.value, key.mute = value, mute
    obj.data.update()
    return f"Shape key: “{key.name}”."


def write_uv_map(obj: bpy.types.Object, name: str, uvs: NDArray[np.floating]) -> str:
    """Add a UV map, (C, 2) on the own corners; the active one stays. Raises InputError as :func:`write_shape_key`,
    and ``uv-maps-full``."""
    check_writable(obj)
    if len(uvs) != len(obj.data.loops):
        raise InputError("mesh-changed", f"“{obj.name}” has other faces now.", "Run the job again.")
    check_uv_map_count(obj, 1)
    layers = obj.data.uv_layers
    active = layers.active_index
    layer = layers.new(name=name, do_init=False)
    layer.uv.foreach_set("vector", np.ascontiguousarray(uvs, np.float32).ravel())
    layers.active_index = max(active, 0)
    return f"UV map: “{layer.name}”."


def check_uv_map_count(obj: bpy.types.Object, count: int) -> None:
    """Raise InputError ``uv-maps-full`` where a mesh cannot have so many more UV maps."""
    if obj.type == "MESH" and len(obj.data.uv_layers) + count > MOST_UV_MAPS:
        what = f"“{obj.name}” cannot have more than {MOST_UV_MAPS} UV maps: {count} more would be too many."
        raise InputError("uv-maps-full", what, "Remove some first.")


def write_materials(
    obj: bpy.types.Object, materials: list[bpy.types.Material | None], numbers: NDArray[np.integer]
) -> str:
    """Give each own face the material of a slot of the source, int (P,); slots are added, none is changed.

    Raises InputError as :func:`write_shape_key`.
    """
    check_writable(obj)
    mesh = obj.data
    if len(numbers) != len(mesh.polygons):
        raise InputError("mesh-changed", f"“{obj.name}” has other faces now.", "Run the job again.")
    used = np.unique(numbers).tolist()
    slots = np.zeros(max(used, default=0) + 1, np.int32)
    for number in used:
        mesh.materials.append(materials[number] if number < len(materials) else None)
        slots[number] = len(mesh.materials) - 1
    mesh.polygons.foreach_set("material_index", slots[numbers])
    mesh.update()
    names = [materials[number].name if number < len(materials) and materials[number] else "none" for number in used]
    return f"Materials of the faces: {', '.join(f'“{name}”' for name in names)}, in new slots."


def _places(key: bpy.types.ShapeKey) -> NDArray[np.float64]:
    values = np.empty(len(key.data) * 3, np.float32)
    key.data.foreach_get("co", values)
    return values.reshape(-1, 3).astype(np.float64)
