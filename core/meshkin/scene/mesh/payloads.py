"""Materials of faces and UV maps, written to a mesh as new ones."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ..arrays import write_vectors
from .snapshot import check_corner_count, check_face_count, check_writable

MAX_UV_MAPS = 8
"""UV maps that a mesh can have in Blender."""


def write_uv_map(obj: bpy.types.Object, name: str, uvs: NDArray[np.floating]) -> str:
    """Add a UV map, (C, 2) on the corners of the own mesh; returns a sentence about it. The active one stays active.

    Raises:
        InputError: ``mesh-changed``, ``uv-maps-full``, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    check_corner_count(obj, len(uvs))
    check_room_for_uv_map(obj)
    layers = obj.data.uv_layers
    active = layers.active_index
    layer = layers.new(name=name, do_init=False)
    write_vectors(layer.uv, "vector", uvs)
    layers.active_index = max(active, 0)
    return f"UV map: “{layer.name}”."


def room_for_uv_maps(obj: bpy.types.Object) -> int:
    """How many more UV maps a mesh can have."""
    return MAX_UV_MAPS - len(obj.data.uv_layers)


def check_room_for_uv_map(obj: bpy.types.Object) -> None:
    """Raise InputError ``uv-maps-full`` if a mesh cannot have another UV map."""
    if room_for_uv_maps(obj) < 1:
        raise InputError(
            "uv-maps-full", f"“{obj.name}” cannot have more than {MAX_UV_MAPS} UV maps.", "Remove some first."
        )


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
