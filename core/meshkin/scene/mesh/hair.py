"""Hair curves that grow on a mesh: read, and copied onto another mesh."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import earlier
from ..arrays import read_floats, read_integers, write_vectors
from ..frames import local_to_snapshot, offsets_to_local
from ..objects import Handle
from .pieces import joined_of
from .snapshot import check_writable

SURFACE_UVS = "surface_uv_coordinate"
"""Blender's attribute of a curve: where on its surface's UV map it is rooted."""


@dataclass(frozen=True)
class Hair:
    """One hair object.

    Attributes:
        handle: of the object.
        points: float32 (P, 3), strand by strand, in the snapshot frame of the object on which the hair grows.
        first: int64 (N,), the number of each strand's first point.
    """

    handle: Handle
    points: NDArray[np.float32]
    first: NDArray[np.int64]


def growing_on(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The hair objects whose surface or parent is this mesh, and that have at least one strand."""
    meshes = joined_of(obj)
    return [
        curves
        for curves in bpy.data.objects
        if curves.type == "CURVES" and len(curves.data.curves)
        if any(mesh in (curves.data.surface, curves.parent) for mesh in meshes)
    ]


def read(obj: bpy.types.Object) -> list[Hair]:
    """The strands of the hair objects that grow on a mesh, as they were combed (without modifiers)."""
    hair = []
    for curves in growing_on(obj):
        points = read_floats(curves.data.attributes["position"].data, "vector", 3)
        first = read_integers(curves.data.curves, "first_point_index")
        in_frame = local_to_snapshot(curves, points, obj).astype(np.float32)
        hair.append(Hair(Handle.of(curves), in_frame, first.astype(np.int64)))
    return hair


def write(obj: bpy.types.Object, hair: Hair, points: NDArray[np.floating], roots: NDArray[np.floating]) -> str:
    """Copy a hair object onto a mesh with new points and roots; returns a sentence about it.

    The copy keeps the materials, attributes and modifiers; the object itself is not changed. A copy that came over
    before, and that nobody has combed since, is replaced.

    Args:
        obj: the target.
        hair: of the source.
        points: (P, 3), in the target's snapshot frame.
        roots: (N, 2), UVs of the strands' roots.

    Raises:
        InputError: ``object-gone``, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    old = hair.handle.get()
    copy, data = old.copy(), old.data.copy()
    copy.data = data
    write_vectors(data.attributes["position"].data, "vector", offsets_to_local(obj, points))
    data.surface = obj
    layer = next((layer for layer in obj.data.uv_layers if layer.active_render), None)
    data.surface_uv_map = layer.name if layer else ""
    if attribute := data.attributes.get(SURFACE_UVS):
        data.attributes.remove(attribute)
    if layer:
        write_vectors(data.attributes.new(SURFACE_UVS, "FLOAT2", "CURVE").data, "vector", roots)
    data.update_tag()
    copy.parent, copy.parent_type = obj, "OBJECT"
    copy.matrix_parent_inverse.identity()
    copy.matrix_basis.identity()
    for collection in obj.users_collection:
        collection.objects.link(copy)
    name = f"{old.name} on {obj.name}"
    before = earlier.find(copy, name, _state)
    earlier.replace(before, copy, name, _state)
    place = ", in place of the one that came over before" if before else ""
    unattached = "" if layer else f", not attached, as “{obj.name}” has no UV map"
    return f"Hair: “{copy.name}”, {len(hair.first)} strands{place}{unattached}."


def _state(curves: bpy.types.Object) -> str:
    """A digest of how hair is combed, and of its modifiers and materials."""
    points = read_floats(curves.data.attributes["position"].data, "vector", 3)
    modifiers = [f"{modifier.type} {modifier.name}" for modifier in curves.modifiers]
    materials = [material.name_full if material else "" for material in curves.data.materials]
    return earlier.digest([points.tobytes(), *modifiers, *materials])
