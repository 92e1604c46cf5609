"""Vertex groups: read as a matrix, written from one, and the armature that poses them."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..snapshot import Snapshot
from .snapshot import check_writable, evaluated


def armature_of(obj: bpy.types.Object) -> bpy.types.Object | None:
    """The armature that poses the object: its first Armature modifier's, else its parent's; None without one."""
    for modifier in obj.modifiers:
        if modifier.type == "ARMATURE" and modifier.object:
            return modifier.object
    parent = obj.parent
    return parent if parent and parent.type == "ARMATURE" and obj.parent_type == "ARMATURE" else None


def read(obj: bpy.types.Object, snapshot: Snapshot) -> tuple[list[str], NDArray[np.float32]]:
    """The weights of the object's vertex groups as the modifiers leave them.

    Where an armature poses the object only groups of its deforming bones count, unless there are none of them.

    Returns:
        the groups' names, and their weights float32 (V, B) on the snapshot's vertices, 0 where not assigned.

    Raises:
        InputError: ``no-groups`` when there are none; ``mesh-changed`` when the mesh has other vertices than the
            snapshot.
    """
    names = [group.name for group in obj.vertex_groups]
    if not names:
        raise InputError("no-groups", f"“{obj.name}” has no vertex groups.", "Choose a source with weights.")
    vertices: list[int] = []
    groups: list[int] = []
    values: list[float] = []
    with evaluated(obj) as (_, mesh):
        if len(mesh.vertices) != len(snapshot.vertices):
            raise InputError("mesh-changed", f"“{obj.name}” was changed while the job ran.", "Run the job again.")
        # Blender gives out assignments one by one only. (Copying them to attributes with geometry nodes, which can
        # be read at once, takes as long.)
        for index, vertex in enumerate(mesh.vertices):
            for assignment in vertex.groups:
                vertices.append(index)
                groups.append(assignment.group)
                values.append(assignment.weight)
    weights = np.zeros((len(snapshot.vertices), max([len(names), *(group + 1 for group in set(groups))])), np.float32)
    weights[vertices, groups] = values
    armature = armature_of(obj)
    bones = armature.data.bones if armature else ()
    chosen = [index for index, name in enumerate(names) if name in bones and bones[name].use_deform]
    chosen = chosen or list(range(len(names)))
    return [names[index] for index in chosen], np.ascontiguousarray(weights[:, chosen])


def write(obj: bpy.types.Object, names: Sequence[str], weights: NDArray[np.floating], limit: int = 4) -> list[str]:
    """Create the groups, or replace what is in those of the same name; other and locked groups stay as they are.

    Groups without any weight are created too, so that the rig finds them.

    Args:
        names: of the groups, B.
        weights: (W, B) on the vertices of the object's own mesh; only positive ones are assigned.
        limit: a vertex keeps this many of its largest weights, scaled so that their sum stays.

    Returns:
        sentences about what was and was not written.

    Raises:
        InputError: ``mesh-changed`` when W is not the number of vertices, and as
            :func:`meshkin.scene.snapshot.check_writable`.
    """
    check_writable(obj)
    if len(weights) != len(obj.data.vertices):
        raise InputError("mesh-changed", f"“{obj.name}” has other vertices now.", "Run the job again.")
    weights = _limited(np.nan_to_num(weights), limit)
    everyone = range(len(weights))
    locked, replaced, empty = [], [], []
    for name, column in zip(names, weights.T, strict=True):
        group = obj.vertex_groups.get(name)
        if group and group.lock_weight:
            locked.append(name)
            continue
        if group:
            group.remove(everyone)
            replaced.append(name)
        else:
            group = obj.vertex_groups.new(name=name)
        assigned = np.flatnonzero(column > 0)
        if not len(assigned):
            empty.append(name)
        # One call each keeps every weight exact, and is as fast as collecting those that are equal.
        for index, weight in zip(assigned.tolist(), column[assigned].tolist(), strict=True):
            group.add((index,), weight, "REPLACE")
    obj.data.update()
    others = [group.name for group in obj.vertex_groups if group.name not in names]
    said = [f"Weights: {len(names) - len(locked)} groups, at most {limit} to a vertex."]
    for text, listed in (
        ("Replaced", replaced),
        ("Locked, left as they were", locked),
        ("Without any weight", empty),
        ("Other groups, left as they were", others),
    ):
        if listed:
            said.append(f"{text}: {', '.join(listed)}.")
    return said


def bind(obj: bpy.types.Object, armature: bpy.types.Object) -> None:
    """Let the armature pose the object: make it the parent, keeping the object where it is, and put an Armature
    modifier first in the stack, or use the one that is there.

    Raises InputError as :func:`meshkin.scene.snapshot.check_writable`, and ``not-an-armature``.
    """
    check_writable(obj)
    if armature.type != "ARMATURE":
        raise InputError("not-an-armature", f"“{armature.name}” is not an armature.", "Choose an armature.")
    matrix = obj.matrix_world.copy()
    obj.parent, obj.parent_type, obj.parent_bone = armature, "OBJECT", ""
    obj.matrix_parent_inverse = armature.matrix_world.inverted_safe()
    obj.matrix_world = matrix
    modifier = next((one for one in obj.modifiers if one.type == "ARMATURE"), None)
    if modifier is None:
        modifier = obj.modifiers.new("Armature", "ARMATURE")
        obj.modifiers.move(len(obj.modifiers) - 1, 0)
    modifier.object, modifier.use_vertex_groups = armature, True


def _limited(weights: NDArray[np.floating], limit: int) -> NDArray[np.float64]:
    """Keep each row's ``limit`` largest weights and the row's sum."""
    kept: NDArray[np.float64] = np.clip(weights, 0, None).astype(np.float64)
    if kept.shape[1] > limit:
        before = kept.sum(axis=1, keepdims=True)
        small = np.argpartition(kept, -limit, axis=1)[:, :-limit]
        np.put_along_axis(kept, small, 0, axis=1)
        after = kept.sum(axis=1, keepdims=True)
        kept *= np.divide(before, after, out=np.ones_like(before), where=after > 0)
    return kept
