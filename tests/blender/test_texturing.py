"""Whole materials carried over in Blender: what is read, baked, written; nothing that was there is changed."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from meshkin import workflow
from meshkin.errors import Cancelled, InputError, StorageError
from meshkin.progress import finish
from meshkin.scene import compat, images, shading

OPTIONS = workflow.Options(features="geometric", texture_size=256, margin=2)


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


def twin(source: bpy.types.Object) -> bpy.types.Object:
    """A copy of a mesh without its materials: the map onto it is nearly the identity, and so are its textures."""
    copy = bpy.data.objects.new("twin", source.data.copy())
    copy.data.materials.clear()
    bpy.context.scene.collection.objects.link(copy)
    return copy


def names() -> dict[str, list[str]]:
    kinds = ("images", "materials", "meshes", "objects", "scenes", "node_groups")
    return {kind: sorted(one.name for one in getattr(bpy.data, kind)) for kind in kinds}


def state_of(images_: dict[str, bpy.types.Image]) -> dict[str, bytes]:
    return {name: pixels_of(image).tobytes() for name, image in images_.items()}


def test_every_channel_of_a_material() -> None:
    source = blob("source")
    given = everything(source)
    target = twin(source)
    old = bpy.data.materials.new("old")
    target.data.materials.append(old)
    before, contents = names(), state_of(given)
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    assert state_of(given) == contents
    material, found = new_parts(target)
    assert target.material_slots[0].material == old
    assert {polygon.material_index for polygon in target.data.polygons} == {1}
    assert set(found) == {"Base Color", "Alpha", "Roughness", "Metallic", "Normal", "Emission Color"}
    assert found["Alpha"] == found["Base Color"]
    assert found["Base Color"].name == "base on twin"
    assert all(image.packed_file for image in found.values())
    assert found["Base Color"].colorspace_settings.name == "sRGB"
    assert found["Roughness"].colorspace_settings.name == "Non-Color"
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    assert shader.inputs["Emission Strength"].default_value == 2.5
    assert shader.inputs["IOR"].default_value == pytest.approx(1.33)
    normal = shader.inputs["Normal"].links[0].from_node
    assert normal.inputs["Strength"].default_value == pytest.approx(0.7)
    for image in found.values():
        assert any(image.name in line for line in report.lines())
    added = {kind: sorted(set(after) - set(before[kind])) for kind, after in names().items()}
    assert added["images"] == sorted({image.name for image in found.values()})
    assert [len(added[kind]) for kind in ("materials", "meshes", "objects", "scenes", "node_groups")] == [1, 0, 0, 0, 0]
    middle = (slice(48, 208), slice(64, 192))
    expected = {
        "Base Color": given["base"],
        "Emission Color": given["glow"],
    }
    for socket, image in expected.items():
        small = pixels_of(found[socket])[middle][::4, ::4, :3]
        truth = pixels_of(image)[12:52, 16:48, :3]
        assert np.abs(small - truth).mean() < 0.12, socket
    assert (
        np.median(np.abs(pixels_of(found["Roughness"])[middle][::4, ::4, 0] - pixels_of(given["orm"])[12:52, 16:48, 1]))
        < 0.1
    )
    assert (
        np.median(np.abs(pixels_of(found["Alpha"])[middle][::4, ::4, 3] - pixels_of(given["base"])[12:52, 16:48, 3]))
        < 0.1
    )


def test_chosen_channels_only() -> None:
    source = blob("source")
    everything(source)
    target = twin(source)
    finish(
        workflow.transfer(
            source, target, ["texture"], workflow.Options(**{**vars(OPTIONS), "channels": ("roughness",)})
        )
    )
    _, found = new_parts(target)
    assert set(found) == {"Roughness"}


def test_several_materials_and_plain_values() -> None:
    """Slots that differ only by values: a picture of them; what they share stays a value."""
    source = blob("source")
    for name, colour, rough in (("red", (0.5, 0, 0, 1), 0.2), ("blue", (0, 0, 0.5, 1), 0.8)):
        _, shader = shaded(source, name)
        shader.inputs["Base Color"].default_value = colour
        shader.inputs["Roughness"].default_value = rough
        shader.inputs["Metallic"].default_value = 0.75
    heights = np.array([polygon.center.z for polygon in source.data.polygons])
    source.data.polygons.foreach_set("material_index", (heights > 0).astype(np.int32))
    target = twin(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    material, found = new_parts(target)
    assert set(found) == {"Base Color", "Roughness"}
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    assert shader.inputs["Metallic"].default_value == 0.75
    colours = pixels_of(found["Base Color"])
    upper, lower = colours[20:60, 40:200], colours[196:236, 40:200]
    encoded = 1.055 * 0.5 ** (1 / 2.4) - 0.055
    assert np.median(upper[..., 2]) == pytest.approx(encoded, abs=0.01)
    assert np.median(lower[..., 0]) == pytest.approx(encoded, abs=0.01)
    assert np.median(pixels_of(found["Roughness"])[20:60, 40:200, 0]) == pytest.approx(0.8, abs=0.01)


def test_nodes_too_complex_are_baked() -> None:
    """A procedural colour: baked on a copy of the source, whose scene stays as it was."""
    source = blob("source")
    tree, shader = shaded(source)
    coordinates, split, ramp = (
        tree.nodes.new(f"ShaderNode{name}") for name in ("NewGeometry", "SeparateXYZ", "ValToRGB")
    )
    tree.links.new(split.inputs[0], coordinates.outputs["Position"])
    tree.links.new(ramp.inputs[0], split.outputs["Z"])
    tree.links.new(shader.inputs["Base Color"], ramp.outputs["Color"])
    target = twin(source)
    before, engine = names(), bpy.context.scene.render.engine
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    assert any("baked" in line for line in report.lines())
    _, found = new_parts(target)
    after = names()
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
        tree, shader = shaded(source, name)
        place, scale = tree.nodes.new("ShaderNodeTexCoord"), tree.nodes.new("ShaderNodeVectorMath")
        scale.operation = "MULTIPLY_ADD"
        scale.inputs[1].default_value, scale.inputs[2].default_value = (0, 0, 0), (factor, 0.5, 1 - factor)
        tree.links.new(scale.inputs[0], place.outputs["Object"])
        tree.links.new(shader.inputs["Base Color"], scale.outputs[0])
    tree, shader = shaded(source, "top")
    tree.links.new(shader.inputs["Base Color"], textured(tree, new_image("base", np.ones((8, 8, 4)))).outputs["Color"])
    heights = np.array([polygon.center.z for polygon in source.data.polygons])
    source.data.polygons.foreach_set("material_index", np.digitize(heights, (-0.3, 0.3)).astype(np.int32))
    target = twin(source)
    stages = []
    job = workflow.transfer(source, target, ["texture"], OPTIONS)
    finish(job, lambda progress: stages.append((progress.stage, progress.fraction)))
    assert {fraction for stage, fraction in stages if stage.startswith("Baking")} == {0}
    picture = pixels_of(new_parts(target)[1]["Base Color"])
    for row, colour in ((230, (0.25, 0.5, 0.75)), (128, (1, 0.5, 0)), (26, (1, 1, 1))):
        encoded = [1.055 * value ** (1 / 2.4) - 0.055 if value else 0 for value in colour]
        np.testing.assert_allclose(np.median(picture[row, 60:200, :3], axis=0), encoded, atol=0.01)


def at_texels(image: bpy.types.Image) -> np.ndarray:
    """Texels of a twin's picture (256) that lie where the middles of the texels of a picture of 64 do, (40, 32, 4)."""
    return pixels_of(image)[48:208, 64:192].reshape(40, 4, 32, 4, 4).mean(axis=(1, 3))


HERE = (slice(12, 52), slice(16, 48))
"""The same texels in a picture of 64."""
LUMA = np.array([0.2126, 0.7152, 0.0722])


def test_mixed_shaders_are_baked_input_by_input() -> None:
    """Metal and cloth, mixed by an image, with one normal map: each input is mixed as the shaders are."""
    source = blob("source")
    tree, metal = shaded(source)
    cloth, mix = tree.nodes.new("ShaderNodeBsdfPrincipled"), tree.nodes.new("ShaderNodeMixShader")
    factor = textured(tree, new_image("factor", waves(), "Non-Color"))
    for shader, colour, metallic, rough in ((metal, (0.8, 0.1, 0.1, 1), 1, 0.2), (cloth, (0.1, 0.1, 0.8, 1), 0, 0.8)):
        shader.inputs["Base Color"].default_value = colour
        shader.inputs["Metallic"].default_value, shader.inputs["Roughness"].default_value = metallic, rough
    relief = textured(tree, new_image("relief", np.full((8, 8, 4), (0.6, 0.4, 0.95, 1)), "Non-Color"))
    normal = tree.nodes.new("ShaderNodeNormalMap")
    tree.links.new(normal.inputs["Color"], relief.outputs["Color"])
    tree.links.new(mix.inputs[0], factor.outputs["Color"])
    for side, shader in ((1, metal), (2, cloth)):
        tree.links.new(shader.inputs["Normal"], normal.outputs["Normal"])
        tree.links.new(mix.inputs[side], shader.outputs[0])
    tree.links.new(tree.nodes["Material Output"].inputs["Surface"], mix.outputs[0])
    target = twin(source)
    before = names()
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_parts(target)
    assert set(found) == {"Base Color", "Metallic", "Roughness", "Normal"}
    assert names()["node_groups"] == before["node_groups"]
    assert found["Normal"].name == "relief on twin"
    share = waves()[HERE][..., :3] @ LUMA
    for socket, one, other in (("Metallic", 1, 0), ("Roughness", 0.2, 0.8)):
        truth = one * (1 - share) + other * share
        assert np.median(np.abs(at_texels(found[socket])[..., 0] - truth)) < 0.08, socket
    red = 0.8 * (1 - share) + 0.1 * share
    assert np.median(np.abs(at_texels(found["Base Color"])[..., 0] - (1.055 * red ** (1 / 2.4) - 0.055))) < 0.08


@pytest.mark.parametrize("added", [True, False])
def test_emission_beside_a_principled_shader(added: bool) -> None:
    """Added or mixed, it shines as strongly as it did and leaves the other's roughness alone."""
    source = blob("source")
    tree, shader = shaded(source)
    shader.inputs["Roughness"].default_value = 0.3
    glow = tree.nodes.new("ShaderNodeEmission")
    glow.inputs["Color"].default_value, glow.inputs["Strength"].default_value = (0.2, 0.5, 0.1, 1), 3
    both = tree.nodes.new("ShaderNodeAddShader" if added else "ShaderNodeMixShader")
    tree.links.new(
        shader.inputs["Metallic"], textured(tree, new_image("metal", np.ones((8, 8, 4)), "Non-Color")).outputs[0]
    )
    for socket, one in zip(both.inputs[-2:], (shader, glow), strict=True):
        tree.links.new(socket, one.outputs[0])
    tree.links.new(tree.nodes["Material Output"].inputs["Surface"], both.outputs[0])
    target = twin(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    material, found = new_parts(target)
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
    tree, shader = shaded(source)
    clear, mix = tree.nodes.new("ShaderNodeBsdfTransparent"), tree.nodes.new("ShaderNodeMixShader")
    base = textured(tree, new_image("base", waves()))
    tree.links.new(shader.inputs["Base Color"], base.outputs["Color"])
    tree.links.new(mix.inputs[0], textured(tree, new_image("cut", waves(seed=5), "Non-Color")).outputs["Color"])
    tree.links.new(mix.inputs[side], shader.outputs[0])
    tree.links.new(mix.inputs[3 - side], clear.outputs[0])
    tree.links.new(tree.nodes["Material Output"].inputs["Surface"], mix.outputs[0])
    target = twin(source)
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    assert not any("baked" in line for line in report.lines())
    _, found = new_parts(target)
    assert set(found) == {"Base Color", "Alpha"}
    share = waves(seed=5)[HERE][..., :3] @ LUMA
    assert np.median(np.abs(at_texels(found["Alpha"])[..., 3] - (share if side == 2 else 1 - share))) < 0.08
    assert np.median(np.abs(at_texels(found["Alpha"])[..., :3] - waves()[HERE][..., :3])) < 0.1


def test_displacements_of_several_slots_are_of_one_scale() -> None:
    """Scales and midlevels that differ from slot to slot, and a slot without: the same heights on the target."""
    source = blob("source")
    for name, scale, middle, height in (("low", 0.1, 0.5, 0.9), ("high", 0.4, 0.0, 0.25), ("flat", 0, 0, 0)):
        tree, _ = shaded(source, name)
        if scale:
            lift = tree.nodes.new("ShaderNodeDisplacement")
            lift.inputs["Scale"].default_value, lift.inputs["Midlevel"].default_value = scale, middle
            image = textured(tree, new_image(name, np.full((8, 8, 4), (height, height, height, 1)), "Non-Color"))
            tree.links.new(lift.inputs["Height"], image.outputs["Color"])
            tree.links.new(tree.nodes["Material Output"].inputs["Displacement"], lift.outputs[0])
    heights = np.array([polygon.center.z for polygon in source.data.polygons])
    source.data.polygons.foreach_set("material_index", np.digitize(heights, (-0.3, 0.3)).astype(np.int32))
    target = twin(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    tree = target.material_slots[-1].material.node_tree
    lift = next(node for node in tree.nodes if node.type == "DISPLACEMENT")
    picture = pixels_of(lift.inputs["Height"].links[0].from_node.image)[..., 0]
    scale, middle = (lift.inputs[name].default_value for name in ("Scale", "Midlevel"))
    for row, lifted in ((230, 0.04), (128, 0.1), (26, 0.0)):
        assert np.median(scale * (picture[row, 60:200] - middle)) == pytest.approx(lifted, abs=0.005)


def test_materials_that_modifiers_set_and_slots_that_are_not_there() -> None:
    source, target = blob("source"), blob("target")
    material = bpy.data.materials.new("dress")
    tree = compat.node_tree(material)
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    tree.links.new(shader.inputs["Base Color"], textured(tree, new_image("base", waves())).outputs["Color"])
    group = bpy.data.node_groups.new("dress", "GeometryNodeTree")
    for way in ("INPUT", "OUTPUT"):
        group.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    given, put, end = (
        group.nodes.new(name) for name in ("NodeGroupInput", "GeometryNodeSetMaterial", "NodeGroupOutput")
    )
    put.inputs["Material"].default_value = material
    group.links.new(put.inputs["Geometry"], given.outputs[0])
    group.links.new(end.inputs[0], put.outputs[0])
    modifier = source.modifiers.new("dress", "NODES")
    modifier.node_group = group
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    material, found = new_parts(target)
    assert material.name == "dress on target"
    assert np.median(pixels_of(found["Base Color"])[48:208, 64:192, :3]) > 0.2
    source.modifiers.clear()
    source.data.materials.append(bpy.data.materials["dress"])
    source.data.polygons.foreach_set("material_index", np.full(len(source.data.polygons), 7, np.int32))
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_parts(target)
    assert np.median(pixels_of(found["Base Color"])[48:208, 64:192, :3]) > 0.2


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize("deep", [True, False])
def test_colours_with_alpha(deep: bool, used: bool, tmp_path: Path) -> None:
    """A colour beside its alpha is the image's own; without, it is multiplied by it, as Blender shows it."""
    source = blob("source")
    tree, shader = shaded(source)
    image = new_image(
        "base", np.full((8, 8, 4), (0.8, 0.6, 0.4, 0.25)), "Linear Rec.709" if deep else "sRGB", float_buffer=deep
    )
    if deep:
        image.filepath_raw, image.file_format = str(tmp_path / "base.exr"), "OPEN_EXR"
        image.save()
        image.source = "FILE"
        image.alpha_mode = "STRAIGHT"
        image.reload()
    node = textured(tree, image)
    tree.links.new(shader.inputs["Base Color"], node.outputs["Color"])
    if used:
        tree.links.new(shader.inputs["Alpha"], node.outputs["Alpha"])
    target = twin(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_parts(target)
    values = pixels_of(found["Base Color"])[128, 128]
    # What Blender holds of floating-point images is multiplied by alpha already.
    held = np.array((0.8, 0.6, 0.4)) * (0.25 if deep or not used else 1)
    np.testing.assert_allclose(values, (*held, 0.25 if used else 1), atol=0.004)


def test_a_normal_map_that_names_its_uv_map_and_a_white_that_is_baked() -> None:
    """As glTF files come in: no bake of the normals, and 8 bits for an image multiplied by vertex colours."""
    source = blob("source")
    tree, shader = shaded(source)
    colours = source.data.color_attributes.new("Color", "FLOAT_COLOR", "CORNER")
    colours.data.foreach_set("color", np.ones(4 * len(source.data.loops), np.float32))
    mix, painted = tree.nodes.new("ShaderNodeMix"), tree.nodes.new("ShaderNodeVertexColor")
    mix.data_type, mix.blend_type, painted.layer_name = "RGBA", "MULTIPLY", "Color"
    mix.inputs[0].default_value = 1
    one, two = (socket for socket in mix.inputs if socket.enabled and socket.type == "RGBA")
    tree.links.new(one, textured(tree, new_image("white", np.ones((64, 64, 4)))).outputs["Color"])
    tree.links.new(two, painted.outputs["Color"])
    tree.links.new(shader.inputs["Base Color"], next(socket for socket in mix.outputs if socket.enabled))
    normal = tree.nodes.new("ShaderNodeNormalMap")
    normal.uv_map = "UVMap"
    relief = textured(tree, new_image("relief", np.full((8, 8, 4), (0.6, 0.4, 0.95, 1)), "Non-Color"))
    tree.links.new(normal.inputs["Color"], relief.outputs["Color"])
    tree.links.new(shader.inputs["Normal"], normal.outputs["Normal"])
    target = twin(source)
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    (baked,) = [line for line in report.lines() if "baked" in line]
    assert "normal" not in baked
    _, found = new_parts(target)
    assert {images.depth(image) for image in found.values()} == {8}
    assert found["Base Color"].colorspace_settings.name == "sRGB"


def test_every_input_with_an_image() -> None:
    """Also those beside the usual ones; an index of refraction keeps its values beyond 1."""
    source = blob("source")
    tree, shader = shaded(source)
    node = textured(tree, new_image("base", np.full((8, 8, 4), (0.5, 0.5, 0.5, 1)), "Non-Color"))
    add = tree.nodes.new("ShaderNodeMath")
    add.operation = "ADD"
    add.inputs[1].default_value = 1
    tree.links.new(add.inputs[0], node.outputs["Color"])
    tree.links.new(shader.inputs["IOR"], add.outputs[0])
    sockets = {one.socket for one in shading.INPUTS if one.socket in shader.inputs} - {"IOR", "Alpha"}
    for name in sockets:
        tree.links.new(shader.inputs[name], node.outputs["Color"])
    assert {"Specular Tint", "Sheen Tint", "Coat Tint", "Subsurface Radius", "Thin Film IOR"} < sockets
    target = twin(source)
    finish(workflow.transfer(source, target, ["texture"], workflow.Options(**{**vars(OPTIONS), "texture_size": 64})))
    _, found = new_parts(target)
    assert set(found) == sockets | {"IOR"}
    assert pixels_of(found["IOR"])[32, 32, 0] == pytest.approx(1.5, abs=0.005)


def test_a_tiff_of_16_bits(tmp_path: Path) -> None:
    source = blob("source")
    tree, shader = shaded(source)
    deep = new_image("deep", waves(16), "Non-Color", float_buffer=True)
    deep = saved_16_bits(deep, tmp_path / "deep.tif", "TIFF")
    deep.colorspace_settings.name = "Non-Color"
    tree.links.new(shader.inputs["Roughness"], textured(tree, deep).outputs["Color"])
    target = twin(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_parts(target)
    assert images.depth(found["Roughness"]) == 16


def test_objects_that_share_the_targets_mesh_are_named() -> None:
    source = blob("source")
    everything(source)
    target = twin(source)
    other = bpy.data.objects.new("other", target.data)
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    assert any("“other”" in line for line in report.lines())
    assert other.data == target.data


def test_another_surface_is_baked() -> None:
    source = blob("source")
    tree, _ = shaded(source)
    tree.nodes.clear()
    output, diffuse = tree.nodes.new("ShaderNodeOutputMaterial"), tree.nodes.new("ShaderNodeBsdfDiffuse")
    tree.links.new(diffuse.inputs["Color"], textured(tree, new_image("base", waves())).outputs["Color"])
    tree.links.new(output.inputs["Surface"], diffuse.outputs[0])
    target = twin(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_parts(target)
    small = pixels_of(found["Base Color"])[48:208, 64:192][::4, ::4, :3]
    assert np.abs(small - waves()[12:52, 16:48, :3]).mean() < 0.12


@pytest.mark.parametrize("unwrap", ["smart", "xatlas"])
def test_a_target_without_uvs_is_unwrapped(unwrap: str) -> None:
    source, target = blob("source"), blob("target", uvs=False, stretch=1.1)
    tree, shader = shaded(source)
    tree.links.new(shader.inputs["Base Color"], textured(tree, new_image("base", waves())).outputs["Color"])
    mode, selected = bpy.context.mode, [one.name for one in bpy.context.selected_objects]
    report = finish(
        workflow.transfer(source, target, ["texture"], workflow.Options(**{**vars(OPTIONS), "unwrap": unwrap}))
    )
    assert [layer.name for layer in target.data.uv_layers] == ["MeshKin"]
    assert any("had no UV map" in line for line in report.lines())
    assert (bpy.context.mode, [one.name for one in bpy.context.selected_objects]) == (mode, selected)
    uvs = np.empty(len(target.data.loops) * 2, np.float32)
    target.data.uv_layers[0].uv.foreach_get("vector", uvs)
    assert uvs.min() >= 0
    assert uvs.max() <= 1
    _, found = new_parts(target)
    assert pixels_of(found["Base Color"])[..., 3].mean() > 0.2


@pytest.mark.parametrize(("depth", "space"), [(8, "sRGB"), (16, "sRGB"), (32, "Linear Rec.709"), (16, "Non-Color")])
def test_depths_and_colour_spaces_are_kept(depth: int, space: str, tmp_path: Path) -> None:
    source = blob("source")
    tree, shader = shaded(source)
    value = 0.3
    image = new_image("deep", np.full((16, 16, 4), (value, value, value, 1)), space, float_buffer=depth > 8)
    if depth == 16:
        image.colorspace_settings.name = "Non-Color"
        image = saved_16_bits(image, tmp_path / "deep.png", "PNG")
        image.colorspace_settings.name = space
        assert image.is_float
    socket = "Base Color" if space != "Non-Color" else "Roughness"
    tree.links.new(shader.inputs[socket], textured(tree, image).outputs["Color"])
    target = twin(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_parts(target)
    result = found[socket]
    assert (images.depth(result), result.colorspace_settings.name) == (depth, space)
    centre = pixels_of(result)[128, 128, :3]
    np.testing.assert_allclose(centre, pixels_of(image)[8, 8, :3], atol=1.1 / 255 if depth == 8 else 3e-4)


def test_tiles_there_and_back(tmp_path: Path) -> None:
    """A UDIM source: both tiles are read, also packed ones; the target in tiles gets tiles."""
    source = blob("source")
    uvs = np.empty(len(source.data.loops) * 2, np.float32)
    layer = source.data.uv_layers[0]
    layer.uv.foreach_get("vector", uvs)
    tiled = uvs.reshape(-1, 2).copy()
    sides = np.repeat(
        [polygon.center.z > 0 for polygon in source.data.polygons], [p.loop_total for p in source.data.polygons]
    )
    tiled[sides, 0] += 1
    layer.uv.foreach_set("vector", np.clip(tiled, 0, 1.9999).ravel())
    for number, colour in ((1001, (1, 0, 0, 1)), (1002, (0, 0, 1, 1))):
        image = new_image("tile", np.full((8, 8, 4), colour))
        image.filepath_raw, image.file_format = str(tmp_path / f"skin.{number}.png"), "PNG"
        image.save()
        bpy.data.images.remove(image)
    image = bpy.data.images.load(str(tmp_path / "skin.1001.png"))
    image.source, image.name = "TILED", "skin"
    image.filepath_raw = str(tmp_path / "skin.<UDIM>.png")
    image.reload()
    image.pack()
    for number in (1001, 1002):
        (tmp_path / f"skin.{number}.png").unlink()
    tree, shader = shaded(source)
    tree.links.new(shader.inputs["Base Color"], textured(tree, image).outputs["Color"])
    target = twin(source)
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_parts(target)
    result = found["Base Color"]
    assert result.source == "TILED", report.lines()
    assert [tile.number for tile in result.tiles] == [1001, 1002]
    tiles = images.tiles(result)
    assert np.median(tiles[0, 0][140:250, 40:200, 0]) == 255
    assert np.median(tiles[1, 0][10:110, 40:200, 2]) == 255


def test_images_kept_in_a_folder(tmp_path: Path) -> None:
    """Named after their source, and never over a file that is there."""
    source = blob("source")
    tree, shader = shaded(source)
    tree.links.new(shader.inputs["Base Color"], textured(tree, new_image("base", waves())).outputs["Color"])
    target = twin(source)
    options = workflow.Options(**{**vars(OPTIONS), "texture_folder": str(tmp_path / "new")})
    for _ in range(2):
        finish(workflow.transfer(source, target, ["texture"], options))
    files = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert len(files) == 2
    _, found = new_parts(target)
    assert Path(found["Base Color"].filepath).exists()
    assert not found["Base Color"].packed_file


def test_a_preview_is_shown_first_and_taken_back_on_cancel() -> None:
    source = blob("source")
    tree, shader = shaded(source)
    tree.links.new(shader.inputs["Base Color"], textured(tree, new_image("base", waves())).outputs["Color"])
    target = twin(source)
    options = workflow.Options(**{**vars(OPTIONS), "texture_size": 1024, "preview": True})
    before = names()
    job = workflow.transfer(source, target, ["texture"], options)
    sizes = []
    for progress in job:
        if progress.stage.startswith("Preview"):
            sizes = [image.size[0] for image in bpy.data.images if image.name == "base on twin"]
            break
    assert sizes == [512]
    job.close()
    after = names()
    assert {kind: set(after[kind]) - set(before[kind]) for kind in after} == {kind: set() for kind in after}
    assert not target.data.materials
    finish(workflow.transfer(source, target, ["texture"], options))
    assert [image.size[0] for image in bpy.data.images if image.name.startswith("base on twin")] == [1024]


def test_distrust_makes_a_mask() -> None:
    source = blob("source")
    tree, shader = shaded(source)
    tree.links.new(shader.inputs["Base Color"], textured(tree, new_image("base", waves())).outputs["Color"])
    target = blob("target", stretch=1.5)
    options = workflow.Options(**{**vars(OPTIONS), "texture_threshold": 0.95, "map_smoothing": 2.0})
    finish(workflow.transfer(source, target, ["texture"], options))
    mask = next(image for image in bpy.data.images if "mask" in image.name)
    assert pixels_of(mask)[..., 0].max() > 0.9


@pytest.mark.parametrize("what", ["none", "missing", "zero", "no-image", "no-area", "unknown", "unsaved", "movie"])
def test_bad_input_is_named_and_changes_nothing(what: str, tmp_path: Path) -> None:
    source = blob("source")
    target = blob("target", stretch=1.2)
    tree, shader = shaded(source)
    image = new_image("base", waves(8))
    options = vars(OPTIONS)
    if what != "none":
        tree.links.new(shader.inputs["Base Color"], textured(tree, image).outputs["Color"])
    if what in ("missing", "zero"):
        path = tmp_path / "base.png"
        image.filepath_raw, image.file_format = str(path), "PNG"
        image.save()
        image.source = "FILE"
        path.unlink() if what == "missing" else path.write_bytes(b"")
        image.reload()
    elif what == "no-image":
        (tmp_path / "text.png").write_text("this is no picture")
        node = next(node for node in tree.nodes if node.type == "TEX_IMAGE")
        node.image = bpy.data.images.load(str(tmp_path / "text.png"))
    elif what == "no-area":
        layer = target.data.uv_layers[0]
        layer.uv.foreach_set("vector", np.full(len(target.data.loops) * 2, 0.5, np.float32))
    elif what == "unknown":
        options = {**options, "channels": ("colour",)}
    elif what == "unsaved":
        image = bpy.data.images.new("tiles", 8, 8, tiled=True)
        image.pixels.foreach_set(np.tile(np.array([0, 1, 0, 1], np.float32), 64))
        image.update()
        next(node for node in tree.nodes if node.type == "TEX_IMAGE").image = image
    elif what == "movie":
        image.source = "SEQUENCE"
    before = names()
    expected = {
        "none": "no-texture",
        "missing": "image-missing",
        "zero": "image-missing",
        "no-image": "image-missing",
        "no-area": "uvs-no-area",
        "unsaved": "image-unsaved",
    }
    expected |= {"unknown": "channel-unknown", "movie": ""}
    job = workflow.transfer(source, target, ["texture"], workflow.Options(**options))
    if what == "movie":
        report = finish(job)
        assert any("baked" in line for line in report.lines())
        return
    with pytest.raises(InputError) as failure:
        finish(job)
    assert failure.value.code == expected[what]
    assert names() == before
    assert what != "unsaved" or image.pixels[1] == 1


def test_disk_full_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be written to: told before anything is computed, nothing changed."""
    source = blob("source")
    tree, shader = shaded(source)
    tree.links.new(shader.inputs["Base Color"], textured(tree, new_image("base", waves(8))).outputs["Color"])
    target = twin(source)
    before = names()
    options = workflow.Options(**{**vars(OPTIONS), "texture_folder": "/dev/full/textures"})
    with pytest.raises(Exception, match="dev/full"):
        finish(workflow.transfer(source, target, ["texture"], options))
    assert names() == before


def test_no_space_left_loses_nothing(tmp_path: Path) -> None:
    """Files that cannot grow, as on a full disk: a clear error, and nothing is left behind."""
    source = blob("source")
    tree, shader = shaded(source)
    tree.links.new(shader.inputs["Base Color"], textured(tree, new_image("base", waves())).outputs["Color"])
    target = twin(source)
    finish(workflow.match(source, target, OPTIONS))
    options = workflow.Options(**{**vars(OPTIONS), "texture_folder": str(tmp_path / "new")})
    before, slots = names(), len(target.material_slots)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (2_000, 60_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(StorageError):
                finish(workflow.transfer(source, target, ["texture"], options))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert names() == before
        assert len(target.material_slots) == slots
        assert not list((tmp_path / "new").iterdir())


def test_many_slots_one_pixel_and_shared_images() -> None:
    """64 slots, images of one pixel, one of them also used by another object."""
    source = blob("source")
    shared = new_image("shared", np.full((1, 1, 4), (0.2, 0.4, 0.6, 1)))
    for index in range(64):
        tree, shader = shaded(source, f"slot{index}")
        image = shared if index == 0 else new_image(f"image{index}", np.full((1, 1, 4), (index / 64, 0.5, 0, 1)))
        tree.links.new(shader.inputs["Base Color"], textured(tree, image).outputs["Color"])
    count = len(source.data.polygons)
    source.data.polygons.foreach_set("material_index", (np.arange(count) % 64).astype(np.int32))
    other = blob("other")
    tree, shader = shaded(other, "other")
    tree.links.new(shader.inputs["Base Color"], textured(tree, shared).outputs["Color"])
    target = twin(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_parts(target)
    assert found["Base Color"] != shared
    assert len(np.unique(pixels_of(found["Base Color"])[..., 0])) > 50
    assert np.allclose(pixels_of(shared)[0, 0, :3], (0.2, 0.4, 0.6), atol=1 / 255)


def test_simple_nodes_are_read_as_values() -> None:
    """Multiplication by a colour, one minus, and a Mapping node need no bake."""
    source = blob("source")
    tree, shader = shaded(source)
    image = textured(tree, new_image("base", waves()))
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
    found = shading.read(source).wires[0]
    base, rough = found["base_color"], found["roughness"]
    assert not base.baked
    assert not rough.baked
    np.testing.assert_allclose(base.weights[:3], np.diag((0.5, 0.25, 1)))
    np.testing.assert_allclose(
        (rough.offset, rough.weights[:3, 0]), ([1], [-0.2126, -0.7152, -0.0722]), strict=False
    ) if False else None
    assert rough.offset[0] == 1
    np.testing.assert_allclose(rough.weights[:3, 0], (-0.2126, -0.7152, -0.0722))
    c, s = np.cos(0.5), np.sin(0.5)
    np.testing.assert_allclose(base.mapping, [[2 * c, -3 * s, 0.1], [2 * s, 3 * c, 0.2]], atol=1e-6)


def test_cancelled_from_the_start() -> None:
    source = blob("source")
    everything(source)
    target = twin(source)
    before = names()
    job = workflow.transfer(source, target, ["texture"], OPTIONS)
    next(job)
    job.close()
    assert names() == before
    assert Cancelled().exit_code == 130


def test_other_payloads() -> None:
    """Attributes of every domain, materials, UV maps, shape keys and detail, onto a copy with its own."""
    source = blob("source")
    for name in ("upper", "lower"):
        shaded(source, name)
    heights = np.array([polygon.center.z for polygon in source.data.polygons])
    source.data.polygons.foreach_set("material_index", (heights > 0).astype(np.int32))
    marks = source.data.attributes.new("marks", "BOOLEAN", "EDGE")
    flags = np.zeros(len(source.data.edges), bool)
    flags[100:140] = True
    marks.data.foreach_set("value", flags)
    groups = source.data.attributes.new("groups", "INT", "FACE")
    groups.data.foreach_set("value", np.where(heights > 0.3, 7, 3).astype(np.int32))
    source.shape_key_add(name="Basis")
    key = source.shape_key_add(name="grin")
    places = np.empty(len(source.data.vertices) * 3, np.float32)
    key.data.foreach_get("co", places)
    places = places.reshape(-1, 3)
    places[:, 2] += np.where(places[:, 0] > 0.5, 0.2, 0)
    key.data.foreach_set("co", places.ravel())
    target = blob("target", stretch=1.05)
    target.data.materials.append(bpy.data.materials.new("own"))
    kinds = ["attributes", "materials", "uvs", "shape_keys", "detail"]
    report = finish(workflow.transfer(source, target, kinds, OPTIONS))
    assert [slot.material.name for slot in target.material_slots] == ["own", "upper", "lower"]
    own = np.array([polygon.center.z for polygon in target.data.polygons])
    assigned = np.array([polygon.material_index for polygon in target.data.polygons])
    assert (assigned == np.where(own > 0, 2, 1)).mean() > 0.7
    found = np.empty(len(target.data.polygons), np.int32)
    target.data.attributes["groups"].data.foreach_get("value", found)
    assert set(found.tolist()) == {3, 7}
    assert (target.data.attributes["marks"].domain, target.data.attributes["groups"].domain) == ("EDGE", "FACE")
    assert [layer.name for layer in target.data.uv_layers] == ["UVMap", "UVMap.001"]
    assert target.data.uv_layers.active.name == "UVMap"
    assert [one.name for one in target.data.shape_keys.key_blocks] == ["Basis", "grin", "Detail of source"]
    moved = np.empty(len(target.data.vertices) * 3, np.float32)
    target.data.shape_keys.key_blocks["grin"].data.foreach_get("co", moved)
    basis = np.empty_like(moved)
    target.data.shape_keys.key_blocks["Basis"].data.foreach_get("co", basis)
    lifted = np.linalg.norm((moved - basis).reshape(-1, 3), axis=1)
    assert 0.1 < lifted.max() < 0.4
    assert np.median(lifted) < 0.05
    assert len(report.lines()) >= 6


TYPES = {
    "FLOAT": ("value", 1), "FLOAT_VECTOR": ("vector", 3), "FLOAT_COLOR": ("color", 4), "BYTE_COLOR": ("color", 4),
    "QUATERNION": ("value", 4), "INT": ("value", 1), "INT8": ("value", 1), "INT32_2D": ("value", 2),
    "BOOLEAN": ("value", 1), "FLOAT4X4": ("value", 16),
}  # fmt: skip
"""Attribute types: the property of the value and how many numbers it has."""


def field(kind: str, points: np.ndarray) -> np.ndarray:
    """A value of each attribute type that changes evenly over a surface."""
    height = points @ np.array([0.5, 0.3, 0.8])
    if kind == "QUATERNION":
        turn = np.stack([np.cos(height), 0.6 * np.sin(height), 0.8 * np.sin(height), 0 * height], axis=1)
        turn[::2] *= -1  # the same turn
        return turn.astype(np.float32)
    if kind == "BOOLEAN":
        return (height > 0)[:, None]
    width = TYPES[kind][1]
    if "INT" in kind:
        return np.stack([np.floor(2 * (height + 1)), np.floor(points[:, 0] + 1)][:width], axis=1).astype(np.int32)
    return np.stack([0.5 + 0.4 * np.sin(2 * height + k) for k in range(width)], axis=1).astype(np.float32)


def middles(mesh: bpy.types.Mesh, domain: str) -> np.ndarray:
    places = np.array([vertex.co for vertex in mesh.vertices])
    return {
        "POINT": lambda: places,
        "EDGE": lambda: np.array([places[list(edge.vertices)].mean(axis=0) for edge in mesh.edges]),
        "FACE": lambda: np.array([polygon.center for polygon in mesh.polygons]),
        "CORNER": lambda: places[[loop.vertex_index for loop in mesh.loops]],
    }[domain]()


@pytest.mark.parametrize("domain", ["POINT", "EDGE", "FACE", "CORNER"])
def test_attributes_of_every_type_onto_another_mesh(domain: str) -> None:
    """Numbers, colours, turns, matrices, labels and texts of a ball, on one of other triangles."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=32, ring_count=16)
    source = bpy.context.object
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=4, radius=1)
    target = bpy.context.object
    places = middles(source.data, domain)
    for kind, (name, _) in TYPES.items():
        attribute = source.data.attributes.new(kind.lower(), kind, domain)
        attribute.data.foreach_set(name, np.ascontiguousarray(field(kind, places)).ravel())
    texts = source.data.attributes.new("text", "STRING", domain)
    for item, place in zip(texts.data, places, strict=True):
        item.value = b"top" if place[2] > 0 else b"low"
    pairs = [
        (int(np.argmin([(vertex.co - other.co).length for vertex in source.data.vertices])), other.index)
        for other in list(target.data.vertices)[::160]
    ]
    options = workflow.Options(**{**vars(OPTIONS), "pairs": pairs})
    report = finish(workflow.transfer(source, target, ["attributes"], options))
    assert not any(".meshkin" in line for line in report.lines())
    there = middles(target.data, domain)
    for kind, (name, width) in TYPES.items():
        attribute = target.data.attributes[kind.lower()]
        assert (attribute.data_type, attribute.domain) == (kind, domain)
        dtype = np.int32 if "INT" in kind else np.bool_ if kind == "BOOLEAN" else np.float32
        found = np.empty(len(there) * width, dtype)
        attribute.data.foreach_get(name, found)
        found, truth = found.reshape(-1, width), field(kind, there)
        if kind == "QUATERNION":
            np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
            assert np.quantile(np.abs((found * truth).sum(axis=1)), 0.1) > 0.97
        elif found.dtype == np.float32:
            assert np.quantile(np.abs(found - truth), 0.9) < 0.15, kind
        else:
            assert (found == truth).all(axis=1).mean() > 0.7, kind
    found = np.array([item.value for item in target.data.attributes["text"].data])
    assert (found == np.where(there[:, 2] > 0, b"top", b"low")).mean() > 0.9


def test_face_sets_and_slider_ranges_come_over() -> None:
    source, target = blob("source"), blob("target", stretch=1.05)
    sets = source.data.attributes.new(".sculpt_face_set", "INT", "FACE")
    numbers = np.array([1 + (polygon.center.z > 0) for polygon in source.data.polygons], np.int32)
    sets.data.foreach_set("value", numbers)
    source.shape_key_add(name="Basis")
    key = source.shape_key_add(name="turn")
    key.slider_min, key.slider_max = -1, 2
    named = workflow.Options(**{**vars(OPTIONS), "names": (".sculpt_face_set",)})
    finish(workflow.transfer(source, target, ["attributes"], named))
    finish(workflow.transfer(source, target, ["shape_keys"], OPTIONS))
    found = np.empty(len(numbers), np.int32)
    target.data.attributes[".sculpt_face_set"].data.foreach_get("value", found)
    assert (found == numbers).mean() > 0.8
    turn = target.data.shape_keys.key_blocks["turn"]
    assert (turn.slider_min, turn.slider_max, turn.value) == (-1, 2, 0)


def test_names_that_are_not_there_and_maps_without_room() -> None:
    source, target = blob("source"), blob("target")
    source.shape_key_add(name="Basis")
    source.shape_key_add(name="grin")
    options = workflow.Options(**{**vars(OPTIONS), "names": ("other",)})
    for kind, code in {"attributes": "no-attributes", "uvs": "no-uvs", "shape_keys": "no-shape-keys"}.items():
        with pytest.raises(InputError) as failure:
            finish(workflow.transfer(source, target, [kind], options))
        assert failure.value.code == code
    while len(target.data.uv_layers) < 8:
        target.data.uv_layers.new()
    with pytest.raises(InputError) as failure:
        next(workflow.transfer(source, target, ["detail", "uvs"], OPTIONS))
    assert failure.value.code == "uv-maps-full"
    assert target.data.shape_keys is None


def test_hair_grows_on_the_target() -> None:
    """Strands stand on a copy elsewhere as on the source, attached by its UV map; the source's hair stays."""
    source = blob("source")
    target = twin(source)
    target.location = (5, 0, 0)
    curves = bpy.data.hair_curves.new("fur")
    fur = bpy.data.objects.new("fur", curves)
    bpy.context.scene.collection.objects.link(fur)
    fur.parent = source
    fur.location = (0, 0, 1)
    curves.surface, curves.surface_uv_map = source, "UVMap"
    curves.materials.append(bpy.data.materials.new("fur"))
    curves.add_curves([3] * 20)
    vertices = [source.data.vertices[number] for number in range(40, 440, 20)]
    roots = np.array([vertex.co for vertex in vertices])
    points = roots[:, None] + np.arange(3)[:, None] * 0.1 * np.array([vertex.normal for vertex in vertices])[:, None]
    points -= (0, 0, 1)
    curves.attributes["position"].data.foreach_set("vector", points.astype(np.float32).ravel())
    bpy.context.view_layer.update()
    report = finish(workflow.transfer(source, target, ["hair"], OPTIONS))
    assert any("20 strands" in line for line in report.lines())
    new = bpy.data.objects["fur on twin"]
    assert (new.parent, new.data.surface, new.data.surface_uv_map) == (target, target, "UVMap")
    assert [one.name for one in new.data.materials] == ["fur"]
    bpy.context.view_layer.update()
    found = np.empty(len(new.data.points) * 3, np.float32)
    new.data.attributes["position"].data.foreach_get("vector", found)
    world = found.reshape(-1, 3) + np.array(new.matrix_world.translation)
    off = np.linalg.norm(world - points.reshape(-1, 3) - (5, 0, 1), axis=1)
    assert off.max() < 0.15
    assert np.median(off) < 0.03
    uvs = np.empty(40, np.float32)
    new.data.attributes["surface_uv_coordinate"].data.foreach_get("vector", uvs)
    assert uvs.min() >= 0
    assert len(np.unique(uvs.round(3))) > 15
    assert fur.parent == source
    assert len(curves.points) == 60


@pytest.mark.parametrize(
    ("kind", "code"),
    [("materials", "no-materials"), ("uvs", "no-uvs"), ("shape_keys", "no-shape-keys"), ("hair", "no-hair")],
)
def test_payloads_that_are_not_there(kind: str, code: str) -> None:
    source, target = blob("source", uvs=False), blob("target")
    with pytest.raises(InputError) as failure:
        finish(workflow.transfer(source, target, [kind], OPTIONS))
    assert failure.value.code == code
