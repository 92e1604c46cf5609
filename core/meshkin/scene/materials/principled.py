"""Base colors: found in the materials of one object, written as a new texture of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.color import linear_to_srgb
from ...base.errors import InputError
from .. import compat
from ..mesh.snapshot import check_writable
from .images import is_linear

SRGB = "sRGB"


@dataclass(frozen=True)
class BaseColor:
    """What gives one material slot its color.

    Attributes:
        name: of the image, or of the material whose plain color this is.
        pixels: float32 (H, W, 4), row 0 at the top (where v = 1), straight alpha; 1 x 1 for a plain color.
        colorspace: Blender's name of the space that ``pixels`` are encoded in: sRGB also for plain colors and for
            linear images, which are converted, so that slots can be mixed; another space only where the image has it.
        uv_map: name of the UV map that the material's nodes ask for, "" for the one active for rendering.
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

    No image, material or UV map that is there is changed; the old slots keep their materials.

    Args:
        pixels: (H, W, 4) in [0, 1], row 0 at the top, encoded in ``colorspace``; laid out in the UV map active for
            rendering.
        name: of both image and material (Blender adds a number to a name that is taken).

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


def base_color(material: bpy.types.Material) -> BaseColor:
    """The first image texture upstream of a material's surface, or its plain base color.

    Followed are Principled BSDFs' Base Color, other shaders' colors, color-mixing nodes and groups; Mapping nodes,
    and the mixing itself, are not.

    Raises:
        InputError: ``image-missing`` when an image cannot be loaded; ``image-tiled`` for UDIM tiles.
    """
    color, tree = material.diffuse_color, material.node_tree
    if tree is not None and (output := tree.get_output_node("ALL")):
        nodes = list(_upstream(output.inputs["Surface"]))
        for node in nodes:
            if node.type == "TEX_IMAGE" and node.image:
                return image_color(node)
        for node in nodes:
            if node.type == "BSDF_PRINCIPLED":
                color = node.inputs["Base Color"].default_value
                break
    return plain_color(material.name, color)


def image_color(node: bpy.types.Node) -> BaseColor:
    """What an image texture node gives; raises InputError ``image-missing``, ``image-tiled``."""
    pixels, colorspace = _pixels(node.image)
    return BaseColor(node.image.name, pixels, colorspace, _uv_map(node), True)


def plain_color(name: str, color: Sequence[float]) -> BaseColor:
    """One linear RGBA color as an image of one pixel."""
    return BaseColor(name, encoded(np.array(color, np.float32).reshape(1, 1, 4)), SRGB, "", False)


def _upstream(
    socket: bpy.types.NodeSocket, groups: tuple[bpy.types.Node, ...] = (), seen: set[tuple[int, ...]] | None = None
) -> Iterator[bpy.types.Node]:
    """Nodes that give ``socket`` its color, nearest first, into and out of the ``groups`` that it lies in."""
    seen = set() if seen is None else seen
    for link in socket.links:
        node, source = link.from_node, link.from_socket
        place = tuple(item.as_pointer() for item in (source, *groups))
        if link.is_muted or place in seen:
            continue
        seen.add(place)
        if node.type == "GROUP" and node.node_tree:
            for inner in node.node_tree.nodes:
                if inner.type == "GROUP_OUTPUT" and inner.is_active_output:
                    yield from _upstream(_same(inner.inputs, source), (*groups, node), seen)
        elif node.type == "GROUP_INPUT" and groups:
            yield from _upstream(_same(groups[-1].inputs, source), groups[:-1], seen)
        else:
            yield node
            for one in _colors(node):
                yield from _upstream(one, groups, seen)


def _colors(node: bpy.types.Node) -> list[bpy.types.NodeSocket]:
    if node.type == "BSDF_PRINCIPLED":
        return [node.inputs["Base Color"]]
    if node.type == "TEX_IMAGE":
        return []
    return [one for one in node.inputs if one.enabled and one.type in ("RGBA", "SHADER")]


def _same(sockets: bpy.types.bpy_prop_collection, socket: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    return next(one for one in sockets if one.identifier == socket.identifier)


def _uv_map(node: bpy.types.Node) -> str:
    """Name of the UV map that an image texture node's vector comes from, "" where it is not named."""
    while (socket := node.inputs.get("Vector")) and socket.is_linked:
        node = socket.links[0].from_node
        if node.type == "UVMAP":
            return str(node.uv_map)
        if node.type == "ATTRIBUTE":
            return str(node.attribute_name)
    return ""


def _pixels(image: bpy.types.Image) -> tuple[NDArray[np.float32], str]:
    """An image's pixels (H, W, 4), row 0 at the top, and the color space they are encoded in."""
    if image.source == "TILED":
        raise InputError("image-tiled", f"“{image.name}” is made of UDIM tiles.", "Bake them into one image first.")
    width, height = image.size
    if not width * height or not len(image.pixels):
        where = f" ({image.filepath})" if image.filepath else ""
        raise InputError(
            "image-missing",
            f"The image “{image.name}”{where} cannot be loaded.",
            "Use File > External Data > Find Missing Files.",
        )
    channels = len(image.pixels) // (width * height)
    raw = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(raw)
    stored = raw.reshape(height, width, channels)[::-1]
    pixels = np.ones((height, width, 4), np.float32)
    if channels < 3:
        pixels[..., :3] = stored[..., :1]
    else:
        pixels[..., :channels] = stored
    if is_linear(image):
        return encoded(pixels), SRGB
    return pixels, image.colorspace_settings.name


def encoded(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light to sRGB, clipped to [0, 1]; alpha stays."""
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
    output, shader, texture, uvs = (
        tree.nodes.new(f"ShaderNode{name}") for name in ("OutputMaterial", "BsdfPrincipled", "TexImage", "UVMap")
    )
    for column, node in enumerate((uvs, texture, shader, output)):
        node.location = (column * 300 - 900, 300)
    texture.image, uvs.uv_map = image, uv_map
    tree.links.new(texture.inputs["Vector"], uvs.outputs["UV"])
    tree.links.new(shader.inputs["Base Color"], texture.outputs["Color"])
    tree.links.new(output.inputs["Surface"], shader.outputs["BSDF"])
    return material
