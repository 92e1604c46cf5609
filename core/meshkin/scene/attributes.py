"""Values on a mesh's vertices and corners: read from the evaluated mesh, written to the object's own.

Everything MeshKin itself adds is named with :data:`PREFIX`; attributes carried over from another mesh keep the name
they have there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..snapshot import Snapshot
from .snapshot import check_writable, evaluated

PREFIX = "meshkin_"
COLOUR = PREFIX + "color"
"""The attribute that shows features as colours."""
CHANNELS = 16
"""Most PCA channels written."""
NAME_BYTES = 63
"""Longest name that every supported version takes, UTF-8."""

_LAYOUT = {
    "FLOAT": ("value", 1),
    "FLOAT2": ("vector", 2),
    "FLOAT_VECTOR": ("vector", 3),
    "FLOAT_COLOR": ("color", 4),
    "BYTE_COLOR": ("color", 4),
}
"""Types that can be interpolated: the property that holds the value, and its length. Colours are scene linear."""
_BUILT_IN = ("position", "rest_position", "custom_normal", "crease_vert", "bevel_weight_vert")
"""Attributes of these types that belong to Blender, not to the user."""


@dataclass(frozen=True)
class Attribute:
    """One attribute of a mesh, on the vertices of its snapshot.

    Attributes:
        name: as on the mesh.
        type: Blender's: FLOAT, FLOAT2, FLOAT_VECTOR, FLOAT_COLOR or BYTE_COLOR.
        values: float32 (V, C) with 1, 2, 3, 4 or 4 channels; colours are scene linear with straight alpha.
    """

    name: str
    type: str
    values: NDArray[np.float32]


def write(obj: bpy.types.Object, name: str, values: NDArray[np.generic]) -> None:
    """Write ``meshkin_<name>`` on the vertices of the object's own mesh, in place of one that is there.

    Args:
        name: without the prefix.
        values: (W,) integer or floating, (W, 3) vectors or (W, 4) scene-linear colours, W the mesh's own vertices.

    Raises:
        InputError: ``mesh-changed`` when W is another, and as :func:`meshkin.scene.snapshot.check_writable`.
    """
    if values.ndim == 1:
        kind = "INT" if np.issubdtype(values.dtype, np.integer) else "FLOAT"
    else:
        kind = {3: "FLOAT_VECTOR", 4: "FLOAT_COLOR"}[values.shape[1]]
    _write(obj, PREFIX + name, kind, values)


def point_values(obj: bpy.types.Object, name: str) -> NDArray[np.float32] | None:
    """The values of the number attribute ``meshkin_<name>`` on the object's own vertices, or None without one."""
    there = obj.data.attributes.get(PREFIX + name) if obj.type == "MESH" else None
    if there is None or there.domain != "POINT" or there.data_type != "FLOAT":
        return None
    values = np.empty(len(there.data), np.float32)
    there.data.foreach_get("value", values)
    return values


def write_features(
    obj: bpy.types.Object,
    colours: NDArray[np.floating],
    channels: NDArray[np.floating],
    views_seen: NDArray[np.integer],
    confidence: NDArray[np.floating],
) -> None:
    """Write what shows an object's features, W the mesh's own vertices.

    Args:
        colours: (W, 3) in [0, 1], scene linear: ``meshkin_color``.
        channels: (W, K), the first 16: ``meshkin_pca_00`` and on; channels of an earlier run beyond K go.
        views_seen: (W,): ``meshkin_views``.
        confidence: (W,): ``meshkin_confidence``.

    Raises:
        InputError: as :func:`write`.
    """
    opaque = np.ones((len(colours), 1), np.float32)
    write(obj, "color", np.hstack((colours.astype(np.float32), opaque)))
    for index in range(CHANNELS):
        name = f"pca_{index:02d}"
        if index < channels.shape[1]:
            write(obj, name, channels[:, index])
        elif stale := obj.data.attributes.get(PREFIX + name):
            obj.data.attributes.remove(stale)
    write(obj, "views", views_seen.astype(np.int32))
    write(obj, "confidence", confidence)


def remove(obj: bpy.types.Object) -> list[str]:
    """Remove every attribute that MeshKin added to the object's own mesh; returns their names.

    Raises InputError as :func:`meshkin.scene.snapshot.check_writable`.
    """
    check_writable(obj)
    names = [attribute.name for attribute in obj.data.attributes if attribute.name.startswith(PREFIX)]
    for name in names:
        obj.data.attributes.remove(obj.data.attributes[name])
    return names


def transferable(obj: bpy.types.Object, names: Sequence[str] = ()) -> list[str]:
    """Names of the user's attributes on the object's own mesh that can be carried over, of ``names`` if any are given.

    Those are float, vector and colour attributes on points and corners, without UV maps, what Blender or MeshKin
    keeps for itself, and whole numbers and truth values, which cannot be interpolated.
    """
    return _transferable(obj.data, names) if obj.type == "MESH" else []


def read(obj: bpy.types.Object, snapshot: Snapshot, names: Sequence[str] = ()) -> list[Attribute]:
    """The user's attributes as the modifiers leave them, on the snapshot's vertices.

    A vertex takes the mean over its corners of a corner attribute: a border between two colours becomes one vertex
    wide. ``names`` chooses; () means all that are :func:`transferable`.

    Raises:
        InputError: ``no-attributes`` when there are none, ``mesh-changed`` when the mesh has other vertices than
            the snapshot.
    """
    with evaluated(obj) as (_, mesh):
        if len(mesh.vertices) != len(snapshot.vertices):
            raise InputError("mesh-changed", f"“{obj.name}” was changed while the job ran.", "Run the job again.")
        found = [_on_points(mesh, name) for name in _transferable(mesh, names)]
    if not found:
        raise InputError(
            "no-attributes", f"“{obj.name}” has no colour, number or vector attributes.", "Paint or add one first."
        )
    return found


def write_transferred(obj: bpy.types.Object, attribute: Attribute, values: NDArray[np.floating]) -> str:
    """Write an attribute carried over from another mesh, (W, C) on the object's own vertices; says what was done.

    Raises:
        InputError: ``attribute-taken`` when the name belongs to a UV map, a vertex group or Blender itself on this
            mesh, and as :func:`write`.
    """
    check_writable(obj)
    mesh, name = obj.data, attribute.name
    there = mesh.attributes.get(name)
    if name in mesh.uv_layers or name in obj.vertex_groups or (there and (there.is_internal or there.is_required)):
        raise InputError(
            "attribute-taken",
            f"“{name}” on “{obj.name}” is a UV map, a vertex group or a name that Blender uses.",
            "Rename the attribute on the source.",
        )
    _write(obj, name, attribute.type, values)
    return f"Attribute: “{name}”{', in place of the one that was there' if there else ''}."


def _write(obj: bpy.types.Object, name: str, kind: str, values: NDArray[np.generic]) -> None:
    check_writable(obj)
    mesh = obj.data
    if len(values) != len(mesh.vertices):
        raise InputError("mesh-changed", f"“{obj.name}” has other vertices now.", "Run the job again.")
    if len(name.encode()) > NAME_BYTES:
        raise InputError("attribute-name", f"The attribute name “{name}” is too long.", "Use a shorter one.")
    there = mesh.attributes.get(name)
    if there and (there.data_type, there.domain) != (kind, "POINT"):
        mesh.attributes.remove(there)
        there = None
    attribute = there or mesh.attributes.new(name, kind, "POINT")
    field = _LAYOUT[kind][0] if kind in _LAYOUT else "value"
    dtype = np.int32 if kind == "INT" else np.float32
    attribute.data.foreach_set(field, np.ascontiguousarray(values, dtype).ravel())
    mesh.update()


def _transferable(mesh: bpy.types.Mesh, names: Sequence[str]) -> list[str]:
    return [
        attribute.name
        for attribute in mesh.attributes
        if attribute.data_type in _LAYOUT
        and attribute.domain in ("POINT", "CORNER")
        and not attribute.is_internal
        and not attribute.name.startswith((".", PREFIX))
        and attribute.name not in _BUILT_IN
        and attribute.name not in mesh.uv_layers
        and (not names or attribute.name in names)
    ]


def _on_points(mesh: bpy.types.Mesh, name: str) -> Attribute:
    attribute = mesh.attributes[name]
    field, width = _LAYOUT[attribute.data_type]
    values = np.empty((len(attribute.data), width), np.float32)
    attribute.data.foreach_get(field, values.ravel())
    if attribute.domain == "CORNER":
        corners = np.empty(len(mesh.loops), np.int32)
        mesh.loops.foreach_get("vertex_index", corners)
        count = len(mesh.vertices)
        sums = [np.bincount(corners, channel, count) for channel in values.T]
        number = np.maximum(np.bincount(corners, minlength=count), 1)
        values = (np.stack(sums, axis=1) / number[:, None]).astype(np.float32)
    return Attribute(name, attribute.data_type, values)
