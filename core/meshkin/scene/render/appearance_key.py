"""A content hash of all that decides what colors an object has, so that rendered colors can be kept in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..arrays import read_floats, read_integers
from ..mesh.attributes import ATTRIBUTE_PREFIX
from ..mesh.snapshot import evaluated


def appearance_key(obj: bpy.types.Object) -> str:
    """Content hash of an object's materials with their nodes and images, its UV maps and vertex colors; 32 hex digits.

    What depends on the rest of the scene (drivers' sources, object coordinates of other objects) is not included. Keys
    of cached features depend on it: it must give the same for the same object in every version.
    """
    digest = hashlib.blake2b(digest_size=16)
    with evaluated(obj) as (evaluated_object, mesh):
        for slot in evaluated_object.material_slots:
            _add(digest, slot.material.name if slot.material else "")
            if slot.material:
                _add_material(digest, slot.material, set())
        digest.update(read_integers(mesh.polygons, "material_index").tobytes())
        for layer in mesh.uv_layers:
            _add(digest, (layer.name, layer.active_render), read_floats(layer.uv, "vector", 2))
        for attribute in mesh.color_attributes:
            if not attribute.name.startswith(ATTRIBUTE_PREFIX):  # MeshKin's own colors are not the object's
                _add(digest, attribute.name, read_floats(attribute.data, "color", 4))
    return digest.hexdigest()


def _add_material(digest: Any, material: bpy.types.Material, visited: set[int]) -> None:
    _add(digest, tuple(material.diffuse_color))
    if material.node_tree:
        _add_tree(digest, material.node_tree, visited)


def _add_tree(digest: Any, tree: bpy.types.NodeTree, visited: set[int]) -> None:
    if tree.session_uid in visited:
        return
    visited.add(tree.session_uid)
    for node in tree.nodes:
        _add(digest, (node.name, node.bl_idname, node.mute))
        for value in _settings(node):
            if isinstance(value, bpy.types.Image):
                _add_image(digest, value)
            elif isinstance(value, bpy.types.NodeTree):
                _add_tree(digest, value, visited)
            else:
                _add(digest, value)
        _add(digest, [_socket_value(socket) for socket in (*node.inputs, *node.outputs)])
    for link in tree.links:
        ends = (link.from_node.name, link.from_socket.identifier, link.to_node.name, link.to_socket.identifier)
        _add(digest, (*ends, link.is_muted))


def _settings(node: bpy.types.Node) -> Iterator[Any]:
    """The values of a node that belong neither to its sockets nor to its appearance in the editor."""
    common = bpy.types.Node.bl_rna.properties.keys()
    for prop in node.bl_rna.properties:
        if prop.identifier in common or prop.identifier.startswith("show_"):
            continue
        value = getattr(node, prop.identifier)
        if isinstance(value, bpy.types.ColorRamp):
            yield (value.interpolation, [(element.position, tuple(element.color)) for element in value.elements])
        elif isinstance(value, bpy.types.CurveMapping):
            yield [[tuple(point.location) for point in curve.points] for curve in value.curves]
        elif prop.type not in ("POINTER", "COLLECTION"):
            yield list(value) if getattr(prop, "is_array", False) else value
        elif isinstance(value, bpy.types.Image | bpy.types.NodeTree):
            yield value
        elif isinstance(value, bpy.types.ID):
            yield value.name


def _socket_value(socket: bpy.types.NodeSocket) -> Any:
    value = getattr(socket, "default_value", None)
    return str(value) if value is None or isinstance(value, str) or not hasattr(value, "__len__") else list(value)


def _add_image(digest: Any, image: bpy.types.Image) -> None:
    _add(digest, (image.source, image.colorspace_settings.name, image.alpha_mode, tuple(image.size)))
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    _add(digest, len(values), values)


def _add(digest: Any, value: Any, array: NDArray[Any] | None = None) -> None:
    digest.update(repr(value).encode())
    if array is not None:
        digest.update(array.tobytes())
