"""Whole materials carried over in Blender: what is written; nothing that was there is changed."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from helpers.creatures import renumber
from helpers.skins import (
    OPTIONS,
    add_game_material,
    add_image_material,
    add_image_node,
    add_material,
    blob,
    copy_without_materials,
    data_block_names,
    new_image,
    new_material_parts,
    pixel_bytes,
    pixels_of,
    waves,
)
from meshkin import workflow
from meshkin.base.errors import Cancelled
from meshkin.base.progress import finish
from meshkin.scene import compat
from meshkin.scene.materials import channels


def test_every_channel_of_a_material() -> None:
    source = blob("source")
    given = add_game_material(source)
    target = copy_without_materials(source)
    old = bpy.data.materials.new("old")
    target.data.materials.append(old)
    before, contents = data_block_names(), pixel_bytes(given)
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    assert pixel_bytes(given) == contents
    material, found = new_material_parts(target)
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
    added = {kind: sorted(set(after) - set(before[kind])) for kind, after in data_block_names().items()}
    assert added["images"] == sorted({image.name for image in found.values()})
    assert [len(added[kind]) for kind in ("materials", "meshes", "objects", "scenes", "node_groups")] == [1, 1, 0, 0, 0]
    assert added["meshes"] == [f"{target.data.name} before"]  # what was there before can be shown
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
    add_game_material(source)
    target = copy_without_materials(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS.changed(channels=("roughness",))))
    _, found = new_material_parts(target)
    assert set(found) == {"Roughness"}


def test_several_materials_and_plain_values() -> None:
    """Slots that differ only by values: a picture of them; what they share stays a value."""
    source = blob("source")
    for name, color, rough in (("red", (0.5, 0, 0, 1), 0.2), ("blue", (0, 0, 0.5, 1), 0.8)):
        _, shader = add_material(source, name)
        shader.inputs["Base Color"].default_value = color
        shader.inputs["Roughness"].default_value = rough
        shader.inputs["Metallic"].default_value = 0.75
    heights = np.array([polygon.center.z for polygon in source.data.polygons])
    source.data.polygons.foreach_set("material_index", (heights > 0).astype(np.int32))
    target = copy_without_materials(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    material, found = new_material_parts(target)
    assert set(found) == {"Base Color", "Roughness"}
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    assert shader.inputs["Metallic"].default_value == 0.75
    colors = pixels_of(found["Base Color"])
    upper, lower = colors[20:60, 40:200], colors[196:236, 40:200]
    encoded = 1.055 * 0.5 ** (1 / 2.4) - 0.055
    assert np.median(upper[..., 2]) == pytest.approx(encoded, abs=0.01)
    assert np.median(lower[..., 0]) == pytest.approx(encoded, abs=0.01)
    assert np.median(pixels_of(found["Roughness"])[20:60, 40:200, 0]) == pytest.approx(0.8, abs=0.01)


def test_every_input_with_an_image() -> None:
    """Also those beside the usual ones; an index of refraction keeps its values beyond 1."""
    source = blob("source")
    tree, shader = add_material(source)
    node = add_image_node(tree, new_image("base", np.full((8, 8, 4), (0.5, 0.5, 0.5, 1)), "Non-Color"))
    add = tree.nodes.new("ShaderNodeMath")
    add.operation = "ADD"
    add.inputs[1].default_value = 1
    tree.links.new(add.inputs[0], node.outputs["Color"])
    tree.links.new(shader.inputs["IOR"], add.outputs[0])
    sockets = {one.socket for one in channels.SHADER_INPUTS if one.socket in shader.inputs} - {"IOR", "Alpha"}
    for name in sockets:
        tree.links.new(shader.inputs[name], node.outputs["Color"])
    assert {"Specular Tint", "Sheen Tint", "Coat Tint", "Subsurface Radius", "Thin Film IOR"} < sockets
    target = copy_without_materials(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS.changed(texture_size=64)))
    _, found = new_material_parts(target)
    assert set(found) == sockets | {"IOR"}
    assert pixels_of(found["IOR"])[32, 32, 0] == pytest.approx(1.5, abs=0.005)


def test_many_slots_one_pixel_and_shared_images() -> None:
    """64 slots, images of one pixel, one of them also used by another object."""
    source = blob("source")
    shared = new_image("shared", np.full((1, 1, 4), (0.2, 0.4, 0.6, 1)))
    for index in range(64):
        tree, shader = add_material(source, f"slot{index}")
        image = shared if index == 0 else new_image(f"image{index}", np.full((1, 1, 4), (index / 64, 0.5, 0, 1)))
        tree.links.new(shader.inputs["Base Color"], add_image_node(tree, image).outputs["Color"])
    count = len(source.data.polygons)
    source.data.polygons.foreach_set("material_index", (np.arange(count) % 64).astype(np.int32))
    other = blob("other")
    add_image_material(other, shared, "other")
    target = copy_without_materials(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_material_parts(target)
    assert found["Base Color"] != shared
    assert len(np.unique(pixels_of(found["Base Color"])[..., 0])) > 50
    assert np.allclose(pixels_of(shared)[0, 0, :3], (0.2, 0.4, 0.6), atol=1 / 255)


def test_materials_that_modifiers_set_and_slots_that_are_not_there() -> None:
    source, target = blob("source"), blob("target")
    material = bpy.data.materials.new("dress")
    tree = compat.node_tree(material)
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    tree.links.new(shader.inputs["Base Color"], add_image_node(tree, new_image("base", waves())).outputs["Color"])
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
    material, found = new_material_parts(target)
    assert material.name == "dress on target"
    assert np.median(pixels_of(found["Base Color"])[48:208, 64:192, :3]) > 0.2
    source.modifiers.clear()
    source.data.materials.append(bpy.data.materials["dress"])
    source.data.polygons.foreach_set("material_index", np.full(len(source.data.polygons), 7, np.int32))
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_material_parts(target)
    assert np.median(pixels_of(found["Base Color"])[48:208, 64:192, :3]) > 0.2


def test_objects_that_share_the_targets_mesh_are_named() -> None:
    source = blob("source")
    add_game_material(source)
    target = copy_without_materials(source)
    other = bpy.data.objects.new("other", target.data)
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    assert any("“other”" in line for line in report.lines())
    assert other.data == target.data


@pytest.mark.parametrize("unwrap", ["smart", "xatlas"])
def test_a_target_without_uvs_is_unwrapped(unwrap: str) -> None:
    source, target = blob("source"), blob("target", uvs=False, stretch=1.1)
    add_image_material(source, new_image("base", waves()))
    mode, selected = bpy.context.mode, [one.name for one in bpy.context.selected_objects]
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS.changed(unwrap=unwrap)))
    assert [layer.name for layer in target.data.uv_layers] == ["MeshKin"]
    assert any("had no UV map" in line for line in report.lines())
    assert (bpy.context.mode, [one.name for one in bpy.context.selected_objects]) == (mode, selected)
    uvs = np.empty(len(target.data.loops) * 2, np.float32)
    target.data.uv_layers[0].uv.foreach_get("vector", uvs)
    assert uvs.min() >= 0
    assert uvs.max() <= 1
    _, found = new_material_parts(target)
    assert pixels_of(found["Base Color"])[..., 3].mean() > 0.2


def test_distrust_makes_a_mask() -> None:
    source = blob("source")
    add_image_material(source, new_image("base", waves()))
    target = blob("target", stretch=1.5)
    renumber(target)
    options = OPTIONS.changed(texture_threshold=0.95, map_smoothing=2.0)
    finish(workflow.transfer(source, target, ["texture"], options))
    mask = next(image for image in bpy.data.images if "mask" in image.name)
    assert pixels_of(mask)[..., 0].max() > 0.9


def test_a_preview_is_shown_first_and_taken_back_on_cancel() -> None:
    source = blob("source")
    add_image_material(source, new_image("base", waves()))
    target = copy_without_materials(source)
    options = OPTIONS.changed(texture_size=1024, preview=True)
    before = data_block_names()
    job = workflow.transfer(source, target, ["texture"], options)
    sizes = []
    for progress in job:
        if progress.stage.startswith("Preview"):
            sizes = [image.size[0] for image in bpy.data.images if image.name == "base on twin"]
            break
    assert sizes == [512]
    job.close()
    after = data_block_names()
    assert {kind: set(after[kind]) - set(before[kind]) for kind in after} == {kind: set() for kind in after}
    assert not target.data.materials
    finish(workflow.transfer(source, target, ["texture"], options))
    assert [image.size[0] for image in bpy.data.images if image.name.startswith("base on twin")] == [1024]


def test_cancelled_from_the_start() -> None:
    source = blob("source")
    add_game_material(source)
    target = copy_without_materials(source)
    before = data_block_names()
    job = workflow.transfer(source, target, ["texture"], OPTIONS)
    next(job)
    job.close()
    assert data_block_names() == before
    assert Cancelled().exit_code == 130
