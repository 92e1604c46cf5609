"""UVs by which materials map their images: UV maps, and other attributes that hold vectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ..arrays import read_floats, read_integers
from .snapshot import changed, evaluated

_VECTORS = {"FLOAT2": ("vector", 2), "FLOAT_VECTOR": ("vector", 3), "FLOAT_COLOR": ("color", 4)}
"""Types of attributes whose first two numbers can be UVs: the property that holds them, and how many numbers it has."""


def names(obj: bpy.types.Object) -> list[str]:
    """What can give UVs by its name, on the mesh as the modifiers leave it: UV maps and attributes of vectors."""
    with evaluated(obj) as (_, mesh):
        return [layer.name for layer in mesh.uv_layers] + [one.name for one in mesh.attributes if _is_vector(one)]


def check(obj: bpy.types.Object, used: Iterable[str]) -> None:
    """Raise InputError ``no-uvs`` if one of the names, "" for the active UV map, gives no UVs on an object."""
    with evaluated(obj) as (_, mesh):
        if any(_corner_uvs(mesh, name) is None for name in used):
            raise _no_uvs(obj.name)


def with_uvs(obj: bpy.types.Object, snapshot: Snapshot, by_slot: Mapping[int, str]) -> Snapshot:
    """The snapshot with, on the triangles of each material slot, the UVs of that slot's texture.

    Args:
        obj: the object that ``snapshot`` was taken of.
        snapshot: of the object.
        by_slot: name of a UV map or attribute for a material slot. A slot left out, and a name that is "" or not on the
            mesh, keep the map active for rendering.

    Raises:
        InputError: ``mesh-changed`` when the mesh has other corners than the snapshot.
    """
    if all(name in ("", snapshot.uv_name) for name in by_slot.values()):
        return snapshot
    shape = (*snapshot.corners.shape, 2)
    uvs = np.zeros(shape, np.float32) if snapshot.uvs is None else snapshot.uvs.copy()
    found = snapshot.uvs is not None
    with evaluated(obj) as (_, mesh):
        if len(mesh.loop_triangles) != len(snapshot.faces):
            raise changed(snapshot)
        for slot, name in by_slot.items():
            values = _corner_uvs(mesh, name)
            if values is not None:
                found, in_slot = True, snapshot.materials == slot
                uvs[in_slot] = values[snapshot.corners[in_slot]]
    return dataclasses.replace(snapshot, uvs=uvs) if found else snapshot


def layouts(obj: bpy.types.Object, snapshot: Snapshot, used: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """UVs of an object at each triangle corner of its snapshot, float32 (F, 3, 2), by the UV map's or attribute's name.

    A name that is "" or not on the mesh gives the map active for rendering. Raises InputError ``no-uvs``,
    ``mesh-changed``.
    """
    found = {}
    with evaluated(obj) as (_, mesh):
        if len(mesh.loop_triangles) != len(snapshot.faces):
            raise changed(snapshot)
        for name in used:
            values = _corner_uvs(mesh, name)
            if values is None:
                raise _no_uvs(snapshot.name)
            found[name] = values[snapshot.corners]
    return found


def _corner_uvs(mesh: bpy.types.Mesh, name: str) -> NDArray[np.float32] | None:
    """UVs of a mesh's corners, float32 (C, 2): of the UV map or attribute of this name, else of the map active for
    rendering; None without one."""
    attribute = mesh.attributes.get(name) if name not in mesh.uv_layers else None
    if attribute and _is_vector(attribute):
        values = read_floats(attribute.data, *_VECTORS[attribute.data_type])[:, :2]
        if attribute.domain == "POINT":
            return values[read_integers(mesh.loops, "vertex_index")]
        if attribute.domain == "FACE":
            return np.repeat(values, read_integers(mesh.polygons, "loop_total"), axis=0)
        return values
    active = next((layer for layer in mesh.uv_layers if layer.active_render), None)
    layer = mesh.uv_layers.get(name) or active
    return read_floats(layer.uv, "vector", 2) if layer else None


def _is_vector(attribute: bpy.types.Attribute) -> bool:
    return attribute.data_type in _VECTORS and attribute.domain in ("POINT", "FACE", "CORNER")


def _no_uvs(name: str) -> InputError:
    return InputError("no-uvs", f"“{name}” has no UV map.", "Its images need one: unwrap it (UV > Smart UV Project).")
