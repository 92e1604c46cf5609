"""Base colours found in materials and written as new textures."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from meshkin.errors import InputError, StorageError
from meshkin.scene import compat, materials


def plane(uvs: bool = True) -> bpy.types.Object:
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=2, y_subdivisions=2, calc_uvs=uvs)
    return bpy.context.object


def ramp(width: int = 5, height: int = 3) -> np.ndarray:
    """Pixels whose every value a byte holds exactly, row 0 at the top."""
    return (np.random.default_rng(0).integers(0, 256, (height, width, 4)) / 255).astype(np.float32)


def new_image(name: str, pixels: np.ndarray, **how: object) -> bpy.types.Image:
    image = bpy.data.images.new(name, pixels.shape[1], pixels.shape[0], alpha=True, **how)
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1]).ravel())
    return image


def textured(
    obj: bpy.types.Object, image: bpy.types.Image
) -> tuple[bpy.types.NodeTree, bpy.types.Node, bpy.types.Node]:
    """Give the object a material with the image as base colour; returns tree, shader and texture node."""
    material = bpy.data.materials.new("Material")
    obj.data.materials.append(material)
    tree = compat.node_tree(material)
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image = image
    tree.links.new(shader.inputs["Base Color"], texture.outputs["Color"])
    return tree, shader, texture


def test_image_of_the_base_colour() -> None:
    obj = plane()
    tree, shader, texture = textured(obj, new_image("skin", ramp()))
    bump = tree.nodes.new("ShaderNodeTexImage")
    bump.image = new_image("bumps", ramp(2, 2))
    tree.links.new(shader.inputs["Roughness"], bump.outputs["Color"])
    tree.links.new(shader.inputs["Normal"], bump.outputs["Color"])
    uvs = tree.nodes.new("ShaderNodeUVMap")
    uvs.uv_map = "second"
    mapping = tree.nodes.new("ShaderNodeMapping")
    tree.links.new(mapping.inputs["Vector"], uvs.outputs["UV"])
    tree.links.new(texture.inputs["Vector"], mapping.outputs["Vector"])
    ((slot, found),) = materials.base_colour_images(obj)
    assert (slot, found.name, found.colorspace, found.uv_map, found.is_image) == (0, "skin", "sRGB", "second", True)
    np.testing.assert_allclose(found.pixels, ramp(), atol=1e-6)


def test_through_mixing_nodes_and_groups() -> None:
    obj = plane()
    tree, shader, texture = textured(obj, new_image("skin", ramp()))
    group = bpy.data.node_groups.new("tint", "ShaderNodeTree")
    for kind in ("INPUT", "OUTPUT"):
        group.interface.new_socket("Colour", in_out=kind, socket_type="NodeSocketColor")
    inside, outside = group.nodes.new("NodeGroupInput"), group.nodes.new("NodeGroupOutput")
    curve = group.nodes.new("ShaderNodeGamma")
    group.links.new(curve.inputs["Color"], inside.outputs[0])
    group.links.new(outside.inputs[0], curve.outputs["Color"])
    mix, reroute, node = (tree.nodes.new(name) for name in ("ShaderNodeMix", "NodeReroute", "ShaderNodeGroup"))
    mix.data_type, node.node_tree = "RGBA", group
    tree.links.new(node.inputs[0], texture.outputs["Color"])
    tree.links.new(reroute.inputs[0], node.outputs[0])
    colours = [one for one in mix.inputs if one.enabled and one.type == "RGBA"]
    tree.links.new(colours[1], reroute.outputs[0])
    tree.links.new(shader.inputs["Base Color"], next(one for one in mix.outputs if one.enabled))
    transparent, blend = tree.nodes.new("ShaderNodeBsdfTransparent"), tree.nodes.new("ShaderNodeMixShader")
    tree.links.new(blend.inputs[1], transparent.outputs[0])
    tree.links.new(blend.inputs[2], shader.outputs[0])
    tree.links.new(tree.get_output_node("ALL").inputs["Surface"], blend.outputs[0])
    ((_, found),) = materials.base_colour_images(obj)
    assert found.name == "skin"


def test_several_slots() -> None:
    """Images first, then by number of faces; plain colours in sRGB; unused and empty slots left out."""
    obj = plane()
    linear = (0.2, 0.5, 0.8, 1.0)
    for name, colour in (("unused", (1, 1, 1, 1)), ("blue", linear)):
        material = bpy.data.materials.new(name)
        shader = next(node for node in compat.node_tree(material).nodes if node.type == "BSDF_PRINCIPLED")
        shader.inputs["Base Color"].default_value = colour
        obj.data.materials.append(material)
    obj.data.materials.append(None)
    textured(obj, new_image("skin", ramp()))
    obj.data.polygons.foreach_set("material_index", [1, 1, 3, 2])
    first, second = materials.base_colour_images(obj)
    assert (first[0], second[0]) == (3, 1)
    assert second[1].name == "blue"
    assert not second[1].is_image
    expected = [1.055 * value ** (1 / 2.4) - 0.055 for value in linear[:3]]
    np.testing.assert_allclose(second[1].pixels, [[[*expected, 1]]], atol=1e-6)


def test_linear_images_are_encoded() -> None:
    light = np.array([[(0.0, 0.001, 0.2, 1.0), (0.5, 1.0, 7.0, 0.5)]], np.float32)
    encoded = [[(0.0, 0.01292, 0.484529, 1.0), (0.735357, 1.0, 1.0, 0.5)]]
    obj = plane()
    textured(obj, new_image("hdr", light, float_buffer=True))
    ((_, found),) = materials.base_colour_images(obj)
    assert found.colorspace == "sRGB"
    np.testing.assert_allclose(found.pixels, encoded, atol=1e-5)


def test_no_texture() -> None:
    obj = plane()
    for _ in range(2):
        with pytest.raises(InputError) as raised:
            materials.base_colour_images(obj)
        assert raised.value.code == "no-texture"
        obj.data.materials.append(bpy.data.materials.new("plain"))
    with pytest.raises(InputError):
        materials.base_colour_images(bpy.data.objects.new("empty", None))


def test_image_that_is_not_there(tmp_path: Path) -> None:
    obj = plane()
    image = new_image("gone", ramp())
    image.filepath_raw, image.file_format = str(tmp_path / "gone.png"), "PNG"
    image.save()
    textured(obj, image)
    image.source = "FILE"
    image.reload()
    ((_, found),) = materials.base_colour_images(obj)
    np.testing.assert_allclose(found.pixels, ramp(), atol=1e-6)
    (tmp_path / "gone.png").unlink()
    image.reload()
    with pytest.raises(InputError) as raised:
        materials.base_colour_images(obj)
    assert raised.value.code == "image-missing"
    assert "gone.png" in raised.value.message


def test_tiles_are_refused() -> None:
    obj = plane()
    textured(obj, bpy.data.images.new("tiles", 4, 4, tiled=True))
    with pytest.raises(InputError) as raised:
        materials.base_colour_images(obj)
    assert raised.value.code == "image-tiled"


def test_written_texture_round_trip(tmp_path: Path) -> None:
    """It comes back as written, also from a saved file, and what was there before is still there."""
    obj = plane()
    textured(obj, new_image("old", ramp(2, 2)))
    old = obj.data.materials[0]
    obj.data.uv_layers.new(name="other")
    uvs = [[item.vector[:] for item in layer.uv] for layer in obj.data.uv_layers]
    image, material = materials.write_texture(obj, ramp(), "old")
    assert image.name != "old"
    assert image.packed_file
    assert list(obj.data.materials) == [old, material]
    assert {polygon.material_index for polygon in obj.data.polygons} == {1}
    assert [[item.vector[:] for item in layer.uv] for layer in obj.data.uv_layers] == uvs
    names = obj.name, image.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "file.blend"))
    ((slot, found),) = materials.base_colour_images(bpy.data.objects[names[0]])
    assert (slot, found.name, found.uv_map) == (1, names[1], "UVMap")
    np.testing.assert_allclose(found.pixels, ramp(), atol=1e-6)
    assert bpy.data.images["old"].size[:] == (2, 2)


def test_texture_needs_uvs() -> None:
    obj = plane(uvs=False)
    with pytest.raises(InputError) as raised:
        materials.write_texture(obj, ramp(), "texture")
    assert raised.value.code == "no-uvs"
    assert not obj.data.materials
    assert not bpy.data.images


@pytest.mark.parametrize("name", ["Haut 皮膚.png", "long" * 20])
def test_saved_image_round_trip(name: str, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / name
    materials.save_image(ramp(), path)
    assert not bpy.data.images
    image = bpy.data.images.load(str(path))
    values = np.empty(ramp().size, np.float32)
    image.pixels.foreach_get(values)
    np.testing.assert_allclose(values.reshape(ramp().shape)[::-1], ramp(), atol=1e-6)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_image_that_cannot_be_saved(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        materials.save_image(ramp(), tmp_path / "file" / "image.png")
    assert not bpy.data.images
