"""Materials of faces, UV maps and shape keys: read from one mesh, written to another as new ones."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ..arrays import read_floats, write_vectors
from ..frames import offsets_to_local, offsets_to_world
from .snapshot import check_corner_count, check_face_count, check_vertex_count, check_writable
from .vertex_groups import group_weights

MAX_UV_MAPS = 8
"""UV maps that a mesh can have in Blender."""


@dataclass(frozen=True)
class ShapeKey:
    """A shape key.

    Attributes:
        name: its name.
        offsets: how far it moves each vertex of the own mesh, multiplied by the vertex group that limits it; along
            world axes, float32 (W, 3).
        slider: the least and the greatest value of its slider.
        mute: it is switched off.
    """

    name: str
    offsets: NDArray[np.float32]
    slider: tuple[float, float]
    mute: bool


def shape_keys(obj: bpy.types.Object) -> list[ShapeKey]:
    """Each shape key except the basis."""
    keys = obj.data.shape_keys if obj.type == "MESH" else None
    if keys is None:
        return []
    used_groups = {key.vertex_group for key in keys.key_blocks}.intersection(obj.vertex_groups.keys())
    weights = group_weights(obj.data, len(obj.vertex_groups)) if used_groups else np.zeros((0, 0))
    factors = {name: weights[:, obj.vertex_groups[name].index, None] for name in used_groups}
    return [
        ShapeKey(
            key.name,
            offsets_to_world(obj, factors.get(key.vertex_group, 1) * _offsets(key)).astype(np.float32),
            (key.slider_min, key.slider_max),
            key.mute,
        )
        for key in keys.key_blocks
        if key != keys.reference_key and key.relative_key != key
    ]


def check_keys_move_all(obj: bpy.types.Object, snapshot: Snapshot) -> None:
    """Raise InputError ``modifiers-in-the-way`` if an object's snapshot has vertices that its own mesh has not."""
    if len(np.unique(snapshot.original)) != len(snapshot.vertices):
        raise InputError(
            "modifiers-in-the-way",
            f"The modifiers of “{obj.name}” add vertices, which its shape keys do not move.",
            "Switch its Subdivision (or the like) off in the viewport for the transfer.",
        )


def snapshot_offsets(key: ShapeKey, obj: bpy.types.Object, snapshot: Snapshot) -> NDArray[np.float32]:
    """How far a shape key moves each vertex of a snapshot of its object, float32 (V, 3).

    Raises InputError: ``mesh-changed``; ``modifiers-in-the-way`` (modifiers add vertices, which no key moves).
    """
    if len(key.offsets) != len(snapshot.original):
        raise InputError("mesh-changed", f"“{obj.name}” was changed while the job ran.", "Run the job again.")
    check_keys_move_all(obj, snapshot)
    offsets = np.zeros((len(snapshot.vertices), 3), np.float32)
    offsets[snapshot.original] = key.offsets
    return offsets


def write_shape_key(
    obj: bpy.types.Object,
    name: str,
    offsets: NDArray[np.floating],
    value: float = 0.0,
    slider: tuple[float, float] = (0.0, 1.0),
    mute: bool = False,
) -> str:
    """Add a shape key; returns a sentence about it. Other keys, and which one is active, stay.

    Args:
        obj: a mesh object.
        name: of the key.
        offsets: (W, 3), how far it moves the vertices of the own mesh, along world axes.
        value: of its slider.
        slider: the least and the greatest value.
        mute: whether it is switched off.

    Raises:
        InputError: ``mesh-changed``, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    check_vertex_count(obj, len(offsets))
    local_offsets = offsets_to_local(obj, offsets)
    if obj.data.shape_keys is None:
        obj.shape_key_add(name="Basis", from_mix=False)
    key = obj.shape_key_add(name=name, from_mix=False)
    basis = obj.data.shape_keys.reference_key
    write_vectors(key.data, "co", _positions(basis) + local_offsets)
    key.relative_key = basis
    key.slider_min, key.slider_max = slider
    key.value, key.mute = value, mute
    obj.data.update()
    return f"Shape key: “{key.name}”."


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


def _positions(key: bpy.types.ShapeKey) -> NDArray[np.float64]:
    return read_floats(key.data, "co", 3).astype(np.float64)


def _offsets(key: bpy.types.ShapeKey) -> NDArray[np.float64]:
    return _positions(key) - _positions(key.relative_key)
