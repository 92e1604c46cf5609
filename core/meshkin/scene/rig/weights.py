"""The weights of vertex groups: read as a matrix, written from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError, OptionError
from ...base.names import cut
from ...base.sides import other_side
from ...data.snapshot import Snapshot
from ...transfer.weights.options import GROUP_CHOICES
from .. import compat, objects
from ..mesh import attributes
from ..mesh.snapshot import check_same_vertices, check_vertex_count, check_writable, evaluated
from ..mesh.vertex_groups import group_weights
from .binding import armatures_of
from .weight_mixing import mixed_weights

INPAINTED = "inpainted"
"""The attribute (with MeshKin's prefix) that is 1 where the last transfer inpainted weights."""
_EMPTY = "Without any weight"
_GROUP_NAMES = tuple(choice.value for choice in GROUP_CHOICES)


def chosen_groups(obj: bpy.types.Object, choice: str = "deform", pattern: str = "") -> list[str]:
    """Names of the object's vertex groups that are to be carried over.

    Args:
        obj: the object.
        choice: one of :data:`meshkin.transfer.weights.options.GROUP_CHOICES`.
        pattern: only names that match it, such as ``DEF-*``, or several patterns between spaces; "" for all.

    Raises:
        OptionError: ``groups-unknown`` (no such choice).
        InputError: ``no-groups`` (there are none, or none is chosen).
    """
    if choice not in _GROUP_NAMES:
        raise OptionError(
            "groups-unknown",
            f"There is no choice of groups called “{choice}”.",
            f"Choose from {', '.join(_GROUP_NAMES)}.",
        )
    names = [group.name for group in obj.vertex_groups]
    if not names:
        raise InputError("no-groups", f"“{obj.name}” has no vertex groups.", "Choose a source with weights.")
    armatures = armatures_of(obj)
    if choice == "deform":
        chosen = deforming_groups(obj)
    elif choice == "selected":
        selected: set[str] = set().union(*map(compat.selected_bones, armatures))
        chosen = [name for name in names if name in selected]
    elif choice == "active":
        chosen = [obj.vertex_groups.active.name] if obj.vertex_groups.active else []
    else:
        chosen = names
    if pattern:
        chosen = [name for name in chosen if any(fnmatchcase(name, part) for part in pattern.split())]
    if not chosen:
        raise InputError(
            "no-groups", f"None of the groups of “{obj.name}” is chosen.", "Choose others, or another name pattern."
        )
    return chosen


def deforming_groups(obj: bpy.types.Object) -> list[str]:
    """Names of the object's vertex groups of deforming bones; all if there are none."""
    names = [group.name for group in obj.vertex_groups]
    deforming = {bone.name for armature in armatures_of(obj) for bone in armature.data.bones if bone.use_deform}
    return [name for name in names if name in deforming] or names


def check_weighted(obj: bpy.types.Object, names: Sequence[str]) -> None:
    """Raise InputError ``no-weights`` if no vertex has a weight in any of these groups of an object."""
    numbers = {obj.vertex_groups[name].index for name in names}
    with evaluated(obj) as (_, mesh):
        if not any(one.group in numbers and one.weight > 0 for vertex in mesh.vertices for one in vertex.groups):
            raise InputError(
                "no-weights",
                f"The chosen groups of “{obj.name}” hold no weights.",
                "Choose other groups, or paint them.",
            )


def read(
    obj: bpy.types.Object, snapshot: Snapshot, names: Sequence[str] | None = None
) -> tuple[list[str], NDArray[np.float32]]:
    """The weights of the object's vertex groups as the modifiers leave them.

    Args:
        obj: the object.
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
        check_same_vertices(obj, mesh, snapshot)
        weights = group_weights(mesh, len(number))
    return names, np.ascontiguousarray(weights[:, [number[name] for name in names]])


@dataclass(frozen=True)
class WrittenGroups:
    """What :func:`write` did to one mesh.

    Attributes:
        names: of the groups that it wrote.
        limit: weights to a vertex, at most.
        masked: number of vertices that stay as they were.
        vertices: number of all.
        groups: names of groups by what there is to say about them.
    """

    names: list[str]
    limit: int
    masked: int
    vertices: int
    groups: dict[str, list[str]]


def of_bones(obj: bpy.types.Object, snapshot: Snapshot, columns: Mapping[str, int]) -> NDArray[np.float32]:
    """The weights float32 (V, B) of an object's deforming bones; one that hangs on a bone follows that alone.

    Args:
        obj: the object.
        snapshot: of the object.
        columns: of each bone.

    Raises:
        InputError: ``mesh-changed``, as :func:`read`.
    """
    values = np.zeros((len(snapshot.vertices), len(columns)), np.float32)
    if obj.parent_type == "BONE" and obj.parent_bone in columns:
        values[:, columns[obj.parent_bone]] = 1
        return values
    names = [name for name in deforming_groups(obj) if name in columns]
    if names:
        values[:, [columns[name] for name in names]] = read(obj, snapshot, names)[1]
    return values


def write(
    obj: bpy.types.Object,
    names: Sequence[str],
    weights: NDArray[np.floating],
    limit: int = 4,
    mix: float = 1.0,
    mask: str = "",
    mirrored: bool = False,
) -> WrittenGroups:
    """Create vertex groups, or replace the weights of groups of the same name; others and locked ones are not changed.

    Groups without any weight are created too, so that the rig finds them. How new weights are combined with existing
    ones is described at :func:`meshkin.scene.rig.weight_mixing.mixed_weights`.

    Args:
        obj: a mesh object.
        names: of the groups, B.
        weights: (W, B) on the vertices of the object's own mesh; only positive ones are assigned.
        limit: a vertex keeps this many of its largest weights, those of locked groups included.
        mix: how much of the new weights is taken, 0 to 1; the rest are the existing ones.
        mask: a vertex group of the object by which ``mix`` is multiplied; vertices outside it are not changed.
        mirrored: for every group whose name has a side, create the group of the other side, empty.

    Raises:
        InputError: ``mesh-changed`` when W is not the number of vertices, ``mask-missing``, and as
            :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    check_vertex_count(obj, len(weights))
    if mask and mask not in obj.vertex_groups:
        raise InputError("mask-missing", f"“{obj.name}” has no vertex group “{mask}”.", "Choose one that it has.")
    locked = [name for name in names if name in obj.vertex_groups and obj.vertex_groups[name].lock_weight]
    is_free = np.array([name not in locked and name != mask for name in names], bool)
    free_names = [name for name, free in zip(names, is_free, strict=True) if free]
    share = np.full(len(weights), np.clip(mix, 0, 1), np.float64)
    existing = None
    if locked or mask or mix < 1:
        all_existing = group_weights(obj.data, len(obj.vertex_groups))
        existing = _columns(obj, names, all_existing)
        share *= all_existing[:, obj.vertex_groups[mask].index] if mask else 1
    edges = attributes.own_edges(obj) if locked else None
    new = mixed_weights(weights, existing, is_free, share, limit, edges)
    touched = np.flatnonzero(share > 0)
    replaced, empty = _assign(obj, free_names, new, touched)
    others = [group.name for group in obj.vertex_groups if group.name not in names]
    groups = {
        "Replaced" if mix >= 1 and not mask else f"Mixed with what was there ({mix:.0%})": replaced,
        "Locked, left as they were": locked,
        _EMPTY: empty,
        "Empty, for the other side": _add_other_sides(obj, free_names) if mirrored else [],
        "Other groups, left as they were": others,
    }
    obj.data.update()
    return WrittenGroups(free_names, limit, len(weights) - len(touched), len(weights), groups)


def sentences(written: Sequence[WrittenGroups]) -> list[str]:
    """What was and was not written to the meshes of a character: each group once, as empty if it is so on all."""
    names = dict.fromkeys(name for each in written for name in each.names)
    told = [f"Weights: {len(names)} groups, at most {written[0].limit} to a vertex."]
    if masked := sum(each.masked for each in written):
        total = sum(each.vertices for each in written)
        told.append(f"{masked} of {total} vertices are masked and stay as they were.")
    for label in dict.fromkeys(label for each in written for label in each.groups):
        listed = dict.fromkeys(name for each in written for name in each.groups.get(label, ()))
        if label == _EMPTY:
            listed = {name: None for name in listed if all(name in each.groups[label] for each in written)}
        if listed:
            told.append(f"{label}: {', '.join(listed)}.")
    return told


def select(obj: bpy.types.Object, vertices: NDArray[np.bool_]) -> None:
    """Select these vertices (W,) of the object's own mesh, and nothing else.

    Raises InputError ``mesh-changed``, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    check_vertex_count(obj, len(vertices))
    objects.select_vertices(obj.data, vertices)


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


def _columns(obj: bpy.types.Object, names: Sequence[str], weights: NDArray[np.float32]) -> NDArray[np.floating]:
    """The weights (W, B) in the named groups, of those in all groups (W, G); 0 for groups that do not exist."""
    if not weights.shape[1]:
        return np.zeros((len(weights), len(names)))
    index = np.array([obj.vertex_groups[name].index if name in obj.vertex_groups else -1 for name in names])
    return np.where(index >= 0, weights[:, index], 0)


def _assign(
    obj: bpy.types.Object, names: Sequence[str], weights: NDArray[np.floating], touched: NDArray[np.integer]
) -> tuple[list[str], list[str]]:
    """Write the weights (W, B) of the touched vertices, whose old weights in these groups are removed.

    Returns:
        the names of groups that existed before, and of groups without any weight.
    """
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
        # One call for each vertex keeps every weight exact, and is as fast as collecting equal weights.
        for index, weight in zip(touched[assigned].tolist(), column[assigned].tolist(), strict=True):
            group.add((index,), weight, "REPLACE")
    return replaced, empty


def _add_other_sides(obj: bpy.types.Object, names: Sequence[str]) -> list[str]:
    """Create the empty groups of the other side that do not exist; returns their names.

    Where such a name would be too long, no bone can have it either.
    """
    missing = [name for name in map(other_side, names) if name not in obj.vertex_groups and name == cut(name)]
    return [obj.vertex_groups.new(name=name).name for name in dict.fromkeys(missing)]
