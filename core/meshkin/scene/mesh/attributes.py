"""Mesh attributes: read from an object's evaluated mesh, written to its own mesh.

The names of all attributes that MeshKin itself adds begin with :data:`ATTRIBUTE_PREFIX`; attributes carried over from
another mesh keep the name they have there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ..arrays import read_integers
from ..objects import FEATURES_PROPERTY, Handle
from .snapshot import check_same_vertices, check_writable, evaluated

ATTRIBUTE_PREFIX = "meshkin_"
"""Begins the names of the attributes that MeshKin adds."""
COLOR = ATTRIBUTE_PREFIX + "color"
"""The attribute that shows features as colors."""
PCA_CHANNELS = 16
"""Most PCA channels that are written; chosen."""

_FEATURE_NAMES = ("color", *(f"pca_{index:02d}" for index in range(PCA_CHANNELS)), "views", "confidence")
"""Names without prefix of the attributes that show an object's features."""

_VALUE_FORMATS: dict[str, tuple[str, int, type[np.generic]]] = {
    "FLOAT": ("value", 1, np.float32),
    "FLOAT2": ("vector", 2, np.float32),
    "FLOAT_VECTOR": ("vector", 3, np.float32),
    "FLOAT_COLOR": ("color", 4, np.float32),
    "BYTE_COLOR": ("color", 4, np.float32),
    "QUATERNION": ("value", 4, np.float32),
    "INT": ("value", 1, np.int32),
    "INT8": ("value", 1, np.int32),
    "INT16_2D": ("value", 2, np.int32),
    "INT32_2D": ("value", 2, np.int32),
    "FLOAT4X4": ("value", 16, np.float32),
    "STRING": ("value", 1, np.int32),
    "BOOLEAN": ("value", 1, np.bool_),
}
"""For each data type: the property that holds the value, how many numbers it has, and NumPy's type of them. Colors are
scene linear; strings are numbered, see :class:`Attribute`."""
DISCRETE_TYPES = ("INT", "INT8", "INT16_2D", "INT32_2D", "BOOLEAN", "STRING")
"""Data types whose values cannot be interpolated: where several meet, the majority counts."""
_DOMAINS = {"POINT": "vertices", "EDGE": "edges", "FACE": "polygons", "CORNER": "loops"}
"""For each domain, the collection of the mesh whose elements have the values."""
_BUILT_IN = (
    *("position", "rest_position", "custom_normal", "material_index", "id", ".sculpt_face_set"),
    *("crease_vert", "crease_edge", "bevel_weight_vert", "bevel_weight_edge"),
    *("sharp_face", "sharp_edge", "uv_seam", "freestyle_edge", "freestyle_face"),
)
"""Attributes that Blender itself defines: carried over only if they are named."""


@dataclass(frozen=True)
class Attribute:
    """One attribute of a mesh.

    Attributes:
        name: as on the mesh.
        type: Blender's data type: FLOAT, FLOAT_COLOR, INT, BOOLEAN, ...
        values: (N, C), float32, int32 or bool; colors are scene linear with straight alpha.
        domain: POINT, EDGE, FACE or CORNER.
        texts: the different texts of a STRING attribute, to which its values are indices; the first is empty.
    """

    name: str
    type: str
    values: NDArray[np.generic]
    domain: str = "POINT"
    texts: tuple[bytes, ...] = ()


# Written by MeshKin ------------------------------------------------------------------------------------------------


def write(obj: bpy.types.Object, name: str, values: NDArray[np.generic]) -> None:
    """Write the attribute ``meshkin_<name>`` on the vertices of the object's own mesh; an existing one is replaced.

    Args:
        obj: a mesh object.
        name: without the prefix.
        values: (W,) integer or floating, (W, 3) vectors or (W, 4) scene-linear colors; W is the number of vertices of
            the own mesh.

    Raises:
        InputError: ``mesh-changed`` when W is another number, and as
            :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    if values.ndim == 1:
        data_type = "INT" if np.issubdtype(values.dtype, np.integer) else "FLOAT"
    else:
        data_type = {3: "FLOAT_VECTOR", 4: "FLOAT_COLOR"}[values.shape[1]]
    _write(obj, Attribute(ATTRIBUTE_PREFIX + name, data_type, values))


def point_values(obj: bpy.types.Object, name: str) -> NDArray[np.float32] | None:
    """The values (W,) of the FLOAT attribute ``meshkin_<name>`` on the own mesh's vertices, or None without one."""
    attribute = obj.data.attributes.get(ATTRIBUTE_PREFIX + name) if obj.type == "MESH" else None
    if attribute is None or attribute.domain != "POINT" or attribute.data_type != "FLOAT":
        return None
    values = np.empty(len(attribute.data), np.float32)
    attribute.data.foreach_get("value", values)
    return values


def write_features(
    obj: bpy.types.Object,
    colors: NDArray[np.floating],
    channels: NDArray[np.floating],
    views_seen: NDArray[np.integer],
    confidence: NDArray[np.floating],
) -> None:
    """Write the attributes that show an object's features; W is the number of vertices of its own mesh.

    Args:
        obj: a mesh object.
        colors: (W, 3) in [0, 1], scene linear, as ``meshkin_color``.
        channels: (W, K), PCA channels; the first 16 as ``meshkin_pca_00`` and on. Channels beyond K that an earlier
            run has written are removed.
        views_seen: (W,), how many views show each vertex, as ``meshkin_views``.
        confidence: (W,), as ``meshkin_confidence``.

    Raises:
        InputError: as :func:`write`.
    """
    opaque = np.ones((len(colors), 1), np.float32)
    write(obj, "color", np.hstack((colors.astype(np.float32), opaque)))
    for index in range(PCA_CHANNELS):
        name = f"pca_{index:02d}"
        if index < channels.shape[1]:
            write(obj, name, channels[:, index])
        elif stale := obj.data.attributes.get(ATTRIBUTE_PREFIX + name):
            obj.data.attributes.remove(stale)
    write(obj, "views", views_seen.astype(np.int32))
    write(obj, "confidence", confidence)


def keep_features(obj: bpy.types.Object) -> Callable[[], None]:
    """Keep what :func:`write_features` writes, as it is now; returns what brings it back.

    Where the mesh has other vertices by then, nothing is brought back.
    """
    handle = Handle.of(obj)
    names = [ATTRIBUTE_PREFIX + name for name in _FEATURE_NAMES]
    kept = [_read(obj.data, name) for name in names if name in obj.data.attributes]
    key = obj.get(FEATURES_PROPERTY)

    def bring_back() -> None:
        with contextlib.suppress(InputError):  # it is gone, is being edited, or has changed
            now = handle.get()
            check_writable(now)
            for name in names:
                if stale := now.data.attributes.get(name):
                    now.data.attributes.remove(stale)
            for attribute in kept:
                _write(now, attribute)
            if key is None:
                now.pop(FEATURES_PROPERTY, None)
            else:
                now[FEATURES_PROPERTY] = key

    return bring_back


# Carried over ------------------------------------------------------------------------------------------------------


def transferable(obj: bpy.types.Object, names: Sequence[str] = ()) -> list[str]:
    """Names of the user's attributes on the object's own mesh that can be carried over.

    They can have any domain and type. UV maps and MeshKin's own attributes are not among them; attributes that Blender
    defines (creases, sharp edges, face sets) are only if they are named.

    Args:
        obj: the object.
        names: only these; () for all.
    """
    return _transferable(obj.data, names) if obj.type == "MESH" else []


def read(obj: bpy.types.Object, snapshot: Snapshot, names: Sequence[str] = ()) -> list[Attribute]:
    """The user's attributes as the modifiers leave them, each on the elements of its domain.

    Args:
        obj: the object.
        snapshot: of the object.
        names: only these; () for all that are :func:`transferable`.

    Raises:
        InputError: ``no-attributes`` when there are none, ``mesh-changed`` when the mesh has other vertices than
            the snapshot.
    """
    with evaluated(obj) as (_, mesh):
        check_same_vertices(obj, mesh, snapshot)
        attributes = [_read(mesh, name) for name in _transferable(mesh, names)]
    if not attributes:
        raise InputError(
            "no-attributes", f"“{obj.name}” has no attributes that can be carried.", "Paint or add one first."
        )
    return attributes


def own_count(obj: bpy.types.Object, domain: str) -> int:
    """How many points, edges, faces or corners the object's own mesh has."""
    return len(getattr(obj.data, _DOMAINS[domain]))


def own_edges(obj: bpy.types.Object) -> NDArray[np.int32]:
    """The two vertices of each edge of the object's own mesh, int32 (E, 2)."""
    return read_integers(obj.data.edges, "vertices", 2)


def evaluated_edges(obj: bpy.types.Object) -> NDArray[np.int32]:
    """The two vertices of each edge as the modifiers leave them, int32 (E, 2)."""
    with evaluated(obj) as (_, mesh):
        return read_integers(mesh.edges, "vertices", 2)


def write_transferred(obj: bpy.types.Object, attribute: Attribute, values: NDArray[np.generic]) -> str:
    """Write an attribute carried over from another mesh; returns a sentence about it.

    Args:
        obj: the target.
        attribute: as it is on the source.
        values: (N, C), for the elements of its domain of the target's own mesh.

    Raises:
        InputError: ``attribute-taken`` when the name belongs to a UV map, a vertex group or Blender itself on this
            mesh, and as :func:`write`.
    """
    check_writable(obj)
    check_name(obj, attribute.name)
    mesh, name = obj.data, attribute.name
    existing = mesh.attributes.get(name)
    _write(obj, Attribute(name, attribute.type, values, attribute.domain, attribute.texts))
    elements = {"POINT": "points", "EDGE": "edges", "FACE": "faces", "CORNER": "corners"}[attribute.domain]
    return f"Attribute: “{name}” on {elements}{', in place of the one that was there' if existing else ''}."


def check_name(obj: bpy.types.Object, name: str) -> None:
    """Raise InputError ``attribute-taken`` if an attribute of this name cannot be written to a mesh object."""
    existing = obj.data.attributes.get(name)
    if name in obj.data.uv_layers or name in obj.vertex_groups or _is_reserved(existing, name):
        raise InputError(
            "attribute-taken",
            f"“{name}” on “{obj.name}” is a UV map, a vertex group or a name that Blender uses.",
            "Rename the attribute on the source.",
        )


def can_be_named(obj: bpy.types.Object, name: str) -> bool:
    """Whether :func:`check_name` passes."""
    try:
        check_name(obj, name)
    except InputError:
        return False
    return True


def _is_reserved(attribute: bpy.types.Attribute | None, name: str) -> bool:
    """Whether an existing attribute is one that a mesh needs or that Blender hides."""
    return attribute is not None and (attribute.is_required or (attribute.is_internal and name not in _BUILT_IN))


def _transferable(mesh: bpy.types.Mesh, names: Sequence[str]) -> list[str]:
    return [
        attribute.name
        for attribute in mesh.attributes
        if attribute.data_type in _VALUE_FORMATS
        and attribute.domain in _DOMAINS
        and not _is_reserved(attribute, attribute.name)
        and (not attribute.name.startswith((".", ATTRIBUTE_PREFIX)) or attribute.name in _BUILT_IN)
        and (attribute.name not in _BUILT_IN or attribute.name in names)
        and attribute.name not in mesh.uv_layers
        and (not names or attribute.name in names)
    ]


# Blender's data ----------------------------------------------------------------------------------------------------


def _write(obj: bpy.types.Object, new: Attribute) -> None:
    """Write an attribute on the object's own mesh, in place of one of the same name."""
    check_writable(obj)
    mesh = obj.data
    if len(new.values) != len(getattr(mesh, _DOMAINS[new.domain])):
        raise InputError("mesh-changed", f"“{obj.name}” has other vertices now.", "Run the job again.")
    attribute = mesh.attributes.get(new.name)
    if attribute and (attribute.data_type, attribute.domain) != (new.type, new.domain):
        mesh.attributes.remove(attribute)
        attribute = None
    if attribute is None:
        attribute = mesh.attributes.new(new.name, new.type, new.domain)
    property_name, _, dtype = _VALUE_FORMATS[new.type]
    if new.type == "STRING":  # Blender takes and gives strings one by one only
        for item, number in zip(attribute.data, new.values.ravel().tolist(), strict=True):
            item.value = new.texts[number]
    else:
        attribute.data.foreach_set(property_name, np.ascontiguousarray(new.values, dtype).ravel())
    mesh.update()


def _read(mesh: bpy.types.Mesh, name: str) -> Attribute:
    attribute = mesh.attributes[name]
    property_name, width, dtype = _VALUE_FORMATS[attribute.data_type]
    if attribute.data_type == "STRING":
        texts, numbers = np.unique(np.array([b"", *(item.value for item in attribute.data)]), return_inverse=True)
        indices = numbers.reshape(-1)[1:, None].astype(dtype)
        return Attribute(name, "STRING", indices, attribute.domain, tuple(texts.tolist()))
    values = np.empty((len(attribute.data), width), dtype)
    attribute.data.foreach_get(property_name, values.ravel())
    return Attribute(name, attribute.data_type, values, attribute.domain)
