"""Shapes at rest: where the vertices lie before armatures, shape keys and other deformers move them.

Shape keys, hair and bones belong to the shape at rest, whatever pose the object is in while they are transferred.
"""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ..arrays import read_floats
from ..frames import mirrors
from .resting import Change, is_moved, mute_keys, put_at_rest, remove_armatures, unpose
from .snapshot import (
    POSED_TOLERANCE,
    SHAPE_PROPERTY,
    check_vertex_count,
    evaluated,
    is_same_shape,
    known,
    own_mesh,
    take,
    taken,
)

DEFORMERS = frozenset(
    (
        *("ARMATURE", "CAST", "CURVE", "DISPLACE", "HOOK", "LAPLACIANDEFORM", "LATTICE", "MESH_DEFORM", "SHRINKWRAP"),
        *("SIMPLE_DEFORM", "SMOOTH", "CORRECTIVE_SMOOTH", "LAPLACIANSMOOTH", "SURFACE_DEFORM", "WARP", "WAVE"),
        *("VOLUME_DISPLACE", "MESH_CACHE", "MESH_SEQUENCE_CACHE", "CLOTH", "SOFT_BODY"),
    )
)
"""Modifiers that move vertices and make none."""


def take_at_rest(obj: bpy.types.Object, shown: Snapshot | None = None) -> Snapshot:
    """The object's shape at rest, which features and matches are of: as no armature, bone and shape key moves it.

    So an object stays matched whatever pose it is in. Its vertices and triangles are those of :func:`take`. An object
    whose modifiers make others as soon as it moves (Decimate, Remesh) has no such shape: it is taken as it is.

    Args:
        obj: the object.
        shown: what :func:`take` has returned for it just now, if it is known.

    Raises:
        InputError: as :func:`take`.
    """
    shown = take(obj) if shown is None else shown
    if not is_moved(obj):
        return shown
    shape = taken(obj, put_at_rest)
    return known(obj, shape) if np.array_equal(shape.faces, shown.faces) else shown


def keep_shape(obj: bpy.types.Object, before: Snapshot) -> None:
    """Note that an object is still the shape that it was at rest, if it is but for rounding errors.

    A new parent or armature moves vertices by these, and the object's features and matches would not be its any more.
    """
    now = take_at_rest(obj)
    if now.key != before.key and is_same_shape(now, before):
        obj[SHAPE_PROPERTY] = [now.own_key, before.key]


def unposed(obj: bpy.types.Object, snapshot: Snapshot) -> Snapshot:
    """The snapshot as it would be if no armature posed the object; raises InputError ``modifiers-in-the-way``."""
    return _moved(obj, snapshot, unpose)


def is_posed(obj: bpy.types.Object, snapshot: Snapshot) -> bool:
    """Whether an armature poses the object otherwise than at rest, to :data:`POSED_TOLERANCE`."""
    try:
        moved = np.abs(unposed(obj, snapshot).vertices - snapshot.vertices).max(initial=0)
    except InputError:
        return True
    return bool(moved > POSED_TOLERANCE * np.ptp(snapshot.vertices, axis=0).max())


def at_rest(obj: bpy.types.Object, snapshot: Snapshot) -> Snapshot:
    """The snapshot without all that only moves vertices, shape keys included.

    Raises InputError ``modifiers-in-the-way``.
    """
    return _moved(obj, snapshot, _remove_deformers)


def with_key_alone(obj: bpy.types.Object, snapshot: Snapshot, key: str) -> Snapshot:
    """The shape :func:`at_rest` with one shape key at its full value, as far as its vertex group lets it."""

    def change(copy: bpy.types.Object) -> None:
        _remove_deformers(copy)
        block = copy.data.shape_keys.key_blocks[key]
        block.mute, block.slider_min, block.slider_max, block.value = False, 0, 1, 1

    return _moved(obj, snapshot, change)


def own_mesh_at_rest(obj: bpy.types.Object, snapshot: Snapshot) -> Snapshot:
    """The object's own mesh as it was modeled: without modifiers and shape keys; raises InputError ``mesh-changed``."""
    return _own(obj, snapshot, mute_keys)


def own_mesh_unposed(obj: bpy.types.Object, snapshot: Snapshot, without: str = "") -> Snapshot:
    """The object's own mesh with its shape keys, of which one can be left out, but without modifiers.

    Raises InputError ``mesh-changed``.
    """

    def change(copy: bpy.types.Object) -> None:
        keys = copy.data.shape_keys
        if keys and without in keys.key_blocks and keys.key_blocks[without] != keys.reference_key:
            keys.key_blocks[without].mute = True

    return _own(obj, snapshot, change)


def _own(obj: bpy.types.Object, snapshot: Snapshot, change: Change) -> Snapshot:
    def all_changes(copy: bpy.types.Object) -> None:
        copy.modifiers.clear()
        remove_armatures(copy)
        change(copy)

    check_vertex_count(obj, len(snapshot.original))
    return own_mesh(obj, _evaluated_vertices(obj, all_changes)[0], snapshot.location, mirrors(obj))


def _moved(obj: bpy.types.Object, snapshot: Snapshot, change: Change) -> Snapshot:
    """The snapshot with the vertices that the object has after a change."""
    vertices, location = _evaluated_vertices(obj, change)
    if len(vertices) != len(snapshot.vertices):
        raise InputError(
            "modifiers-in-the-way",
            f"The modifiers of “{obj.name}” make other vertices as soon as it moves.",
            "Switch Decimate, Remesh, Weld or the like off in the viewport for the transfer.",
        )
    return replace(snapshot, vertices=vertices, location=location)


def _evaluated_vertices(obj: bpy.types.Object, change: Change) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The vertices of the object as it is evaluated after a change, float32 (V, 3), in its snapshot frame, and the
    origin of that frame in the world, float64 (3,)."""
    with evaluated(obj, change=change) as (evaluated_object, mesh):
        matrix = np.array(evaluated_object.matrix_world, np.float64)
        vertices = np.einsum("vd,ed->ve", read_floats(mesh.vertices, "co", 3), matrix[:3, :3]).astype(np.float32)
        return vertices, matrix[:3, 3].copy()


def _remove_deformers(copy: bpy.types.Object) -> None:
    remove_armatures(copy)
    for modifier in [each for each in copy.modifiers if each.type in DEFORMERS]:
        copy.modifiers.remove(modifier)
    mute_keys(copy)
