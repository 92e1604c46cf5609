"""Balls with materials and images for tests, and the pixels of transferred textures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from helpers.creatures import vertex_positions
from meshkin import workflow
from meshkin.scene import compat

Array = NDArray[Any]

OPTIONS = workflow.Options(workflow.FeatureOptions("geometric"), texture=workflow.TextureOptions(size=256, margin=2))


def blob(name: str, uvs: bool = True, stretch: float = 1.0) -> bpy.types.Object:
    """A smooth ball with bumps, without symmetry."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=32, ring_count=16, calc_uvs=uvs)
    obj = bpy.context.view_layer.objects.active
    obj.name = name
    x, y, z = vertex_positions(obj).T
    bumps = 1 + 0.9 * np.exp(-4 * ((x - 1) ** 2 + y**2 + z**2)) + 0.6 * np.exp(-6 * (x**2 + (y - 1) ** 2 + z**2))
    positions = np.stack((x * bumps * stretch, y * bumps, z * bumps), axis=1)
    obj.data.vertices.foreach_set("co", positions.astype(np.float32).ravel())
    for polygon in obj.data.polygons:
        polygon.use_smooth = True
    return obj


def copy_without_materials(source: bpy.types.Object) -> bpy.types.Object:
    """A copy of an object without its materials: the map between the two is nearly the identity."""
    copy = bpy.data.objects.new("twin", source.data.copy())
    copy.data.materials.clear()
    bpy.context.scene.collection.objects.link(copy)
    return copy


def new_image(name: str, pixels: Array, colorspace: str = "sRGB", **settings: Any) -> bpy.types.Image:
    """An image of these pixels (H, W, 4), row 0 at the top."""
    image = bpy.data.images.new(name, pixels.shape[1], pixels.shape[0], alpha=True, **settings)
    image.colorspace_settings.name = colorspace
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1], np.float32).ravel())
    return image


def saved_16_bits(image: bpy.types.Image, path: Path, file_format: str) -> bpy.types.Image:
    """The image written to a file of 16 bits by the scene's settings, and loaded again."""
    scene = bpy.context.scene
    settings = scene.render.image_settings
    settings.file_format, settings.color_depth, settings.color_mode = file_format, "16", "RGBA"
    scene.view_settings.view_transform = "Raw"
    image.save_render(str(path), scene=scene)
    return bpy.data.images.load(str(path))


def waves(size: int = 64, seed: int = 0) -> NDArray[np.float32]:
    """A smooth picture (size, size, 4), the same at opposite borders."""
    generator = np.random.default_rng(seed)
    row, column = np.mgrid[:size, :size] / size * 2 * np.pi
    picture = np.ones((size, size, 4), np.float32)
    for channel in range(3):
        picture[..., channel] = 0.5 + 0.4 * np.sin(
            row * 1 + column * generator.integers(1, 3) + generator.uniform(0, 6)
        )
    return picture


def add_material(obj: bpy.types.Object, name: str = "skin") -> tuple[bpy.types.NodeTree, bpy.types.Node]:
    """A new material in a new slot: its node tree and its Principled BSDF."""
    material = bpy.data.materials.new(name)
    obj.data.materials.append(material)
    tree = compat.node_tree(material)
    return tree, next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")


def add_image_node(tree: bpy.types.NodeTree, image: bpy.types.Image) -> bpy.types.Node:
    """A new Image Texture node."""
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    return node


def add_image_material(
    obj: bpy.types.Object, image: bpy.types.Image, name: str = "skin"
) -> tuple[bpy.types.NodeTree, bpy.types.Node, bpy.types.Node]:
    """A new material with the image as base color: its node tree, shader and texture node."""
    tree, shader = add_material(obj, name)
    texture = add_image_node(tree, image)
    tree.links.new(shader.inputs["Base Color"], texture.outputs["Color"])
    return tree, shader, texture


def add_game_material(obj: bpy.types.Object) -> dict[str, bpy.types.Image]:
    """A new material as games use it: images of base color and alpha, of occlusion, roughness and metallic in one, of
    normals and of emission; the images by name."""
    tree, shader = add_material(obj)
    link = tree.links.new
    base = waves()
    base[..., 3] = waves(seed=5)[..., 0]
    images = {
        "base": new_image("base", base),
        "orm": new_image("orm", waves(seed=1), "Non-Color"),
        "relief": new_image("relief", np.full((8, 8, 4), (0.6, 0.4, 0.95, 1)), "Non-Color"),
        "glow": new_image("glow", waves(seed=3)),
    }
    nodes = {name: add_image_node(tree, image) for name, image in images.items()}
    link(shader.inputs["Base Color"], nodes["base"].outputs["Color"])
    link(shader.inputs["Alpha"], nodes["base"].outputs["Alpha"])
    split = tree.nodes.new("ShaderNodeSeparateColor")
    link(split.inputs[0], nodes["orm"].outputs["Color"])
    link(shader.inputs["Roughness"], split.outputs[1])
    link(shader.inputs["Metallic"], split.outputs[2])
    normal = tree.nodes.new("ShaderNodeNormalMap")
    normal.inputs["Strength"].default_value = 0.7
    link(normal.inputs["Color"], nodes["relief"].outputs["Color"])
    link(shader.inputs["Normal"], normal.outputs["Normal"])
    link(shader.inputs["Emission Color"], nodes["glow"].outputs["Color"])
    shader.inputs["Emission Strength"].default_value = 2.5
    shader.inputs["IOR"].default_value = 1.33
    return images


def pixels_of(image: bpy.types.Image) -> NDArray[np.float32]:
    """The pixels of an image, float32 (H, W, C), row 0 at the top."""
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(image.size[1], image.size[0], -1)[::-1]


def at_texels(image: bpy.types.Image) -> NDArray[np.float32]:
    """A picture of 256 pixels averaged to one of 64, of which :data:`SAME_TEXELS` are returned: (40, 32, 4)."""
    return pixels_of(image)[48:208, 64:192].reshape(40, 4, 32, 4, 4).mean(axis=(1, 3))


SAME_TEXELS = (slice(12, 52), slice(16, 48))
"""Rows and columns in a picture of 64 that :func:`at_texels` returns of one of 256."""

LUMA = np.array([0.2126, 0.7152, 0.0722])


def new_material_parts(obj: bpy.types.Object) -> tuple[bpy.types.Material, dict[str, bpy.types.Image]]:
    """The material of the last slot, and the image behind each linked input of its shader, by the input's name."""
    material = obj.material_slots[-1].material
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    images = {}
    for socket in shader.inputs:
        if socket.is_linked:
            node = socket.links[0].from_node
            while node.type != "TEX_IMAGE":
                node = (
                    next(color for color in node.inputs if color.is_linked and color.name in ("Color", "Height"))
                    .links[0]
                    .from_node
                )
            images[socket.name] = node.image
    return material, images


def data_block_names() -> dict[str, list[str]]:
    """The names of all data-blocks that a transfer of textures could leave behind."""
    collections = ("images", "materials", "meshes", "objects", "scenes", "node_groups")
    return {name: sorted(block.name for block in getattr(bpy.data, name)) for name in collections}


def pixel_bytes(images: dict[str, bpy.types.Image]) -> dict[str, bytes]:
    """The pixels of images, to be compared later."""
    return {name: pixels_of(image).tobytes() for name, image in images.items()}
