"""Node trees of materials: which are read as values, which are baked, and how shaders that are mixed come over."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest

from helpers.skins import (
    LUMA,
    OPTIONS,
    SAME_TEXELS,
    add_image_material,
    add_image_node,
    add_material,
    at_texels,
    blob,
    copy_without_materials,
    data_block_names,
    new_image,
    new_material_parts,
    pixels_of,
    waves,
)
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.scene.materials import images, shading


def test_simple_nodes_are_read_as_values() -> None:
    """Multiplication by a color, one minus, and a Mapping node need no bake."""
    source = blob("source")
    tree, shader = add_material(source)
    image = add_image_node(tree, new_image("base", waves()))
    mapping, uv = tree.nodes.new("ShaderNodeMapping"), tree.nodes.new("ShaderNodeUVMap")
    mapping.inputs["Scale"].default_value = (2, 3, 1)
    mapping.inputs["Rotation"].default_value = (0, 0, 0.5)
    mapping.inputs["Location"].default_value = (0.1, 0.2, 0)
    tree.links.new(mapping.inputs["Vector"], uv.outputs["UV"])
    tree.links.new(image.inputs["Vector"], mapping.outputs["Vector"])
    mix, minus = tree.nodes.new("ShaderNodeMix"), tree.nodes.new("ShaderNodeMath")
    mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
    mix.inputs[0].default_value = 1
    sides = [one for one in mix.inputs if one.enabled and one.type == "RGBA"]
    sides[1].default_value = (0.5, 0.25, 1, 1)
    tree.links.new(sides[0], image.outputs["Color"])
    tree.links.new(shader.inputs["Base Color"], next(one for one in mix.outputs if one.enabled))
    minus.operation = "SUBTRACT"
    minus.inputs[0].default_value = 1
    tree.links.new(minus.inputs[1], image.outputs["Color"])
    tree.links.new(shader.inputs["Roughness"], minus.outputs[0])
    found = shading.read(source).channels[0]
    base, rough = found["base_color"], found["roughness"]
    assert not base.needs_baking
    assert not rough.needs_baking
    np.testing.assert_allclose(base.weights[:3], np.diag((0.5, 0.25, 1)))
    assert rough.offset[0] == 1
    np.testing.assert_allclose(rough.weights[:3, 0], (-0.2126, -0.7152, -0.0722))
    c, s = np.cos(0.5), np.sin(0.5)
    np.testing.assert_allclose(base.mapping, [[2 * c, -3 * s, 0.1], [2 * s, 3 * c, 0.2]], atol=1e-6)


def test_nodes_too_complex_are_baked() -> None:
    """A procedural color: baked on a copy of the source, whose scene stays as it was."""
    source = blob("source")
    tree, shader = add_material(source)
    coordinates, split, ramp = (
        tree.nodes.new(f"ShaderNode{name}") for name in ("NewGeometry", "SeparateXYZ", "ValToRGB")
    )
    tree.links.new(split.inputs[0], coordinates.outputs["Position"])
    tree.links.new(ramp.inputs[0], split.outputs["Z"])
    tree.links.new(shader.inputs["Base Color"], ramp.outputs["Color"])
    target = copy_without_materials(source)
    before, engine = data_block_names(), bpy.context.scene.render.engine
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    assert any("baked" in line for line in report.lines())
    _, found = new_material_parts(target)
    after = data_block_names()
    assert set(after["images"]) - set(before["images"]) == {found["Base Color"].name}
    assert len(after["materials"]) == len(before["materials"]) + 1
    assert bpy.context.scene.render.engine == engine
    picture = pixels_of(found["Base Color"])
    rows = picture[:, 60:200, 0].mean(axis=1)
    assert rows[30] > 0.7  # near the top, z is near 1
    assert rows[220] < 0.1
    assert tree.links[0] is not None
    assert {node.type for node in tree.nodes} == {
        "NEW_GEOMETRY",
        "SEPXYZ",
        "VALTORGB",
        "BSDF_PRINCIPLED",
        "OUTPUT_MATERIAL",
    }


def test_several_slots_are_baked_at_once() -> None:
    """Procedural slots, and one with an image: each shows on its own faces."""
    source = blob("source")
    for name, factor in (("lower", 0.25), ("upper", 1.0)):
        tree, shader = add_material(source, name)
        place, scale = tree.nodes.new("ShaderNodeTexCoord"), tree.nodes.new("ShaderNodeVectorMath")
        scale.operation = "MULTIPLY_ADD"
        scale.inputs[1].default_value, scale.inputs[2].default_value = (0, 0, 0), (factor, 0.5, 1 - factor)
        tree.links.new(scale.inputs[0], place.outputs["Object"])
        tree.links.new(shader.inputs["Base Color"], scale.outputs[0])
    add_image_material(source, new_image("base", np.ones((8, 8, 4))), "top")
    heights = np.array([polygon.center.z for polygon in source.data.polygons])
    source.data.polygons.foreach_set("material_index", np.digitize(heights, (-0.3, 0.3)).astype(np.int32))
    target = copy_without_materials(source)
    stages = []
    job = workflow.transfer(source, target, ["texture"], OPTIONS)
    finish(job, lambda progress: stages.append((progress.stage, progress.fraction)))
    assert len({fraction for stage, fraction in stages if stage.startswith("Baking")}) == 1
    picture = pixels_of(new_material_parts(target)[1]["Base Color"])
    for row, color in ((230, (0.25, 0.5, 0.75)), (128, (1, 0.5, 0)), (26, (1, 1, 1))):
        encoded = [1.055 * value ** (1 / 2.4) - 0.055 if value else 0 for value in color]
        np.testing.assert_allclose(np.median(picture[row, 60:200, :3], axis=0), encoded, atol=0.01)


def test_another_surface_is_baked() -> None:
    source = blob("source")
    tree, _ = add_material(source)
    tree.nodes.clear()
    output, diffuse = tree.nodes.new("ShaderNodeOutputMaterial"), tree.nodes.new("ShaderNodeBsdfDiffuse")
    tree.links.new(diffuse.inputs["Color"], add_image_node(tree, new_image("base", waves())).outputs["Color"])
    tree.links.new(output.inputs["Surface"], diffuse.outputs[0])
    target = copy_without_materials(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_material_parts(target)
    small = pixels_of(found["Base Color"])[48:208, 64:192][::4, ::4, :3]
    assert np.abs(small - waves()[12:52, 16:48, :3]).mean() < 0.12


def test_a_normal_map_that_names_its_uv_map_and_a_white_that_is_baked() -> None:
    """As glTF files come in: no bake of the normals, and 8 bits for an image multiplied by vertex colors."""
    source = blob("source")
    tree, shader = add_material(source)
    colors = source.data.color_attributes.new("Color", "FLOAT_COLOR", "CORNER")
    colors.data.foreach_set("color", np.ones(4 * len(source.data.loops), np.float32))
    mix, vertex_color = tree.nodes.new("ShaderNodeMix"), tree.nodes.new("ShaderNodeVertexColor")
    mix.data_type, mix.blend_type, vertex_color.layer_name = "RGBA", "MULTIPLY", "Color"
    mix.inputs[0].default_value = 1
    one, two = (socket for socket in mix.inputs if socket.enabled and socket.type == "RGBA")
    tree.links.new(one, add_image_node(tree, new_image("white", np.ones((64, 64, 4)))).outputs["Color"])
    tree.links.new(two, vertex_color.outputs["Color"])
    tree.links.new(shader.inputs["Base Color"], next(socket for socket in mix.outputs if socket.enabled))
    normal = tree.nodes.new("ShaderNodeNormalMap")
    normal.uv_map = "UVMap"
    relief = add_image_node(tree, new_image("relief", np.full((8, 8, 4), (0.6, 0.4, 0.95, 1)), "Non-Color"))
    tree.links.new(normal.inputs["Color"], relief.outputs["Color"])
    tree.links.new(shader.inputs["Normal"], normal.outputs["Normal"])
    target = copy_without_materials(source)
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    (baked,) = [line for line in report.lines() if "baked" in line]
    assert "normal" not in baked
    _, found = new_material_parts(target)
    assert {images.bit_depth(image) for image in found.values()} == {8}
    assert found["Base Color"].colorspace_settings.name == "sRGB"


def test_mixed_shaders_are_baked_input_by_input() -> None:
    """Metal and cloth, mixed by an image, with one normal map: each input is mixed as the shaders are."""
    source = blob("source")
    tree, metal = add_material(source)
    cloth, mix = tree.nodes.new("ShaderNodeBsdfPrincipled"), tree.nodes.new("ShaderNodeMixShader")
    factor = add_image_node(tree, new_image("factor", waves(), "Non-Color"))
    for shader, color, metallic, rough in ((metal, (0.8, 0.1, 0.1, 1), 1, 0.2), (cloth, (0.1, 0.1, 0.8, 1), 0, 0.8)):
        shader.inputs["Base Color"].default_value = color
        shader.inputs["Metallic"].default_value, shader.inputs["Roughness"].default_value = metallic, rough
    relief = add_image_node(tree, new_image("relief", np.full((8, 8, 4), (0.6, 0.4, 0.95, 1)), "Non-Color"))
    normal = tree.nodes.new("ShaderNodeNormalMap")
    tree.links.new(normal.inputs["Color"], relief.outputs["Color"])
    tree.links.new(mix.inputs[0], factor.outputs["Color"])
    for side, shader in ((1, metal), (2, cloth)):
        tree.links.new(shader.inputs["Normal"], normal.outputs["Normal"])
        tree.links.new(mix.inputs[side], shader.outputs[0])
    tree.links.new(tree.nodes["Material Output"].inputs["Surface"], mix.outputs[0])
    target = copy_without_materials(source)
    before = data_block_names()
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_material_parts(target)
    assert set(found) == {"Base Color", "Metallic", "Roughness", "Normal"}
    assert data_block_names()["node_groups"] == before["node_groups"]
    assert found["Normal"].name == "relief on twin"
    share = waves()[SAME_TEXELS][..., :3] @ LUMA
    for socket, one, other in (("Metallic", 1, 0), ("Roughness", 0.2, 0.8)):
        truth = one * (1 - share) + other * share
        assert np.median(np.abs(at_texels(found[socket])[..., 0] - truth)) < 0.08, socket
    red = 0.8 * (1 - share) + 0.1 * share
    assert np.median(np.abs(at_texels(found["Base Color"])[..., 0] - (1.055 * red ** (1 / 2.4) - 0.055))) < 0.08


@pytest.mark.parametrize("added", [True, False])
def test_emission_beside_a_principled_shader(added: bool) -> None:
    """Added or mixed, it shines as strongly as it did and leaves the other's roughness alone."""
    source = blob("source")
    tree, shader = add_material(source)
    shader.inputs["Roughness"].default_value = 0.3
    glow = tree.nodes.new("ShaderNodeEmission")
    glow.inputs["Color"].default_value, glow.inputs["Strength"].default_value = (0.2, 0.5, 0.1, 1), 3
    both = tree.nodes.new("ShaderNodeAddShader" if added else "ShaderNodeMixShader")
    tree.links.new(
        shader.inputs["Metallic"], add_image_node(tree, new_image("metal", np.ones((8, 8, 4)), "Non-Color")).outputs[0]
    )
    for socket, one in zip(both.inputs[-2:], (shader, glow), strict=True):
        tree.links.new(socket, one.outputs[0])
    tree.links.new(tree.nodes["Material Output"].inputs["Surface"], both.outputs[0])
    target = copy_without_materials(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    material, found = new_material_parts(target)
    new = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    assert new.inputs["Roughness"].default_value == pytest.approx(0.3)
    assert new.inputs["Emission Strength"].default_value == 1
    shines = np.median(pixels_of(found["Emission Color"])[48:208, 64:192, :3], axis=(0, 1))
    if not added:  # it fits into sRGB then
        shines = ((shines + 0.055) / 1.055) ** 2.4
    np.testing.assert_allclose(shines, np.array((0.6, 1.5, 0.3)) * (1 if added else 0.5), atol=0.01)
    assert np.median(pixels_of(found["Metallic"])[48:208, 64:192, 0]) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("side", [1, 2])
def test_a_mix_with_transparency_is_alpha(side: int) -> None:
    """A shader mixed with transparency keeps its images; the factor is the alpha."""
    source = blob("source")
    tree, shader = add_material(source)
    clear, mix = tree.nodes.new("ShaderNodeBsdfTransparent"), tree.nodes.new("ShaderNodeMixShader")
    base = add_image_node(tree, new_image("base", waves()))
    tree.links.new(shader.inputs["Base Color"], base.outputs["Color"])
    tree.links.new(mix.inputs[0], add_image_node(tree, new_image("cut", waves(seed=5), "Non-Color")).outputs["Color"])
    tree.links.new(mix.inputs[side], shader.outputs[0])
    tree.links.new(mix.inputs[3 - side], clear.outputs[0])
    tree.links.new(tree.nodes["Material Output"].inputs["Surface"], mix.outputs[0])
    target = copy_without_materials(source)
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    assert not any("baked" in line for line in report.lines())
    _, found = new_material_parts(target)
    assert set(found) == {"Base Color", "Alpha"}
    share = waves(seed=5)[SAME_TEXELS][..., :3] @ LUMA
    assert np.median(np.abs(at_texels(found["Alpha"])[..., 3] - (share if side == 2 else 1 - share))) < 0.08
    assert np.median(np.abs(at_texels(found["Alpha"])[..., :3] - waves()[SAME_TEXELS][..., :3])) < 0.1


def test_displacements_of_several_slots_are_of_one_scale() -> None:
    """Scales and midlevels that differ from slot to slot, and a slot without: the same heights on the target."""
    source = blob("source")
    for name, scale, middle, height in (("low", 0.1, 0.5, 0.9), ("high", 0.4, 0.0, 0.25), ("flat", 0, 0, 0)):
        tree, _ = add_material(source, name)
        if scale:
            lift = tree.nodes.new("ShaderNodeDisplacement")
            lift.inputs["Scale"].default_value, lift.inputs["Midlevel"].default_value = scale, middle
            image = add_image_node(tree, new_image(name, np.full((8, 8, 4), (height, height, height, 1)), "Non-Color"))
            tree.links.new(lift.inputs["Height"], image.outputs["Color"])
            tree.links.new(tree.nodes["Material Output"].inputs["Displacement"], lift.outputs[0])
    heights = np.array([polygon.center.z for polygon in source.data.polygons])
    source.data.polygons.foreach_set("material_index", np.digitize(heights, (-0.3, 0.3)).astype(np.int32))
    target = copy_without_materials(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    tree = target.material_slots[-1].material.node_tree
    lift = next(node for node in tree.nodes if node.type == "DISPLACEMENT")
    picture = pixels_of(lift.inputs["Height"].links[0].from_node.image)[..., 0]
    scale, middle = (lift.inputs[name].default_value for name in ("Scale", "Midlevel"))
    for row, lifted in ((230, 0.04), (128, 0.1), (26, 0.0)):
        assert np.median(scale * (picture[row, 60:200] - middle)) == pytest.approx(lifted, abs=0.005)


@pytest.mark.parametrize("kind", ["group", "scale", "both"])
def test_heights_of_any_nodes(kind: str) -> None:
    """A Displacement node in a group, and one whose scale is a picture too: the same heights on the target."""
    source = blob("source")
    tree, _ = add_material(source)
    outer, inner = tree, tree
    if kind != "scale":
        inner = bpy.data.node_groups.new("lifts", "ShaderNodeTree")
        inner.interface.new_socket("Displacement", in_out="OUTPUT", socket_type="NodeSocketVector")
        node = outer.nodes.new("ShaderNodeGroup")
        node.node_tree = inner
    lift, noise = inner.nodes.new("ShaderNodeDisplacement"), inner.nodes.new("ShaderNodeMath")
    image = add_image_node(inner, new_image("height", np.full((8, 8, 4), (0.6, 0.6, 0.6, 1)), "Non-Color"))
    noise.operation = "POWER"
    noise.inputs[1].default_value = 2
    inner.links.new(noise.inputs[0], image.outputs["Color"])
    inner.links.new(lift.inputs["Height"], noise.outputs[0])
    lift.inputs["Midlevel"].default_value, lift.inputs["Scale"].default_value = 0.5, 0.1
    expected = (0.36 - 0.5) * 0.1
    if kind != "group":
        inner.links.new(lift.inputs["Scale"], image.outputs["Color"])
        expected = (0.36 - 0.5) * 0.6
    if kind == "scale":
        out = lift.outputs[0]
    else:
        inner.links.new(inner.nodes.new("NodeGroupOutput").inputs[0], lift.outputs[0])
        out = node.outputs[0]
    outer.links.new(outer.nodes["Material Output"].inputs["Displacement"], out)
    target = copy_without_materials(source)
    groups = len(bpy.data.node_groups)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    assert len(bpy.data.node_groups) == groups
    made = target.material_slots[-1].material.node_tree
    lift = next(one for one in made.nodes if one.type == "DISPLACEMENT")
    picture = pixels_of(lift.inputs["Height"].links[0].from_node.image)[..., 0]
    scale, middle = (lift.inputs[name].default_value for name in ("Scale", "Midlevel"))
    lifted = scale * (picture[60:200, 60:200] - middle)
    np.testing.assert_allclose(np.quantile(lifted, (0.05, 0.5, 0.95)), expected, atol=0.001)


def test_vector_displacement_is_left_out_and_told() -> None:
    source = blob("source")
    tree, _, texture = add_image_material(source, new_image("base", waves()))
    lift = tree.nodes.new("ShaderNodeVectorDisplacement")
    tree.links.new(lift.inputs["Vector"], texture.outputs["Color"])
    tree.links.new(tree.nodes["Material Output"].inputs["Displacement"], lift.outputs[0])
    target = copy_without_materials(source)
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    assert any("vector" in line for line in report.lines())
    assert set(new_material_parts(target)[1]) == {"Base Color"}


def directions(obj: bpy.types.Object, image: bpy.types.Image) -> tuple[np.ndarray, np.ndarray]:
    """At the middle of each face away from its poles: its smooth normal, and where its normal map leans to in space."""
    mesh, picture = obj.data, pixels_of(image)
    mesh.calc_tangents(uvmap=mesh.uv_layers[0].name)
    faces = [face for face in mesh.polygons if face.loop_total == 4]
    loops = np.array([list(face.loop_indices) for face in faces])

    def mean(values: list[Any]) -> np.ndarray:
        return np.array(values, float)[loops].mean(axis=1)

    uvs = mean([item.vector[:] for item in mesh.uv_layers[0].uv])
    normal, tangent = mean([loop.normal[:] for loop in mesh.loops]), mean([loop.tangent[:] for loop in mesh.loops])
    hand = mean([loop.bitangent_sign for loop in mesh.loops])[:, None]
    size = len(picture)
    rows, columns = ((1 - uvs[:, 1]) * size).astype(int), (uvs[:, 0] * size).astype(int)
    x, y, z = (picture[rows, columns, :3].astype(float) * 2 - 1).T[..., None]
    return normal, x * tangent + y * hand * np.cross(normal, tangent) + z * normal


def test_baked_normals_keep_their_direction_in_space() -> None:
    """Normals of other nodes than a normal map, from a source with a UV map of its own."""
    source = blob("source")
    tree, shader = add_material(source)
    geometry, lean = tree.nodes.new("ShaderNodeNewGeometry"), tree.nodes.new("ShaderNodeVectorMath")
    lean.inputs[1].default_value = (0.4, 0.2, 0)
    tree.links.new(lean.inputs[0], geometry.outputs["Normal"])
    tree.links.new(shader.inputs["Normal"], lean.outputs[0])
    target = copy_without_materials(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    normal, found = directions(target, new_material_parts(target)[1]["Normal"])
    truth = normal / np.linalg.norm(normal, axis=1, keepdims=True) + (0.4, 0.2, 0)
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    away = np.degrees(np.arccos(np.clip((truth * found).sum(axis=1), -1, 1)))
    assert np.quantile(away, 0.9) < 4


def test_normal_maps_of_several_strengths() -> None:
    """Slots whose strengths differ, below and above 1: each is as strong in the one new map, as Cycles has it."""
    source = blob("source")
    picture = np.full((8, 8, 4), (0.7, 0.4, 0.95, 1))
    for strength in (0.5, 2.0):
        tree, shader = add_material(source)
        relief = tree.nodes.new("ShaderNodeNormalMap")
        relief.inputs["Strength"].default_value = strength
        image = add_image_node(tree, new_image("relief", picture, "Non-Color"))
        tree.links.new(relief.inputs["Color"], image.outputs["Color"])
        tree.links.new(shader.inputs["Normal"], relief.outputs["Normal"])
    heights = np.array([polygon.center.z for polygon in source.data.polygons])
    source.data.polygons.foreach_set("material_index", (heights > 0).astype(np.int32))
    target = copy_without_materials(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    read = pixels_of(new_material_parts(target)[1]["Normal"])
    # The same by Cycles: a normal of those nodes and a vector of nothing, which is more than a normal map.
    for material in source.data.materials:
        tree = material.node_tree
        shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
        nothing = tree.nodes.new("ShaderNodeVectorMath")
        tree.links.new(nothing.inputs[0], shader.inputs["Normal"].links[0].from_socket)
        tree.links.new(shader.inputs["Normal"], nothing.outputs[0])
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    baked = pixels_of(new_material_parts(target)[1]["Normal"])
    assert np.quantile(np.abs(read - baked)[30:226, 30:226, :3], 0.95) < 3 / 255
