"""Materials of cartoons: colors linked straight to the surface, and shades that depend on lamps."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from helpers.skins import (
    OPTIONS,
    SAME_TEXELS,
    add_image_node,
    at_texels,
    blob,
    copy_without_materials,
    data_block_names,
    new_image,
    new_material_parts,
    waves,
)
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.scene import compat


def add_toon(obj: bpy.types.Object, kind: str) -> bpy.types.Material:
    """A new material that shows an image in a cartoon's way."""
    material = bpy.data.materials.new("toon")
    obj.data.materials.append(material)
    tree = compat.node_tree(material)
    tree.nodes.clear()
    nodes = {
        name: tree.nodes.new(f"ShaderNode{name}")
        for name in ("OutputMaterial", "BsdfDiffuse", "ShaderToRGB", "ValToRGB", "Mix", "Emission", "HueSaturation")
    }
    image, link = add_image_node(tree, new_image("face", waves())), tree.links.new
    surface, mix = nodes["OutputMaterial"].inputs["Surface"], nodes["Mix"]
    mix.data_type = "RGBA"
    colors = [socket for socket in mix.inputs if socket.enabled and socket.type == "RGBA"]
    mixed = next(socket for socket in mix.outputs if socket.enabled)
    link(nodes["ShaderToRGB"].inputs[0], nodes["BsdfDiffuse"].outputs[0])
    link(nodes["ValToRGB"].inputs[0], nodes["ShaderToRGB"].outputs[0])
    if kind == "straight":
        link(surface, image.outputs["Color"])
    elif kind == "straight and baked":
        link(nodes["HueSaturation"].inputs["Color"], image.outputs["Color"])
        link(surface, nodes["HueSaturation"].outputs["Color"])
    elif kind == "shade":  # lit and shaded color, and which of them the lamps decide
        link(mix.inputs[0], nodes["ValToRGB"].outputs[0])
        colors[0].default_value = (0.1, 0, 0, 1)
        link(colors[1], image.outputs["Color"])
        link(nodes["Emission"].inputs["Color"], mixed)
        link(surface, nodes["Emission"].outputs[0])
    elif kind == "steps":  # the image, darkened in steps by the lamps
        mix.blend_type, mix.inputs[0].default_value = "MULTIPLY", 1
        link(colors[0], image.outputs["Color"])
        link(colors[1], nodes["ValToRGB"].outputs[0])
        link(surface, mixed)
    elif kind == "image behind":
        link(nodes["BsdfDiffuse"].inputs["Color"], image.outputs["Color"])
        link(surface, nodes["ShaderToRGB"].outputs[0])
    return material


@pytest.mark.parametrize("kind", ["straight", "straight and baked", "shade", "steps", "image behind"])
def test_the_image_in_full_light(kind: str) -> None:
    source = blob("source")
    target = copy_without_materials(source)
    add_toon(source, kind)
    before = data_block_names()
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_material_parts(target)
    off = np.abs(at_texels(found["Emission Color"]) - waves()[SAME_TEXELS])[..., :3]
    assert np.median(off) < 0.02
    assert off.mean() < 0.04
    lamps = [line for line in report.details if "full light" in line]
    assert bool(lamps) == (kind not in ("straight", "straight and baked"))
    after = data_block_names()
    assert {name: len(after[name]) - len(before[name]) for name in ("materials", "node_groups")} == {
        "materials": 1,
        "node_groups": 0,
    }


def test_a_shader_whose_image_is_not_read_is_named() -> None:
    source = blob("source")
    target = copy_without_materials(source)
    tree = add_toon(source, "nothing").node_tree
    shader = tree.nodes.new("ShaderNodeBsdfHair")
    shader.label = "fur"
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    image = next(node for node in tree.nodes if node.type == "TEX_IMAGE")
    tree.links.new(shader.inputs["Offset"], image.outputs["Color"])
    tree.links.new(output.inputs["Surface"], shader.outputs[0])
    with pytest.raises(InputError, match="Hair BSDF") as raised:
        finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    assert raised.value.code == "no-texture"
