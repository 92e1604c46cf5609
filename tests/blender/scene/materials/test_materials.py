"""Base colors found in materials and written as new textures."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.skins import add_image_material, new_image
from meshkin.base.errors import InputError
from meshkin.scene import compat
from meshkin.scene.materials import base_colors


def plane(uvs: bool = True) -> bpy.types.Object:
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=2, y_subdivisions=2, calc_uvs=uvs)
    return bpy.context.object


def ramp(width: int = 5, height: int = 3) -> np.ndarray:
    """Pixels whose every value a byte holds exactly, row 0 at the top."""
    return (np.random.default_rng(0).integers(0, 256, (height, width, 4)) / 255).astype(np.float32)


def test_image_of_the_base_color() -> None:
    obj = plane()
    tree, shader, texture = add_image_material(obj, new_image("skin", ramp()))
    bump = tree.nodes.new("ShaderNodeTexImage")
    bump.image = new_image("bumps", ramp(2, 2))
    tree.links.new(shader.inputs["Roughness"], bump.outputs["Color"])
    tree.links.new(shader.inputs["Normal"], bump.outputs["Color"])
    uvs = tree.nodes.new("ShaderNodeUVMap")
    uvs.uv_map = "second"
    mapping = tree.nodes.new("ShaderNodeMapping")
    tree.links.new(mapping.inputs["Vector"], uvs.outputs["UV"])
    tree.links.new(texture.inputs["Vector"], mapping.outputs["Vector"])
    color = base_colors.base_color(obj.data.materials[0])
    assert (color.name, color.colorspace, color.uv_map, color.is_image) == ("skin", "sRGB", "second", True)
    np.testing.assert_allclose(color.pixels, ramp(), atol=1e-6)


def test_through_mixing_nodes_and_groups() -> None:
    obj = plane()
    tree, shader, texture = add_image_material(obj, new_image("skin", ramp()))
    group = bpy.data.node_groups.new("tint", "ShaderNodeTree")
    for direction in ("INPUT", "OUTPUT"):
        group.interface.new_socket("Color", in_out=direction, socket_type="NodeSocketColor")
    inside, outside = group.nodes.new("NodeGroupInput"), group.nodes.new("NodeGroupOutput")
    curve = group.nodes.new("ShaderNodeGamma")
    group.links.new(curve.inputs["Color"], inside.outputs[0])
    group.links.new(outside.inputs[0], curve.outputs["Color"])
    mix, reroute, node = (tree.nodes.new(name) for name in ("ShaderNodeMix", "NodeReroute", "ShaderNodeGroup"))
    mix.data_type, node.node_tree = "RGBA", group
    tree.links.new(node.inputs[0], texture.outputs["Color"])
    tree.links.new(reroute.inputs[0], node.outputs[0])
    colors = [socket for socket in mix.inputs if socket.enabled and socket.type == "RGBA"]
    tree.links.new(colors[1], reroute.outputs[0])
    tree.links.new(shader.inputs["Base Color"], next(socket for socket in mix.outputs if socket.enabled))
    transparent, blend = tree.nodes.new("ShaderNodeBsdfTransparent"), tree.nodes.new("ShaderNodeMixShader")
    tree.links.new(blend.inputs[1], transparent.outputs[0])
    tree.links.new(blend.inputs[2], shader.outputs[0])
    tree.links.new(tree.get_output_node("ALL").inputs["Surface"], blend.outputs[0])
    color = base_colors.base_color(obj.data.materials[0])
    assert color.name == "skin"


def test_plain_colors_are_encoded() -> None:
    linear = (0.2, 0.5, 0.8, 1.0)
    material = bpy.data.materials.new("blue")
    shader = next(node for node in compat.node_tree(material).nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = linear
    color = base_colors.base_color(material)
    assert (color.name, color.is_image) == ("blue", False)
    expected = [1.055 * value ** (1 / 2.4) - 0.055 for value in linear[:3]]
    np.testing.assert_allclose(color.pixels, [[[*expected, 1]]], atol=1e-6)


def test_linear_images_are_encoded() -> None:
    light = np.array([[(0.0, 0.001, 0.2, 1.0), (0.5, 1.0, 7.0, 0.5)]], np.float32)
    encoded = [[(0.0, 0.01292, 0.484529, 1.0), (0.735357, 1.0, 1.0, 0.5)]]
    obj = plane()
    add_image_material(obj, new_image("hdr", light, "Linear Rec.709", float_buffer=True))
    color = base_colors.base_color(obj.data.materials[0])
    assert color.colorspace == "sRGB"
    np.testing.assert_allclose(color.pixels, encoded, atol=1e-5)


def test_image_that_is_not_there(tmp_path: Path) -> None:
    obj = plane()
    image = new_image("gone", ramp())
    image.filepath_raw, image.file_format = str(tmp_path / "gone.png"), "PNG"
    image.save()
    add_image_material(obj, image)
    image.source = "FILE"
    image.reload()
    color = base_colors.base_color(obj.data.materials[0])
    np.testing.assert_allclose(color.pixels, ramp(), atol=1e-6)
    (tmp_path / "gone.png").unlink()
    image.reload()
    with pytest.raises(InputError) as raised:
        base_colors.base_color(obj.data.materials[0])
    assert raised.value.code == "image-missing"
    assert "gone.png" in raised.value.message


def test_tiles_are_refused() -> None:
    obj = plane()
    add_image_material(obj, bpy.data.images.new("tiles", 4, 4, tiled=True))
    with pytest.raises(InputError) as raised:
        base_colors.base_color(obj.data.materials[0])
    assert raised.value.code == "image-tiled"


def test_written_texture_round_trip(tmp_path: Path) -> None:
    """The texture is read as it was written, also from a saved file, and what was there before is still there."""
    obj = plane()
    add_image_material(obj, new_image("old", ramp(2, 2)))
    old = obj.data.materials[0]
    obj.data.uv_layers.new(name="other")
    uvs = [[item.vector[:] for item in layer.uv] for layer in obj.data.uv_layers]
    image, material = base_colors.write_texture(obj, ramp(), "old")
    assert image.name != "old"
    assert image.packed_file
    assert list(obj.data.materials) == [old, material]
    assert {polygon.material_index for polygon in obj.data.polygons} == {1}
    assert [[item.vector[:] for item in layer.uv] for layer in obj.data.uv_layers] == uvs
    names = obj.name, image.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "file.blend"))
    color = base_colors.base_color(bpy.data.objects[names[0]].data.materials[1])
    assert (color.name, color.uv_map) == (names[1], "UVMap")
    np.testing.assert_allclose(color.pixels, ramp(), atol=1e-6)
    assert bpy.data.images["old"].size[:] == (2, 2)


def test_texture_needs_uvs() -> None:
    obj = plane(uvs=False)
    with pytest.raises(InputError) as raised:
        base_colors.write_texture(obj, ramp(), "texture")
    assert raised.value.code == "no-uvs"
    assert not obj.data.materials
    assert not bpy.data.images
