"""Vertex groups: read as a matrix, written from one, and the armature that poses them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.sides import other_side
from ...data.snapshot import Snapshot
from .. import compat, objects
from ..mesh import attributes
from ..mesh.snapshot import check_writable, evaluated
from ..mesh.vertex_groups import group_weights

INPAINTED = "inpainted"
"""The attribute (with MeshKin's prefix) that is 1 where the last transfer inpainted weights."""


def armature_of(obj: bpy.types.Object) -> bpy.types.Object | None:
    """The armature that poses the object: its first Armature modifier's, else its parent's; None without one."""
    for modifier in obj.modifiers:
        if modifier.type == "ARMATURE" and modifier.object:
            return modifier.object
    parent = obj.parent
    return parent if parent and parent.type == "ARMATURE" and obj.parent_type == "ARMATURE" else None


GROUPS = ("deform", "all", "selected", "active")
"""Which groups are carried: of deforming bones (all where no armature poses the object), every one, of the bones
selected in the armature, or the active one."""


def chosen_groups(obj: bpy.types.Object, groups: str = "deform", pattern: str = "") -> list[str]:
    """Names of the object's vertex groups that are to be carried.

    Args:
        groups: one of :data:`GROUPS`.
        pattern: only names that fit it, as in ``DEF-*``, or several between spaces; "" for all.

    Raises:
        InputError: ``groups-unknown`` (no such choice), ``no-groups`` (there are none, or none is chosen).
    """
    if groups not in GROUPS:
        raise InputError("groups-unknown", f"“{groups}” is no choice of groups.", f"Choose from {', '.join(GROUPS)}.")
    names = [group.name for group in obj.vertex_groups]
    if not names:
        raise InputError("no-groups", f"“{obj.name}” has no vertex groups.", "Choose a source with weights.")
    armature = armature_of(obj)
    if groups == "deform":
        bones = armature.data.bones if armature else ()
        kept = [name for name in names if name in bones and bones[name].use_deform] or names
    elif groups == "selected":
        selected = compat.selected_bones(armature) if armature else set()
        kept = [name for name in names if name in selected]
    elif groups == "active":
        kept = [obj.vertex_groups.active.name] if obj.vertex_groups.active else []
    else:
        kept = names
    kept = [name for name in kept if not pattern or any(fnmatchcase(name, one) for one in pattern.split())]
    if not kept:
        raise InputError(
            "no-groups", f"None of the groups of “{obj.name}” is chosen.", "Choose others, or another name pattern."
        )
    return kept


def read(
    obj: bpy.types.Object, snapshot: Snapshot, names: Sequence[str] | None = None
) -> tuple[list[str], NDArray[np.float32]]:
    """The weights of the object's vertex groups as the modifiers leave them.

    Args:
        snapshot: of the object.
        names: of the groups; None for those of the deforming bones (:func:`chosen_groups`).

    Returns:
        the groups' names, and their weights float32 (V, B) on the snapshot's vertices, 0 where not assigned.

    Raises:
        InputError: ``no-groups`` when there are none; ``mesh-changed`` when the mesh has other vertices than the
            snapshot.
    """
    names = chosen_groups(obj) if names is None else list(names)
    number = {group.name: group.index for group in obj.vertex_groups}
    with evaluated(obj) as (_, mesh):
        if len(mesh.vertices) != len(snapshot.vertices):
            raise InputError("mesh-changed", f"“{obj.name}” was changed while the job ran.", "Run the job again.")
        weights = group_weights(mesh, len(number))
    return names, np.ascontiguousarray(weights[:, [number[name] for name in names]])


def write(
    obj: bpy.types.Object,
    names: Sequence[str],
    weights: NDArray[np.floating],
    limit: int = 4,
    mix: float = 1.0,
    mask: str = "",
    mirrored: bool = False,
) -> list[str]:
    """Create the groups, or replace what is in those of the same name; other and locked groups stay as they are.

    Groups without any weight are created too, so that the rig finds them. The weights of a vertex in the named groups
    sum to what is given, and to 1 where they are mixed; where a locked one holds weight, the others share the rest, and
    what they have next to it, where all was meant for the locked one.

    Args:
        names: of the groups, B.
        weights: (W, B) on the vertices of the object's own mesh; only positive ones are assigned.
        limit: a vertex keeps this many of its largest weights, those of locked groups included.
        mix: how much of the new weights is taken, 0 to 1; the rest are those that were there.
        mask: a vertex group of the object by which ``mix`` is multiplied; vertices outside stay as they are.
        mirrored: create the group of the other side, empty, for every one whose name has a side.

    Returns:
        sentences about what was and was not written.

    Raises:
        InputError: ``mesh-changed`` when W is not the number of vertices, ``mask-missing``, and as
            :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    if len(weights) != len(obj.data.vertices):
        raise InputError("mesh-changed", f"“{obj.name}” has other vertices now.", "Run the job again.")
    if mask and mask not in obj.vertex_groups:
        raise InputError("mask-missing", f"“{obj.name}” has no vertex group “{mask}”.", "Choose one that it has.")
    locked = [name for name in names if name in obj.vertex_groups and obj.vertex_groups[name].lock_weight]
    free = np.array([name not in locked and name != mask for name in names], bool)
    kept = [name for name, one in zip(names, free, strict=True) if one]
    share = np.full(len(weights), np.clip(mix, 0, 1))
    new = np.clip(np.nan_to_num(weights), 0, None).astype(np.float64)
    total = new.sum(axis=1)
    held = np.zeros_like(new[:, ~free])
    if locked or mask or mix < 1:
        before = group_weights(obj.data, len(obj.vertex_groups))
        number = [obj.vertex_groups[name].index if name in obj.vertex_groups else -1 for name in names]
        old = np.where(np.array(number) >= 0, before[:, number], 0) if before.shape[1] else np.zeros_like(new)
        share *= before[:, obj.vertex_groups[mask].index] if mask else 1
        held, total = old[:, ~free], (total > 0).astype(np.float64)
        # Where nothing was, there is nothing to mix with.
        kept_share = np.where(old[:, free].any(axis=1), 1 - share, 0)[:, None]
        new = (1 - kept_share) * _shares(new) + kept_share * _shares(np.where(free, old, 0))
    # What a locked group holds is not for the others to give away.
    room = np.clip(total - held.sum(axis=1), 0, None)
    new = _shares(new[:, free])
    if locked:
        _fill(new, total > 0, obj.data)
    new = room[:, None] * _shares(_largest(new, limit - (held > 0).sum(axis=1)))
    touched = np.flatnonzero(share > 0)
    replaced, empty = _assign(obj, kept, new, touched)
    others = [group.name for group in obj.vertex_groups if group.name not in names]
    added = []
    for name in map(other_side, kept) if mirrored else ():
        if name not in obj.vertex_groups:
            added.append(obj.vertex_groups.new(name=name).name)
    obj.data.update()
    said = [f"Weights: {len(kept)} groups, at most {limit} to a vertex."]
    if len(touched) < len(weights):
        said.append(f"{len(weights) - len(touched)} of {len(weights)} vertices are masked and stay as they were.")
    for text, listed in (
        ("Replaced" if mix >= 1 and not mask else f"Mixed with what was there ({mix:.0%})", replaced),
        ("Locked, left as they were", locked),
        ("Without any weight", empty),
        ("Empty, for the other side", added),
        ("Other groups, left as they were", others),
    ):
        if listed:
            said.append(f"{text}: {', '.join(listed)}.")
    return said


def select(obj: bpy.types.Object, vertices: NDArray[np.bool_]) -> None:
    """Select these vertices of the object's own mesh, (W,), and nothing else.

    Raises InputError ``mesh-changed``, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    mesh = obj.data
    if len(vertices) != len(mesh.vertices):
        raise InputError("mesh-changed", f"“{obj.name}” has other vertices now.", "Run the job again.")
    objects.select_vertices(mesh, vertices)


def inpainted(obj: bpy.types.Object) -> NDArray[np.bool_]:
    """The vertices (W,) of the object's own mesh whose weights were inpainted by the last transfer.

    Raises InputError ``no-inpainted`` when weights were never transferred to it.
    """
    values = attributes.point_values(obj, INPAINTED)
    if values is None:
        raise InputError(
            "no-inpainted", f"No weights were transferred to “{obj.name}” yet.", "Transfer weights to it first."
        )
    return values > 0.5


def _assign(
    obj: bpy.types.Object, names: Sequence[str], weights: NDArray[np.floating], touched: NDArray[np.integer]
) -> tuple[list[str], list[str]]:
    """Write the touched vertices' rows; the names of groups that were there, and of those without any weight."""
    replaced, empty = [], []
    indices = touched.tolist()
    for name, column in zip(names, weights[touched].T, strict=True):
        group = obj.vertex_groups.get(name)
        if group:
            group.remove(indices)
            replaced.append(name)
        else:
            group = obj.vertex_groups.new(name=name)
        assigned = np.flatnonzero(column > 0)
        if not len(assigned):
            empty.append(name)
        # One call each keeps every weight exact, and is as fast as collecting those that are equal.
        for index, weight in zip(touched[assigned].tolist(), column[assigned].tolist(), strict=True):
            group.add((index,), weight, "REPLACE")
    return replaced, empty


def bind(obj: bpy.types.Object, armature: bpy.types.Object) -> None:
    """Let the armature pose the object: make it the parent, keeping the object where it is, and put an Armature
    modifier first in the stack, or use the one that is there.

    Raises InputError as :func:`meshkin.scene.mesh.snapshot.check_writable`, and ``not-an-armature``.
    """
    check_writable(obj)
    if armature.type != "ARMATURE":
        raise InputError("not-an-armature", f"“{armature.name}” is not an armature.", "Choose an armature.")
    objects.set_parent(obj, armature)
    modifier = next((one for one in obj.modifiers if one.type == "ARMATURE"), None)
    if modifier is None:
        modifier = obj.modifiers.new("Armature", "ARMATURE")
        obj.modifiers.move(len(obj.modifiers) - 1, 0)
    modifier.object, modifier.use_vertex_groups = armature, True


FLAGS = ("use_bone_envelopes", "use_deform_preserve_volume", "use_multi_modifier")
"""What an Armature modifier is told besides its armature."""


def copy_modifier_flags(obj: bpy.types.Object, like: bpy.types.Object) -> list[str]:
    """Give the object's Armature modifier the envelopes and Preserve Volume of another's, where both have one.

    Returns sentences about what was changed.
    """
    one, two = (next((m for m in each.modifiers if m.type == "ARMATURE"), None) for each in (obj, like))
    if one is None or two is None:
        return []
    changed = [flag for flag in FLAGS if getattr(one, flag) != getattr(two, flag)]
    for flag in changed:
        setattr(one, flag, getattr(two, flag))
    labels = [one.bl_rna.properties[flag].name for flag in changed]
    return [f"As on “{like.name}”: {', '.join(labels)} of the Armature modifier."] if labels else []


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows that sum to 1, or are all zero."""
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


def _fill(rows: NDArray[np.float64], wanted: NDArray[np.bool_], mesh: bpy.types.Mesh) -> None:
    """Give wanted rows (V, B) that are all zero the mean of their neighbors' along edges, from the border inwards."""
    ends = np.empty(len(mesh.edges) * 2, np.int32)
    mesh.edges.foreach_get("vertices", ends)
    one, two = np.concatenate((ends.reshape(-1, 2), ends.reshape(-1, 2)[:, ::-1])).T
    known = np.asarray(rows.any(axis=1))
    while len(border := np.flatnonzero(wanted[one] & ~known[one] & known[two])):
        np.add.at(rows, one[border], rows[two[border]])
        reached = np.unique(one[border])
        known[reached] = True
        rows[reached] = _shares(rows[reached])


def _largest(weights: NDArray[np.float64], limits: NDArray[np.integer]) -> NDArray[np.float64]:
    """Rows (V, B) with all but their largest values set to zero; ``limits`` (V,) are kept, one at least."""
    order = np.argsort(-weights, axis=1, kind="stable")
    kept = np.zeros_like(weights)
    least = np.arange(weights.shape[1]) < np.maximum(limits, 1)[:, None]
    np.put_along_axis(kept, order, np.where(least, np.take_along_axis(weights, order, axis=1), 0), axis=1)
    return kept
