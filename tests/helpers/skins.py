"""Balls with materials and images for tests, and what came of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from meshkin import workflow
from meshkin.scene import compat

OPTIONS = workflow.Options(workflow.FeatureOptions("geometric"), texture=workflow.TextureOptions(size=256, margin=2))


def blob(name: str, uvs: bool = True, stretch: float = 1.0) -> bpy.types.Object:
    """A lopsided ball without symmetry."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=32, ring_count=16, calc_uvs=uvs)
    obj = bpy.context.view_layer.objects.active
    obj.name = name
    points = np.empty(len(obj.data.vertices) * 3, np.float32)
    obj.data.vertices.foreach_get("co", points)
    x, y, z = points.reshape(-1, 3).T
    bumps = 1 + 0.9 * np.exp(-4 * ((x - 1) ** 2 + y**2 + z**2)) + 0.6 * np.exp(-6 * (x**2 + (y - 1) ** 2 + z**2))
    moved = np.stack((x * bumps * stretch, y * bumps, z * bumps), axis=1)
    obj.data.vertices.foreach_set("co", moved.astype(np.float32).ravel())
    for polygon in obj.data.polygons:
        polygon.use_smooth = True
    return obj


def twin(source: bpy.types.Object) -> bpy.types.Object:
    """A copy of a mesh without its materials: the map onto it is nearly the identity, and so are its textures."""
    copy = bpy.data.objects.new("twin", source.data.copy())
    copy.data.materials.clear()
    bpy.context.scene.collection.objects.link(copy)
    return copy


def new_image(name: str, pixels: np.ndarray, space: str = "sRGB", **how: Any) -> bpy.types.Image:
    image = bpy.data.images.new(name, pixels.shape[1], pixels.shape[0], alpha=True, **how)
    image.colorspace_settings.name = space
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1], np.float32).ravel())
    return image


def saved_16_bits(image: bpy.types.Image, path: Path, kind: str) -> bpy.types.Image:
    """The image written to a file of 16 bits by the scene's settings, and loaded again."""
    scene = bpy.context.scene
    settings = scene.render.image_settings
    settings.file_format, settings.color_depth, settings.color_mode = kind, "16", "RGBA"
    scene.view_settings.view_transform = "Raw"
    image.save_render(str(path), scene=scene)
    return bpy.data.images.load(str(path))


def waves(size: int = 64, seed: int = 0) -> np.ndarray:
    """A smooth picture (size, size, 4), the same at opposite borders."""
    generator = np.random.default_rng(seed)
    row, column = np.mgrid[:size, :size] / size * 2 * np.pi
    picture = np.ones((size, size, 4), np.float32)
    for channel in range(3):
        picture[..., channel] = 0.5 + 0.4 * np.sin(
            row * 1 + column * generator.integers(1, 3) + generator.uniform(0, 6)
        )
    return picture


def shaded(obj: bpy.types.Object, name: str = "skin") -> tuple[bpy.types.NodeTree, bpy.types.Node]:
    material = bpy.data.materials.new(name)
    obj.data.materials.append(material)
    tree = compat.node_tree(material)
    return tree, next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")


def textured(tree: bpy.types.NodeTree, image: bpy.types.Image) -> bpy.types.Node:
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    return node


def painted(
    obj: bpy.types.Object, image: bpy.types.Image, name: str = "skin"
) -> tuple[bpy.types.NodeTree, bpy.types.Node, bpy.types.Node]:
    """A new material with the image as base color: its tree, shader and texture node."""
    tree, shader = shaded(obj, name)
    texture = textured(tree, image)
    tree.links.new(shader.inputs["Base Color"], texture.outputs["Color"])
    return tree, shader, texture


def everything(obj: bpy.types.Object) -> dict[str, bpy.types.Image]:
    """A material with an image for each channel of a game's export: ORM packed, normal, emission, alpha."""
    tree, shader = shaded(obj)
    link = tree.links.new
    base = waves()
    base[..., 3] = waves(seed=5)[..., 0]
    found = {
        "base": new_image("base", base),
        "orm": new_image("orm", waves(seed=1), "Non-Color"),
        "relief": new_image("relief", np.full((8, 8, 4), (0.6, 0.4, 0.95, 1)), "Non-Color"),
        "glow": new_image("glow", waves(seed=3)),
    }
    nodes = {name: textured(tree, image) for name, image in found.items()}
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
    return found


def pixels_of(image: bpy.types.Image) -> np.ndarray:
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(image.size[1], image.size[0], -1)[::-1]


def at_texels(image: bpy.types.Image) -> np.ndarray:
    """Texels of a twin's picture (256) that lie where the middles of the texels of a picture of 64 do, (40, 32, 4)."""
    return pixels_of(image)[48:208, 64:192].reshape(40, 4, 32, 4, 4).mean(axis=(1, 3))


HERE = (slice(12, 52), slice(16, 48))
"""The same texels in a picture of 64."""

LUMA = np.array([0.2126, 0.7152, 0.0722])


def new_parts(obj: bpy.types.Object) -> tuple[bpy.types.Material, dict[str, bpy.types.Image]]:
    """The new material and the image behind each of its shader's inputs."""
    material = obj.material_slots[-1].material
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    found = {}
    for socket in shader.inputs:
        if socket.is_linked:
            node = socket.links[0].from_node
            while node.type != "TEX_IMAGE":
                node = (
                    next(one for one in node.inputs if one.is_linked and one.name in ("Color", "Height"))
                    .links[0]
                    .from_node
                )
            found[socket.name] = node.image
    return material, found


def names() -> dict[str, list[str]]:
    kinds = ("images", "materials", "meshes", "objects", "scenes", "node_groups")
    return {kind: sorted(one.name for one in getattr(bpy.data, kind)) for kind in kinds}


def state_of(images_: dict[str, bpy.types.Image]) -> dict[str, bytes]:
    return {name: pixels_of(image).tobytes() for name, image in images_.items()}
