"""Hair curves that grow on a mesh: read, and written as new ones on another mesh."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..objects import Handle
from .snapshot import check_writable

ATTACHED = "surface_uv_coordinate"
"""Blender's attribute that says where on its surface's UV map a strand is rooted."""


@dataclass(frozen=True)
class Hair:
    """One hair object.

    Attributes:
        handle: of the object.
        points: float32 (P, 3), strand after strand, world axes about the origin of what it grows on.
        first: int64 (N,), the number of each strand's first point.
    """

    handle: Handle
    points: NDArray[np.float32]
    first: NDArray[np.int64]


def growing_on(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The hair objects whose surface is this mesh, or that are parented to it; those without a strand left out."""
    return [
        one
        for one in bpy.data.objects
        if one.type == "CURVES" and obj in (one.data.surface, one.parent) and len(one.data.curves)
    ]


def read(obj: bpy.types.Object) -> list[Hair]:
    """The strands of the hair objects that grow on a mesh, as they were combed (without modifiers)."""
    found = []
    for one in growing_on(obj):
        points = np.empty(len(one.data.points) * 3, np.float32)
        one.data.attributes["position"].data.foreach_get("vector", points)
        first = np.empty(len(one.data.curves), np.int32)
        one.data.curves.foreach_get("first_point_index", first)
        matrix = np.array(one.matrix_world, np.float64)
        around = (
            points.reshape(-1, 3).astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3] - obj.matrix_world.translation
        )
        found.append(Hair(Handle.of(one), around.astype(np.float32), first.astype(np.int64)))
    return found


def write(obj: bpy.types.Object, hair: Hair, points: NDArray[np.floating], roots: NDArray[np.floating]) -> str:
    """Copy a hair object onto a mesh, its points (P, 3), world axes about the mesh's origin, and roots' UVs (N, 2) new;
    says what was done.

    The copy has the materials, attributes and modifiers of the hair that is read; that stays as it is.

    Raises InputError ``object-gone``, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    old = hair.handle.get()
    copy, data = old.copy(), old.data.copy()
    copy.data = data
    copy.name = data.name = f"{old.name} on {obj.name}"
    local = np.asarray(points, np.float64) @ np.linalg.pinv(np.array(obj.matrix_world, np.float64)[:3, :3]).T
    data.attributes["position"].data.foreach_set("vector", local.astype(np.float32).ravel())
    data.surface = obj
    layer = next((layer for layer in obj.data.uv_layers if layer.active_render), None)
    data.surface_uv_map = layer.name if layer else ""
    if there := data.attributes.get(ATTACHED):
        data.attributes.remove(there)
    if layer:
        data.attributes.new(ATTACHED, "FLOAT2", "CURVE").data.foreach_set(
            "vector", np.ascontiguousarray(roots, np.float32).ravel()
        )
    data.update_tag()
    copy.parent, copy.parent_type = obj, "OBJECT"
    copy.matrix_parent_inverse.identity()
    copy.matrix_basis.identity()
    for collection in obj.users_collection:
        collection.objects.link(copy)
    unattached = "" if layer else f", not attached, as “{obj.name}” has no UV map"
    return f"Hair: “{copy.name}”, {len(hair.first)} strands{unattached}."
