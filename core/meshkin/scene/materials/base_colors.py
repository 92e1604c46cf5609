"""Base colors alone: read from a material, or written to an object as a new material with one image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.color import linear_to_srgb
from ...base.errors import InputError
from .. import compat
from ..mesh.snapshot import check_writable
from .images import is_linear, missing_image
from .shaders import active_group_output, material_output, same_socket

SRGB, NON_COLOR = "sRGB", "Non-Color"
"""Blender's name of the color space."""


@dataclass(frozen=True)
class BaseColor:
    """The base color of one material: an image or a constant color.

    Attributes:
        name: of the image, or of the material with the constant color.
        pixels: float32 (H, W, 4), row 0 at the top (where v = 1), straight alpha; 1 x 1 for a constant color.
        colorspace: Blender's name of the color space of ``pixels``. Constant colors and linear images are converted to
            sRGB, so that the slots of an object can be mixed; other images keep the color space they have.
        uv_map: name of the UV map that the material's nodes name, "" for the one active for rendering.
        is_image: whether it is an image.
    """

    name: str
    pixels: NDArray[np.float32]
    colorspace: str
    uv_map: str
    is_image: bool


def write_texture(
    obj: bpy.types.Object, pixels: NDArray[np.floating], name: str, colorspace: str = SRGB
) -> tuple[bpy.types.Image, bpy.types.Material]:
    """Give the object a new material with a new, packed image, in a new slot that all its faces use from then on.

    Existing images, materials and UV maps are not changed; the old slots keep their materials.

    Args:
        obj: the object.
        pixels: (H, W, 4) in [0, 1], row 0 at the top, for the UV map active for rendering.
        name: of both image and material (Blender adds a number to a name that is taken).
        colorspace: Blender's name of the color space of ``pixels``.

    Returns:
        the image and the material.

    Raises:
        InputError: ``no-uvs``, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    mesh = obj.data
    layer = next((layer for layer in mesh.uv_layers if layer.active_render), None)
    if layer is None:
        raise InputError("no-uvs", f"“{obj.name}” has no UV map.", "Unwrap it first (UV > Smart UV Project).")
    image = _new_image(pixels, name, colorspace)
    image.pack()
    material = _new_material(image, layer.name)
    mesh.materials.append(material)
    slot = len(mesh.materials) - 1
    mesh.polygons.foreach_set("material_index", np.full(len(mesh.polygons), slot, np.int32))
    mesh.update()
    return image, material


def add_values(material: bpy.types.Material, channels: Mapping[str, NDArray[np.floating]], name: str) -> dict[str, str]:
    """Give a material that :func:`write_texture` made a new, packed image for further channels; returns their names.

    Args:
        material: the material.
        channels: (H, W) in [0, 1], row 0 at the top, by inputs of the Principled BSDF in small letters.
        name: with which the images' names begin.
    """
    tree = compat.node_tree(material)
    found = {node.bl_idname: node for node in tree.nodes}
    names = {}
    for row, (channel, values) in enumerate(channels.items(), start=1):
        pixels = np.ones((*values.shape, 4), np.float32)
        pixels[..., :3] = values[..., None]
        image = _new_image(pixels, f"{name} {channel}", NON_COLOR)
        image.pack()
        texture = tree.nodes.new("ShaderNodeTexImage")
        texture.image, texture.location = image, (-300, 300 - 300 * row)
        tree.links.new(texture.inputs["Vector"], found["ShaderNodeUVMap"].outputs["UV"])
        tree.links.new(found["ShaderNodeBsdfPrincipled"].inputs[channel.capitalize()], texture.outputs["Color"])
        names[channel] = image.name
    return names


def base_color(material: bpy.types.Material) -> BaseColor:
    """The first image texture upstream of a material's surface, or its constant base color.

    Followed are the Base Color of Principled BSDFs, the colors of other shaders and of nodes that mix colors, and node
    groups. Mapping nodes and the mixing itself are ignored.

    Raises:
        InputError: ``image-missing`` when an image cannot be loaded; ``image-tiled`` for UDIM tiles.
    """
    color, output = material.diffuse_color, material_output(material)
    if output:
        nodes = list(_upstream_nodes(output.inputs["Surface"]))
        for node in nodes:
            if node.type == "TEX_IMAGE" and node.image:
                return image_color(node)
        for node in nodes:
            if node.type == "BSDF_PRINCIPLED":
                color = node.inputs["Base Color"].default_value
                break
    return constant_color(material.name, color)


def image_color(node: bpy.types.Node) -> BaseColor:
    """The color of an Image Texture node; raises InputError ``image-missing``, ``image-tiled``."""
    pixels, colorspace = _pixels(node.image)
    return BaseColor(node.image.name, pixels, colorspace, _uv_map(node), True)


def constant_color(name: str, color: Sequence[float]) -> BaseColor:
    """One linear RGBA color as an image of one pixel."""
    return BaseColor(name, as_srgb(np.array(color, np.float32).reshape(1, 1, 4)), SRGB, "", False)


def _upstream_nodes(
    socket: bpy.types.NodeSocket, groups: tuple[bpy.types.Node, ...] = (), visited: set[tuple[int, ...]] | None = None
) -> Iterator[bpy.types.Node]:
    """The nodes that give an input socket its color, nearest first, through node groups.

    Args:
        socket: the input.
        groups: the group nodes that the socket lies in.
        visited: the sockets, with their groups, that were passed already.
    """
    visited = set() if visited is None else visited
    for link in socket.links:
        node, output = link.from_node, link.from_socket
        place = tuple(item.as_pointer() for item in (output, *groups))
        if link.is_muted or place in visited:
            continue
        visited.add(place)
        if node.type == "GROUP" and node.node_tree:
            if group_output := active_group_output(node.node_tree):
                inner = same_socket(group_output.inputs, output)
                yield from _upstream_nodes(inner, (*groups, node), visited)
        elif node.type == "GROUP_INPUT" and groups:
            yield from _upstream_nodes(same_socket(groups[-1].inputs, output), groups[:-1], visited)
        else:
            yield node
            for color_input in _color_inputs(node):
                yield from _upstream_nodes(color_input, groups, visited)


def _color_inputs(node: bpy.types.Node) -> list[bpy.types.NodeSocket]:
    """The inputs of a node that its color depends on."""
    if node.type == "BSDF_PRINCIPLED":
        return [node.inputs["Base Color"]]
    if node.type == "TEX_IMAGE":
        return []
    return [socket for socket in node.inputs if socket.enabled and socket.type in ("RGBA", "SHADER")]


def _uv_map(node: bpy.types.Node) -> str:
    """Name of the UV map that an Image Texture node's vector comes from, "" if no node names one."""
    while (socket := node.inputs.get("Vector")) and socket.is_linked:
        node = socket.links[0].from_node
        if node.type == "UVMAP":
            return str(node.uv_map)
        if node.type == "ATTRIBUTE":
            return str(node.attribute_name)
    return ""


def _pixels(image: bpy.types.Image) -> tuple[NDArray[np.float32], str]:
    """The pixels of an image, float32 (H, W, 4), row 0 at the top, and their color space."""
    if image.source == "TILED":
        raise InputError("image-tiled", f"“{image.name}” is made of UDIM tiles.", "Bake them into one image first.")
    width, height = image.size
    if not width * height or not len(image.pixels):
        raise missing_image(image)
    channels = len(image.pixels) // (width * height)
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    stored = values.reshape(height, width, channels)[::-1]
    pixels = np.ones((height, width, 4), np.float32)
    if channels < 3:
        pixels[..., :3] = stored[..., :1]
    else:
        pixels[..., :channels] = stored
    if is_linear(image):
        return as_srgb(pixels), SRGB
    return pixels, image.colorspace_settings.name


def as_srgb(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light (H, W, C) as sRGB values, clipped to [0, 1]; a fourth channel stays as it is."""
    result = pixels.copy()
    result[..., :3] = linear_to_srgb(np.clip(pixels[..., :3], 0, 1))
    return result


def _new_image(pixels: NDArray[np.floating], name: str, colorspace: str) -> bpy.types.Image:
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=True)
    image.colorspace_settings.name = colorspace
    image.pixels.foreach_set(np.clip(pixels[::-1], 0, 1).astype(np.float32).ravel())
    image.update()
    return image


def _new_material(image: bpy.types.Image, uv_map: str) -> bpy.types.Material:
    material = bpy.data.materials.new(image.name)
    tree = compat.node_tree(material)
    tree.nodes.clear()
    output, principled, texture, uv_node = (
        tree.nodes.new(f"ShaderNode{name}") for name in ("OutputMaterial", "BsdfPrincipled", "TexImage", "UVMap")
    )
    for column, node in enumerate((uv_node, texture, principled, output)):
        node.location = (column * 300 - 900, 300)
    texture.image, uv_node.uv_map = image, uv_map
    tree.links.new(texture.inputs["Vector"], uv_node.outputs["UV"])
    tree.links.new(principled.inputs["Base Color"], texture.outputs["Color"])
    tree.links.new(output.inputs["Surface"], principled.outputs["BSDF"])
    return material
