"""What an object's materials look like in even light: a color for each pixel that shows one of its triangles.

A material that is one image on a UV map, or one color, is sampled here, the same on every render path. Any other
(mixed, procedural, tiled, painted on vertices) is rendered by Cycles, its shaders glowing in their own color.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...data.views import Views
from ..materials import base_colors
from ..mesh.snapshot import evaluated, with_uvs
from ..objects import Handle
from . import cycles as passes_cycles

DEFAULT = (0.8, 0.8, 0.8, 1.0)
"""Blender's color, linear, for a face without a material."""
_COLORS = ("Base Color", "Color")
"""Names of the input that gives a shader its color."""
_GLOWING = "ShaderNodeEmission"

Pyramid = list[NDArray[np.float32]]
"""An image (H, W, 3), row 0 at the top, and its halvings."""


@dataclass(frozen=True)
class Look:
    """An object's colors.

    Attributes:
        handle: the object.
        images: for each material slot that is sampled, its image.
        uvs: float32 (F, 3, 2), of each triangle's own image; None where no slot has one with UVs.
        rendered: the slots that Cycles has to render.
    """

    handle: Handle
    images: dict[int, Pyramid]
    uvs: NDArray[np.float32] | None
    rendered: frozenset[int]


def read(obj: bpy.types.Object, snapshot: Snapshot) -> Look:
    """The look of an object that ``snapshot`` was taken of.

    Where Cycles is disabled, a material too complex to be sampled counts as the first image, or color, in it.

    Raises InputError ``image-missing`` when an image cannot be loaded, ``mesh-changed``.
    """
    with evaluated(obj) as (copy, _):
        slots = [slot.material for slot in copy.material_slots]
        cycles = passes_cycles.available()
        images: dict[int, Pyramid] = {}
        maps: dict[int, str] = {}
        for slot in np.unique(_slots(snapshot, len(slots))).tolist():
            material = slots[slot] if slots else None
            found = _plain(material) or (None if cycles and material else base_colors.base_color(material))
            if found:
                images[slot], maps[slot] = _pyramid(found.pixels[..., :3]), found.uv_map
    rendered = frozenset(range(max(len(slots), 1))) - set(images)
    return Look(Handle.of(obj), images, with_uvs(obj, snapshot, maps).uvs, rendered)


def content_key(obj: bpy.types.Object) -> str:
    """Content hash of everything that makes the look: materials with their nodes and images, UV maps, vertex colors.

    32 hex digits. What only a running scene tells (drivers' sources, object coordinates of other objects) is not in.
    """
    digest = hashlib.blake2b(digest_size=16)
    with evaluated(obj) as (copy, mesh):
        for slot in copy.material_slots:
            _note(digest, slot.material.name if slot.material else "")
            if slot.material:
                _digest_material(digest, slot.material, set())
        index = np.empty(len(mesh.polygons), np.int32)
        mesh.polygons.foreach_get("material_index", index)
        digest.update(index.tobytes())
        for layer in mesh.uv_layers:
            values = np.empty(2 * len(layer.uv), np.float32)
            layer.uv.foreach_get("vector", values)
            _note(digest, (layer.name, layer.active_render), values)
        for colors in mesh.color_attributes:
            values = np.empty(4 * len(colors.data), np.float32)
            colors.data.foreach_get("color", values)
            if not colors.name.startswith("meshkin_"):  # shown by this add-on itself
                _note(digest, colors.name, values)
    return digest.hexdigest()


def paint(look: Look, snapshot: Snapshot, views: Views, view: int, face: NDArray[np.int32]) -> NDArray[np.uint8]:
    """The colors that one camera sees, uint8 (H, W, 3), sRGB; 0 on the background.

    Args:
        look: from :func:`read`.
        snapshot: the shape.
        views: the cameras.
        view: number of the one.
        face: int32 (H, W), the triangle in each pixel, -1 for none.

    Raises InputError ``object-gone``, and as :func:`meshkin.scene.render.cycles.pictures`.
    """
    colors = np.zeros((*face.shape, 3), np.float32)
    seen = face >= 0
    triangle = face[seen]
    slot = _slots(snapshot, 1 + max((*look.images, *look.rendered)))[triangle]
    weights = views.barycentric(view, snapshot.vertices[snapshot.faces], face)
    values = np.empty((len(triangle), 3), np.float32)
    for number, pyramid in look.images.items():
        here = slot == number
        if pyramid[0].shape[:2] == (1, 1) or look.uvs is None:
            values[here] = pyramid[0].mean(axis=(0, 1))
        else:
            level = _level(look.uvs, pyramid[0].shape, snapshot, views, view, triangle[here])
            at = np.einsum("pk,pkc->pc", weights[here], look.uvs[triangle[here]])
            values[here] = _sample(pyramid, at, level)
    elsewhere = np.isin(slot, list(look.rendered))
    if elsewhere.any():
        obj = look.handle.get()
        with evaluated(obj) as (copy, _):
            mesh = bpy.data.meshes.new_from_object(copy)
            matrix = copy.matrix_world.copy()
        made: list[bpy.types.ID] = [mesh]
        try:
            for index, material in enumerate(mesh.materials):
                mesh.materials[index] = _glowing(material, made) if material else None
            light = passes_cycles.colors(mesh, matrix, snapshot.location, views, view)
        finally:
            bpy.data.batch_remove([one for one in made if one is not None])
        opaque = light[..., :3] / np.maximum(light[..., 3:], 1e-6)
        values[elsewhere] = base_colors.as_srgb(opaque.astype(np.float32))[seen][elsewhere]
    colors[seen] = values
    return (np.clip(colors, 0, 1) * 255).round().astype(np.uint8)


# Sampling --------------------------------------------------------------------------------------------------------


def _slots(snapshot: Snapshot, count: int) -> NDArray[np.int64]:
    """The material slot of each triangle; a number beyond the last slot counts as the last, as in Blender."""
    return np.clip(snapshot.materials, 0, max(count - 1, 0)).astype(np.int64)


def _plain(material: bpy.types.Material | None) -> base_colors.BaseColor | None:
    """The image or color that a material is, or None when there is more to it."""
    if material is None or material.node_tree is None or not _uses_nodes(material):
        color = material.diffuse_color if material else DEFAULT
        return base_colors.constant_color(material.name if material else "", color)
    output = material.node_tree.get_output_node("CYCLES")
    if output is None or not output.inputs["Surface"].is_linked:
        return None
    shader = output.inputs["Surface"].links[0].from_node
    if shader.type not in ("BSDF_PRINCIPLED", "BSDF_DIFFUSE") or _glow(shader):
        return None
    socket = next(shader.inputs[name] for name in _COLORS if name in shader.inputs)
    if not socket.is_linked:
        return base_colors.constant_color(material.name, socket.default_value)
    link = socket.links[0]
    node = link.from_node
    if link.is_muted or node.mute or node.type != "TEX_IMAGE" or link.from_socket.name != "Color" or not node.image:
        return None
    if (node.projection, node.extension) != ("FLAT", "REPEAT") or node.image.source not in ("FILE", "GENERATED"):
        return None
    vector = node.inputs["Vector"]
    if vector.is_linked and vector.links[0].from_node.type != "UVMAP":
        return None
    return base_colors.image_color(node)


def _uses_nodes(material: bpy.types.Material) -> bool:
    return bool(material.node_tree and len(material.node_tree.nodes))


def _glow(shader: bpy.types.Node) -> bool:
    """Whether a Principled BSDF gives light of its own."""
    strength, color = (shader.inputs.get(name) for name in ("Emission Strength", "Emission Color"))
    if strength is None or (not strength.is_linked and strength.default_value == 0):
        return False
    return bool(color.is_linked or any(color.default_value[:3]))


def _pyramid(pixels: NDArray[np.float32]) -> Pyramid:
    levels = [np.ascontiguousarray(pixels)]
    while min(levels[-1].shape[:2]) > 1:
        last = levels[-1]
        even = last[: last.shape[0] // 2 * 2, : last.shape[1] // 2 * 2]
        quarter = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
        levels.append(quarter.astype(np.float32))
    return levels


def _level(
    uvs: NDArray[np.float32],
    shape: tuple[int, ...],
    snapshot: Snapshot,
    views: Views,
    view: int,
    triangle: NDArray[np.int32],
) -> NDArray[np.int64]:
    """How often to halve the image so that a texel is about as large as a pixel, for each pixel's triangle."""
    which, back = np.unique(triangle, return_inverse=True)
    texels = _areas(uvs[which] * (shape[1], shape[0]))
    places = views.project(view, snapshot.vertices[snapshot.faces[which]].reshape(-1, 3))[0]
    pixels = _areas(places.reshape(-1, 3, 2))
    ratio = texels / np.maximum(pixels, 1e-9)
    level = np.floor(np.log2(np.maximum(ratio, 1)) / 2 + 0.5)
    return level.astype(np.int64)[back.reshape(-1)]


def _areas(corners: NDArray[np.floating]) -> NDArray[np.floating]:
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2


def _sample(pyramid: Pyramid, uvs: NDArray[np.floating], level: NDArray[np.int64]) -> NDArray[np.float32]:
    """Bilinear samples (P, 3) at UVs (P, 2), the image repeating itself."""
    result = np.empty((len(uvs), 3), np.float32)
    level = np.minimum(level, len(pyramid) - 1)
    for number in np.unique(level).tolist():
        here, image = level == number, pyramid[number]
        height, width = image.shape[:2]
        x, y = uvs[here, 0] * width - 0.5, (1 - uvs[here, 1]) * height - 0.5
        left, top = np.floor(x), np.floor(y)
        right_share, down_share = (x - left)[:, None], (y - top)[:, None]
        columns = [(left.astype(np.int64) + step) % width for step in (0, 1)]
        rows = [(top.astype(np.int64) + step) % height for step in (0, 1)]
        upper, lower = (
            image[row, columns[0]] * (1 - right_share) + image[row, columns[1]] * right_share for row in rows
        )
        result[here] = upper * (1 - down_share) + lower * down_share
    return result


# Glowing copies --------------------------------------------------------------------------------------------------


def _glowing(material: bpy.types.Material, made: list[bpy.types.ID]) -> bpy.types.Material:
    """A copy of a material whose shaders glow in their color, noted in ``made`` with its node groups."""
    copy = material.copy()
    made.append(copy)
    tree = copy.node_tree
    if tree is None:
        return copy
    _let_glow(tree, made)
    for node in tree.nodes:
        if node.type == "OUTPUT_MATERIAL":
            for name in ("Volume", "Displacement"):
                for link in list(node.inputs[name].links):
                    tree.links.remove(link)
    return copy


def _let_glow(tree: bpy.types.NodeTree, made: list[bpy.types.ID]) -> None:
    """Put an emission in the place of each shader in ``tree`` and in its groups, which become copies."""
    for node in list(tree.nodes):
        if node.type == "GROUP" and node.node_tree:
            node.node_tree = node.node_tree.copy()
            made.append(node.node_tree)
            _let_glow(node.node_tree, made)
            continue
        if not node.outputs or node.outputs[0].type != "SHADER" or node.type in ("BSDF_TRANSPARENT", "EMISSION"):
            continue
        color = next((node.inputs[name] for name in _COLORS if name in node.inputs), None)
        if color is None:
            continue
        shader = _emission(tree, color)
        if _glow(node):
            both = tree.nodes.new("ShaderNodeAddShader")
            glow = _emission(tree, node.inputs["Emission Color"], node.inputs["Emission Strength"])
            tree.links.new(shader.outputs[0], both.inputs[0])
            tree.links.new(glow.outputs[0], both.inputs[1])
            shader = both
        for link in list(node.outputs[0].links):
            tree.links.new(shader.outputs[0], link.to_socket)


def _emission(
    tree: bpy.types.NodeTree, color: bpy.types.NodeSocket, strength: bpy.types.NodeSocket | None = None
) -> bpy.types.Node:
    node = tree.nodes.new(_GLOWING)
    for source, name in ((color, "Color"), (strength, "Strength")):
        if source is None:
            continue
        node.inputs[name].default_value = source.default_value
        if source.is_linked:
            tree.links.new(source.links[0].from_socket, node.inputs[name])
    return node


# The key ---------------------------------------------------------------------------------------------------------


def _digest_material(digest: Any, material: bpy.types.Material, seen: set[int]) -> None:
    _note(digest, tuple(material.diffuse_color))
    if material.node_tree:
        _digest_tree(digest, material.node_tree, seen)


def _digest_tree(digest: Any, tree: bpy.types.NodeTree, seen: set[int]) -> None:
    if tree.session_uid in seen:
        return
    seen.add(tree.session_uid)
    for node in tree.nodes:
        _note(digest, (node.name, node.bl_idname, node.mute))
        for value in _settings(node):
            if isinstance(value, bpy.types.Image):
                _digest_image(digest, value)
            elif isinstance(value, bpy.types.NodeTree):
                _digest_tree(digest, value, seen)
            else:
                _note(digest, value)
        _note(digest, [_value(socket) for socket in (*node.inputs, *node.outputs)])
    for link in tree.links:
        ends = (link.from_node.name, link.from_socket.identifier, link.to_node.name, link.to_socket.identifier)
        _note(digest, (*ends, link.is_muted))


def _settings(node: bpy.types.Node) -> Iterator[Any]:
    """The values that a node has beside its sockets and its place in the editor."""
    common = bpy.types.Node.bl_rna.properties.keys()
    for prop in node.bl_rna.properties:
        if prop.identifier in common or prop.identifier.startswith("show_"):
            continue
        value = getattr(node, prop.identifier)
        if isinstance(value, bpy.types.ColorRamp):
            yield (value.interpolation, [(one.position, tuple(one.color)) for one in value.elements])
        elif isinstance(value, bpy.types.CurveMapping):
            yield [[tuple(point.location) for point in curve.points] for curve in value.curves]
        elif prop.type not in ("POINTER", "COLLECTION"):
            yield list(value) if getattr(prop, "is_array", False) else value
        elif isinstance(value, bpy.types.Image | bpy.types.NodeTree):
            yield value
        elif isinstance(value, bpy.types.ID):
            yield value.name


def _value(socket: bpy.types.NodeSocket) -> Any:
    value = getattr(socket, "default_value", None)
    return str(value) if value is None or isinstance(value, str) or not hasattr(value, "__len__") else list(value)


def _digest_image(digest: Any, image: bpy.types.Image) -> None:
    _note(digest, (image.source, image.colorspace_settings.name, image.alpha_mode, tuple(image.size)))
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    _note(digest, len(values), values)


def _note(digest: Any, value: Any, array: NDArray[Any] | None = None) -> None:
    digest.update(repr(value).encode())
    if array is not None:
        digest.update(array.tobytes())
