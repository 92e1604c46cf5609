"""Materials of faces and UV maps, written to a mesh beside its own."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.names import key_of
from ..arrays import write_vectors
from .snapshot import check_corner_count, check_face_count, check_writable

MAX_UV_MAPS = 8
"""UV maps that a mesh can have in Blender."""
UV_MAPS_PROPERTY = "meshkin_uv_maps"
"""Custom property of an object: the UV maps that came over, by their names on the source."""


def write_uv_map(obj: bpy.types.Object, name: str, uvs: NDArray[np.floating]) -> str:
    """Add a UV map, (C, 2) on the corners of the own mesh, or replace the one that came over under this name before.

    Returns a sentence about it. The active one stays active.

    Raises:
        InputError: ``mesh-changed``, ``uv-maps-full``, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    check_corner_count(obj, len(uvs))
    layers = obj.data.uv_layers
    active = layers.active_index
    layer = layers.get(_carried_uv_map(obj, name))
    replaced = ", in place of the one that came over before" if layer else ""
    if layer is None:
        check_room_for_uv_maps(obj, [name])
        layer = layers.new(name=name, do_init=False)
        if UV_MAPS_PROPERTY not in obj:
            obj[UV_MAPS_PROPERTY] = {}
        obj[UV_MAPS_PROPERTY][key_of(name)] = layer.name
    write_vectors(layer.uv, "vector", uvs)
    layers.active_index = max(active, 0)
    return f"UV map: “{layer.name}”{replaced}."


def uv_maps_with_room(obj: bpy.types.Object, names: Sequence[str]) -> list[str]:
    """Those of the UV maps for which a mesh has room, or which replace one that came over before."""
    room = MAX_UV_MAPS - len(obj.data.uv_layers)
    new = [name for name in names if _carried_uv_map(obj, name) not in obj.data.uv_layers]
    return [name for name in names if name not in new[max(room, 0) :]]


def check_room_for_uv_maps(obj: bpy.types.Object, names: Sequence[str]) -> None:
    """Raise InputError ``uv-maps-full`` if a mesh has room for none of these UV maps."""
    if not uv_maps_with_room(obj, names):
        raise InputError(
            "uv-maps-full", f"“{obj.name}” cannot have more than {MAX_UV_MAPS} UV maps.", "Remove some first."
        )


def _carried_uv_map(obj: bpy.types.Object, name: str) -> str:
    """The UV map that came over under this name before; "" without one."""
    return str((obj.get(UV_MAPS_PROPERTY) or {}).get(key_of(name), ""))


def write_materials(
    obj: bpy.types.Object, materials: list[bpy.types.Material | None], slots: NDArray[np.integer]
) -> str:
    """Give each face of the own mesh the material of a slot of the source; returns a sentence about it.

    New slots are added for the materials; existing slots are not changed.

    Args:
        obj: the target.
        materials: of the source's slots.
        slots: int (P,), the source's slot for each face.

    Raises:
        InputError: ``mesh-changed``, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    mesh = obj.data
    check_face_count(obj, len(slots))
    used = {slot: materials[slot] if slot < len(materials) else None for slot in np.unique(slots).tolist()}
    new_slots = np.zeros(max(used, default=0) + 1, np.int32)
    for slot, material in used.items():
        mesh.materials.append(material)
        new_slots[slot] = len(mesh.materials) - 1
    mesh.polygons.foreach_set("material_index", new_slots[slots])
    mesh.update()
    names = [material.name if material else "none" for material in used.values()]
    return f"Materials of the faces: {', '.join(f'“{name}”' for name in names)}, in new slots."
