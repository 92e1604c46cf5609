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

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from .snapshot import check_writable, evaluated

PREFIX = "meshkin_"
COLOR = PREFIX + "color"
"""The attribute that shows features as colors."""
PCA_CHANNELS = 16
"""Most PCA channels written."""
NAME_BYTES = 63
"""Longest name that every supported version takes, UTF-8."""

_LAYOUT: dict[str, tuple[str, int, type[np.generic]]] = {
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
"""Types: the property that holds the value, its length, NumPy's type. Colors are scene linear, texts are numbered."""
DISCRETE_TYPES = ("INT", "INT8", "INT16_2D", "INT32_2D", "BOOLEAN", "STRING")
"""Types that are not mixed: the majority counts."""
_BUILT_IN = (
    *("position", "rest_position", "custom_normal", "material_index", "id", ".sculpt_face_set"),
    *("crease_vert", "crease_edge", "bevel_weight_vert", "bevel_weight_edge"),
    *("sharp_face", "sharp_edge", "uv_seam", "freestyle_edge", "freestyle_face"),
)
"""Attributes that belong to Blender, not to the user: carried only when named."""


@dataclass(frozen=True)
class Attribute:
    """One attribute of a mesh.

    Attributes:
        name: as on the mesh.
        type: Blender's: FLOAT, FLOAT_COLOR, INT, BOOLEAN, …
        values: (N, C), float32, int32 or bool; colors are scene linear with straight alpha.
        domain: POINT, EDGE, FACE or CORNER.
        texts: of a STRING, which its values number; the first is empty.
    """

    name: str
    type: str
    values: NDArray[np.generic]
    domain: str = "POINT"
    texts: tuple[bytes, ...] = ()


def write(obj: bpy.types.Object, name: str, values: NDArray[np.generic]) -> None:
    """Write ``meshkin_<name>`` on the vertices of the object's own mesh, in place of one that is there.

    Args:
        name: without the prefix.
        values: (W,) integer or floating, (W, 3) vectors or (W, 4) scene-linear colors, W the mesh's own vertices.

    Raises:
        InputError: ``mesh-changed`` when W is another, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
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
    colors: NDArray[np.floating],
    channels: NDArray[np.floating],
    views_seen: NDArray[np.integer],
    confidence: NDArray[np.floating],
) -> None:
    """Write what shows an object's features, W the mesh's own vertices.

    Args:
        colors: (W, 3) in [0, 1], scene linear: ``meshkin_color``.
        channels: (W, K), the first 16: ``meshkin_pca_00`` and on; channels of an earlier run beyond K go.
        views_seen: (W,): ``meshkin_views``.
        confidence: (W,): ``meshkin_confidence``.

    Raises:
        InputError: as :func:`write`.
    """
    opaque = np.ones((len(colors), 1), np.float32)
    write(obj, "color", np.hstack((colors.astype(np.float32), opaque)))
    for index in range(PCA_CHANNELS):
        name = f"pca_{index:02d}"
        if index < channels.shape[1]:
            write(obj, name, channels[:, index])
        elif stale := obj.data.attributes.get(PREFIX + name):
            obj.data.attributes.remove(stale)
    write(obj, "views", views_seen.astype(np.int32))
    write(obj, "confidence", confidence)


def transferable(obj: bpy.types.Object, names: Sequence[str] = ()) -> list[str]:
    """Names of the user's attributes on the object's own mesh that can be carried over, of ``names`` if any are given.

    Of every domain and type; without UV maps and what MeshKin keeps for itself. What belongs to Blender (creases, sharp
    edges, face sets) is carried when it is named.
    """
    return _transferable(obj.data, names) if obj.type == "MESH" else []


def read(obj: bpy.types.Object, snapshot: Snapshot, names: Sequence[str] = ()) -> list[Attribute]:
    """The user's attributes as the modifiers leave them, each on the elements of its domain.

    ``names`` chooses; () means all that are :func:`transferable`.

    Raises:
        InputError: ``no-attributes`` when there are none, ``mesh-changed`` when the mesh has other vertices than
            the snapshot.
    """
    with evaluated(obj) as (_, mesh):
        if len(mesh.vertices) != len(snapshot.vertices):
            raise InputError("mesh-changed", f"“{obj.name}” was changed while the job ran.", "Run the job again.")
        found = [_read(mesh, name) for name in _transferable(mesh, names)]
    if not found:
        raise InputError(
            "no-attributes", f"“{obj.name}” has no attributes that can be carried.", "Paint or add one first."
        )
    return found


def edges(mesh: bpy.types.Mesh) -> NDArray[np.int32]:
    """The vertices of each edge of a mesh, int32 (E, 2)."""
    ends = np.empty(len(mesh.edges) * 2, np.int32)
    mesh.edges.foreach_get("vertices", ends)
    return ends.reshape(-1, 2)


def evaluated_edges(obj: bpy.types.Object) -> NDArray[np.int32]:
    """The vertices of each edge as the modifiers leave them, int32 (E, 2)."""
    with evaluated(obj) as (_, mesh):
        return edges(mesh)


def write_transferred(obj: bpy.types.Object, attribute: Attribute, values: NDArray[np.generic]) -> str:
    """Write an attribute carried over from another mesh, (N, C) on the elements of its domain of the object's own mesh;
    says what was done.

    Raises:
        InputError: ``attribute-taken`` when the name belongs to a UV map, a vertex group or Blender itself on this
            mesh, and as :func:`write`.
    """
    check_writable(obj)
    mesh, name = obj.data, attribute.name
    there = mesh.attributes.get(name)
    if name in mesh.uv_layers or name in obj.vertex_groups or _is_own(there, name):
        raise InputError(
            "attribute-taken",
            f"“{name}” on “{obj.name}” is a UV map, a vertex group or a name that Blender uses.",
            "Rename the attribute on the source.",
        )
    _write(obj, name, attribute.type, values, attribute.domain, attribute.texts)
    place = {"POINT": "points", "EDGE": "edges", "FACE": "faces", "CORNER": "corners"}[attribute.domain]
    return f"Attribute: “{name}” on {place}{', in place of the one that was there' if there else ''}."


def _is_own(attribute: bpy.types.Attribute | None, name: str) -> bool:
    """Whether it is one that a mesh cannot do without, or that Blender hides."""
    return attribute is not None and (attribute.is_required or (attribute.is_internal and name not in _BUILT_IN))


def _write(
    obj: bpy.types.Object,
    name: str,
    kind: str,
    values: NDArray[np.generic],
    domain: str = "POINT",
    texts: Sequence[bytes] = (),
) -> None:
    check_writable(obj)
    mesh = obj.data
    size = {"POINT": mesh.vertices, "EDGE": mesh.edges, "FACE": mesh.polygons, "CORNER": mesh.loops}[domain]
    if len(values) != len(size):
        raise InputError("mesh-changed", f"“{obj.name}” has other vertices now.", "Run the job again.")
    if len(name.encode()) > NAME_BYTES:
        raise InputError("attribute-name", f"The attribute name “{name}” is too long.", "Use a shorter one.")
    there = mesh.attributes.get(name)
    if there and (there.data_type, there.domain) != (kind, domain):
        mesh.attributes.remove(there)
        there = None
    attribute = there or mesh.attributes.new(name, kind, domain)
    field, _, dtype = _LAYOUT[kind]
    if kind == "STRING":  # Blender takes and gives texts one by one only
        for item, number in zip(attribute.data, values.ravel().tolist(), strict=True):
            item.value = texts[number]
    else:
        attribute.data.foreach_set(field, np.ascontiguousarray(values, dtype).ravel())
    mesh.update()


def _transferable(mesh: bpy.types.Mesh, names: Sequence[str]) -> list[str]:
    return [
        attribute.name
        for attribute in mesh.attributes
        if attribute.data_type in _LAYOUT
        and attribute.domain in ("POINT", "EDGE", "FACE", "CORNER")
        and not _is_own(attribute, attribute.name)
        and (not attribute.name.startswith((".", PREFIX)) or attribute.name in _BUILT_IN)
        and (attribute.name not in _BUILT_IN or attribute.name in names)
        and attribute.name not in mesh.uv_layers
        and (not names or attribute.name in names)
    ]


def _read(mesh: bpy.types.Mesh, name: str) -> Attribute:
    attribute = mesh.attributes[name]
    field, width, dtype = _LAYOUT[attribute.data_type]
    if attribute.data_type == "STRING":
        texts, numbers = np.unique(np.array([b"", *(item.value for item in attribute.data)]), return_inverse=True)
        found = numbers.reshape(-1)[1:, None].astype(dtype)
        return Attribute(name, "STRING", found, attribute.domain, tuple(texts.tolist()))
    values = np.empty((len(attribute.data), width), dtype)
    attribute.data.foreach_get(field, values.ravel())
    return Attribute(name, attribute.data_type, values, attribute.domain)
