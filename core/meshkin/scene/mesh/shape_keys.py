"""Shape keys: read from one mesh as displacements of its shape at rest, written to another, with their drivers."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.names import cut
from ...data.snapshot import Snapshot
from .. import animation, drivers
from ..arrays import read_floats, write_vectors
from ..frames import offsets_to_local, offsets_to_world
from . import rest
from .snapshot import POSED_TOLERANCE, check_vertex_count, check_writable, nearest
from .vertex_groups import group_weights

_KEY_PATH = re.compile(r'key_blocks\["((?:\\.|[^"\\])*)"\]')
"""Begins the data path of a shape key's property."""
KEYFRAMES_PROPERTY = "meshkin_keyframes"
"""Custom property of an action of shape keys that came over from another object."""


@dataclass(frozen=True)
class ShapeKey:
    """A shape key.

    Attributes:
        name: its name.
        slider: the least and the greatest value of its slider.
        mute: it is switched off.
    """

    name: str
    slider: tuple[float, float]
    mute: bool


def read(obj: bpy.types.Object) -> list[ShapeKey]:
    """Each shape key except the basis."""
    keys = obj.data.shape_keys if obj.type == "MESH" else None
    if keys is None:
        return []
    return [
        ShapeKey(key.name, (key.slider_min, key.slider_max), key.mute)
        for key in keys.key_blocks
        if key != keys.reference_key and key.relative_key != key
    ]


def displacements(
    obj: bpy.types.Object, snapshot: Snapshot, names: Sequence[str], targets: Sequence[bpy.types.Object] = ()
) -> tuple[Snapshot, list[NDArray[np.float32]]]:
    """The shape of a snapshot at rest, and how far each of the shape keys moves its vertices, as :func:`offsets` says.

    To targets whose own meshes are made like the object's, keys go as they are below the modifiers that either may
    have: they are not evened out twice. Where modifiers make other vertices as soon as the object moves (Edge Split,
    Decimate), each vertex moves as the one of the object's own that lies there.

    Args:
        obj: the object.
        snapshot: of the object.
        names: of the keys.
        targets: the objects that are to get them.

    Raises InputError ``mesh-changed``, ``modifiers-in-the-way``.
    """
    own = rest.own_mesh_at_rest(obj, snapshot).vertices
    try:
        at_rest = rest.at_rest(obj, snapshot)
        below_modifiers = len(own) != len(snapshot.vertices) and _is_made_alike(obj, targets)
        moved = offsets(obj, snapshot, at_rest, names, below_modifiers)
    except InputError:
        owner = nearest(snapshot.vertices, snapshot.vertices[snapshot.original])
        apart = np.abs(snapshot.vertices - snapshot.vertices[snapshot.original[owner]]).max(initial=0)
        if apart > POSED_TOLERANCE * np.ptp(snapshot.vertices, axis=0).max(initial=0):
            raise
        return replace(snapshot, vertices=own[owner]), [moves[owner] for moves in _own_offsets(obj, names)]
    if below_modifiers:
        at_rest.vertices[snapshot.original] = own
    return at_rest, moved


def offsets(
    obj: bpy.types.Object,
    snapshot: Snapshot,
    at_rest: Snapshot,
    names: Sequence[str],
    below_modifiers: bool = False,
) -> list[NDArray[np.float32]]:
    """How far each of the shape keys moves each vertex of a snapshot at rest, along world axes: float32 (V, 3) each.

    A key moves as far as its vertex group lets it. Where modifiers make vertices (Mirror, Subdivision), these move as
    the modifiers let them, and so do the object's own, whose moves Subdivision and Multires even out.

    Args:
        obj: the object.
        snapshot: of the object.
        at_rest: the same, :func:`meshkin.scene.mesh.rest.at_rest`.
        names: of the keys.
        below_modifiers: whether the object's own vertices are to move as they do below the modifiers.

    Raises InputError ``mesh-changed``, ``modifiers-in-the-way``.
    """
    check_vertex_count(obj, len(snapshot.original))
    count = len(snapshot.vertices)
    of_own_vertices = np.array_equal(np.sort(snapshot.original), np.arange(count))
    if not of_own_vertices:
        moved = [rest.with_key_alone(obj, snapshot, name).vertices - at_rest.vertices for name in names]
        if not below_modifiers:
            return moved
    else:
        moved = [np.empty((count, 3), np.float32) for _ in names]
    for on_snapshot, own in zip(moved, _own_offsets(obj, names), strict=True):
        on_snapshot[snapshot.original] = own
    return moved


def _is_made_alike(obj: bpy.types.Object, targets: Sequence[bpy.types.Object]) -> bool:
    """Whether an object's own mesh has as many vertices, edges, faces and corners as those of the targets together."""
    sizes = [
        [len(each.data.vertices), len(each.data.edges), len(each.data.polygons), len(each.data.loops)]
        for each in (obj, *targets)
    ]
    return len(sizes) > 1 and np.array_equal(sizes[0], np.sum(sizes[1:], axis=0))


def _own_offsets(obj: bpy.types.Object, names: Sequence[str]) -> Iterator[NDArray[np.float32]]:
    """How far each of the shape keys moves each vertex of the object's own mesh, along world axes: (W, 3) each."""
    blocks = obj.data.shape_keys.key_blocks
    used_groups = {blocks[name].vertex_group for name in names}.intersection(obj.vertex_groups.keys())
    weights = group_weights(obj.data, len(obj.vertex_groups)) if used_groups else np.zeros((0, 0))
    factors = {name: weights[:, obj.vertex_groups[name].index, None] for name in used_groups}
    for name in names:
        own = factors.get(blocks[name].vertex_group, 1) * _offsets(blocks[name])
        yield offsets_to_world(obj, own).astype(np.float32)


def write(
    obj: bpy.types.Object,
    name: str,
    offsets: NDArray[np.floating],
    value: float | None = None,
    slider: tuple[float, float] = (0.0, 1.0),
    mute: bool = False,
) -> str:
    """Add a shape key, or replace the one of this name; returns a sentence about it.

    Other keys, and which one is active, stay.

    Args:
        obj: a mesh object.
        name: of the key.
        offsets: (W, 3), how far it moves the vertices of the own mesh, along world axes.
        value: of its slider; None for 0, or what it was.
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
    basis = obj.data.shape_keys.reference_key
    if basis.name == cut(name):  # a basis goes by any name; the key's drivers and keyframes are found by its own
        basis.name = "Basis" if basis.name != "Basis" else "Shape at rest"
    existing = obj.data.shape_keys.key_blocks.get(cut(name))
    key = existing or obj.shape_key_add(name=cut(name), from_mix=False)
    write_vectors(key.data, "co", _positions(basis) + local_offsets)
    key.relative_key, key.vertex_group = basis, ""
    key.slider_min, key.slider_max = slider
    key.mute = mute
    if value is not None or not existing:
        key.value = value or 0.0
    obj.data.update()
    return f"Shape key: “{key.name}”{', in place of the one that was there' if existing else ''}."


def copy_drivers(
    source: bpy.types.Object,
    target: bpy.types.Object,
    names: Collection[str],
    replacements: Mapping[bpy.types.ID, bpy.types.ID],
) -> list[str]:
    """Copy the drivers of shape keys that were carried; returns a sentence about them.

    Args:
        source, target: mesh objects.
        names: of the keys.
        replacements: what the drivers are to use instead of other data-blocks, besides the target for the source.
    """
    old, new = source.data.shape_keys, target.data.shape_keys
    blocks = {source: target, source.data: target.data, old: new, **replacements}
    driven: list[str] = []
    followed: set[str] = set()
    for driver in drivers.of(old):
        match = _KEY_PATH.match(driver.data_path)
        name = bpy.utils.unescape_identifier(match[1]) if match else ""
        if name in names and name in new.key_blocks:
            copied = drivers.copy(driver, new)
            drivers.redirect(copied, blocks)
            driven.append(name)
            targets = [each for variable in copied.driver.variables for each in variable.targets]
            followed.update(each.id.name for each in targets if each.id and each.id not in blocks.values())
    if not driven:
        return []
    where = f" (from “{'”, “'.join(sorted(followed))}”, as on the source)" if followed else ""
    return [f"Their drivers were carried{where}: {', '.join(dict.fromkeys(driven))}."]


def copy_keyframes(source: bpy.types.Object, target: bpy.types.Object) -> list[str]:
    """Let copies of the actions that animate the source's shape keys animate the target's; returns sentences.

    Those that came over before are replaced; keyframes that somebody else has made are left as they are.
    """
    old, new = source.data.shape_keys, target.data.shape_keys
    if not animation.has(old):
        return []
    before = animation.actions(new)
    if own := [action.name for action in before if KEYFRAMES_PROPERTY not in action]:
        return [
            f"The keyframes of the shape keys were not carried: “{target.name}” has its own (“{'”, “'.join(own)}”)."
        ]
    animation.clear(new)
    bpy.data.batch_remove([action for action in before if not action.users])
    copies: dict[bpy.types.Action, bpy.types.Action] = {}
    for action in animation.actions(old):
        copies[action] = action.copy()
        copies[action].name = cut(f"{action.name} on {target.name}")
        copies[action][KEYFRAMES_PROPERTY] = True
    animation.copy(old, new, copies.__getitem__)
    return [f"Their keyframes were carried: “{'”, “'.join(copy.name for copy in copies.values())}”."]


def redirect_drivers(obj: bpy.types.Object, replacements: Mapping[bpy.types.ID, bpy.types.ID]) -> None:
    """Let the drivers of an object's shape keys use other data-blocks."""
    for driver in drivers.of(obj.data.shape_keys):
        drivers.redirect(driver, replacements)


def _positions(key: bpy.types.ShapeKey) -> NDArray[np.float64]:
    return read_floats(key.data, "co", 3).astype(np.float64)


def _offsets(key: bpy.types.ShapeKey) -> NDArray[np.float64]:
    return _positions(key) - _positions(key.relative_key)
