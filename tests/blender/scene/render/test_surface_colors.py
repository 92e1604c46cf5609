"""The color pass: materials by both renderers against known colors, and what the pass leaves behind."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import Passes, Views, fibonacci_directions, frame
from meshkin.scene import compat
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.render import passes, surface_colors
from meshkin.scene.render.appearance_key import appearance_key

RENDERERS = passes.available_renderers()
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Blender's own properties


def ramp(size: int = 64) -> NDArray[np.float32]:
    """An image whose red grows with u and whose green grows with v, row 0 at the bottom as Blender has it."""
    pixels = np.ones((size, size, 4), np.float32)
    pixels[..., 0], pixels[..., 1] = np.meshgrid((np.arange(size) + 0.5) / size, (np.arange(size) + 0.5) / size)
    pixels[..., 2] = 0.25
    return pixels


def image(name: str, pixels: NDArray[np.float32]) -> bpy.types.Image:
    new = bpy.data.images.new(name, pixels.shape[1], pixels.shape[0], alpha=True)
    new.pixels.foreach_set(pixels.ravel())
    new.update()
    return new


def painted(name: str, picture: bpy.types.Image) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    tree = compat.node_tree(material)
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = picture
    tree.links.new(node.outputs["Color"], shader(material).inputs["Base Color"])
    return material


def shader(material: bpy.types.Material) -> bpy.types.Node:
    return next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")


def cube(material: bpy.types.Material | None) -> bpy.types.Object:
    """A cube whose every side shows the whole image, turned, moved and scaled."""
    bpy.ops.mesh.primitive_cube_add(size=2, location=(3, -1, 2), rotation=(0.3, 0.2, 0.5), scale=(2, 1, 1.5))
    obj = bpy.context.view_layer.objects.active
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    obj.data.uv_layers.active.uv.foreach_set("vector", np.tile(square, (6, 1)).ravel())
    if material:
        obj.data.materials.append(material)
    return obj


def rendered(
    obj: bpy.types.Object, renderer: str = "auto", resolution: int = 96
) -> tuple[Snapshot, Views, Passes, NDArray[np.float64]]:
    """Snapshot, views, passes with color, and the colors as numbers in [0, 1]."""
    snapshot = snapshots.take(obj)
    views = frame(snapshot.vertices, fibonacci_directions(4), resolution)
    result = finish(passes.render(snapshot, views, renderer, surface_colors.read(obj, snapshot)))
    assert result.color is not None
    return snapshot, views, result, result.color / 255


def true_uvs(snapshot: Snapshot, views: Views, result: Passes, view: int) -> NDArray[np.float64]:
    assert result.face is not None
    assert snapshot.uvs is not None
    weights = views.barycentric(view, snapshot.vertices[snapshot.faces], result.face[view])
    face = result.face[view][result.face[view] >= 0]
    return np.einsum("pk,pkc->pc", weights, snapshot.uvs[face])


@pytest.mark.parametrize("renderer", RENDERERS)
def test_image_colors_are_those_of_the_texture(renderer: str) -> None:
    snapshot, views, result, colors = rendered(cube(painted("ramp", image("ramp", ramp()))), renderer)
    assert result.face is not None
    for view in range(len(views)):
        on = result.face[view] >= 0
        uvs = true_uvs(snapshot, views, result, view)
        inside = (np.abs(uvs - 0.5) < 0.45).all(axis=1)  # at an edge the image repeats
        expected = np.column_stack((uvs, np.full(len(uvs), 0.25)))
        assert np.abs(colors[view][on] - expected)[inside].max() < 0.02
        assert not colors[view][~on].any()


@pytest.mark.skipif("gpu" not in RENDERERS, reason="the gpu module cannot draw here")
def test_renderers_agree() -> None:
    obj = cube(painted("ramp", image("ramp", ramp())))
    gpu, cycles = (rendered(obj, renderer)[3] for renderer in RENDERERS)
    difference = np.abs(gpu - cycles).max(axis=-1)
    assert (difference > 0.02).mean() < 0.002  # single pixels at the cube's edges


def test_rendered_material_agrees_with_the_sampled_one(monkeypatch: pytest.MonkeyPatch) -> None:
    obj = cube(painted("ramp", image("ramp", ramp())))
    *_, result, sampled = rendered(obj)
    monkeypatch.setattr(surface_colors, "_single_color", lambda material: None)
    by_cycles = rendered(obj)[3]
    assert result.face is not None
    difference = np.abs(sampled - by_cycles)[result.face >= 0]
    assert np.median(difference) < 0.006
    assert np.percentile(difference, 95) < 0.04  # a pixel's mean against its center, at the edges


def test_mixed_materials_are_rendered_as_they_are() -> None:
    """Mixed shaders inside a group, another image on another UV map, vertex colors: what sampling cannot know."""
    group = bpy.data.node_groups.new("coat", "ShaderNodeTree")
    group.interface.new_socket("Surface", in_out="OUTPUT", socket_type="NodeSocketShader")
    mix, red, blue, out = (
        group.nodes.new(name)
        for name in ("ShaderNodeMixShader", "ShaderNodeBsdfDiffuse", "ShaderNodeBsdfGlossy", "NodeGroupOutput")
    )
    red.inputs["Color"].default_value = (1, 0, 0, 1)
    blue.inputs["Color"].default_value = (0, 0, 1, 1)
    mix.inputs["Fac"].default_value = 0.5
    for source, target in ((red, mix.inputs[1]), (blue, mix.inputs[2]), (mix, out.inputs[0])):
        group.links.new(source.outputs[0], target)
    material = bpy.data.materials.new("coated")
    tree = compat.node_tree(material)
    node = tree.nodes.new("ShaderNodeGroup")
    node.node_tree = group
    tree.links.new(node.outputs[0], tree.get_output_node("ALL").inputs["Surface"])
    obj = cube(material)
    before = (len(bpy.data.node_groups), len(bpy.data.materials), len(bpy.data.meshes), len(bpy.data.scenes))
    *_, result, colors = rendered(obj)
    assert result.face is not None
    half = 1.055 * 0.5 ** (1 / 2.4) - 0.055
    assert np.allclose(colors[result.face >= 0], (half, 0, half), atol=0.01)
    after = (len(bpy.data.node_groups), len(bpy.data.materials), len(bpy.data.meshes), len(bpy.data.scenes))
    assert before == after
    assert {node.type for node in group.nodes} == {"MIX_SHADER", "BSDF_DIFFUSE", "BSDF_GLOSSY", "GROUP_OUTPUT"}


def test_vertex_colors_are_rendered() -> None:
    material = bpy.data.materials.new("vertex colors")
    tree = compat.node_tree(material)
    node = tree.nodes.new("ShaderNodeVertexColor")
    node.layer_name = "paint"
    tree.links.new(node.outputs["Color"], shader(material).inputs["Base Color"])
    obj = cube(material)
    colors = obj.data.color_attributes.new("paint", "FLOAT_COLOR", "POINT")
    colors.data.foreach_set("color", np.tile(np.array((0.2, 0.5, 0.05, 1), np.float32), 8))
    *_, result, picture = rendered(obj)
    assert result.face is not None
    expected = 1.055 * np.array((0.2, 0.5, 0.05)) ** (1 / 2.4) - 0.055
    assert np.allclose(picture[result.face >= 0], expected, atol=0.01)


def test_a_muted_link_shows_nothing() -> None:
    """What counts then is the color of the input itself, as Blender renders it."""
    obj = cube(painted("ramp", image("ramp", ramp())))
    material = obj.data.materials[0]
    base_color = shader(material).inputs["Base Color"]
    base_color.default_value = (1, 0, 0, 1)
    base_color.links[0].is_muted = True
    *_, result, colors = rendered(obj)
    assert result.face is not None
    assert np.allclose(colors[result.face >= 0], (1, 0, 0), atol=0.01)


def test_slots_and_no_material() -> None:
    obj = cube(None)
    *_, result, colors = rendered(obj)
    assert result.face is not None
    assert np.allclose(colors[result.face >= 0], 1.055 * 0.8 ** (1 / 2.4) - 0.055, atol=0.01)
    for name, color in (("red", (1, 0, 0, 1)), ("green", (0, 1, 0, 1))):
        material = bpy.data.materials.new(name)
        compat.node_tree(material)
        shader(material).inputs["Base Color"].default_value = color
        obj.data.materials.append(material)
    obj.data.polygons.foreach_set("material_index", np.array([0, 1, 0, 1, 0, 1], np.int32))
    snapshot, *_, result, colors = rendered(obj)
    assert result.face is not None
    slots = snapshot.materials[result.face]
    for slot, expected in ((0, (1, 0, 0)), (1, (0, 1, 0))):
        assert np.allclose(colors[(result.face >= 0) & (slots == slot)], expected, atol=0.01)


def test_fine_texture_does_not_flicker() -> None:
    """A checkerboard finer than the pixels is gray, not noise."""
    board = np.ones((1024, 1024, 4), np.float32)
    board[..., :3] = (np.indices((1024, 1024)).sum(axis=0) % 2)[..., None]
    *_, result, colors = rendered(cube(painted("board", image("board", board))), resolution=64)
    assert result.face is not None
    assert colors[result.face >= 0].std() < 0.02


def test_key_changes_with_the_look_alone() -> None:
    picture = image("ramp", ramp())
    material = painted("ramp", picture)
    obj = cube(material)
    keys = [appearance_key(obj)]
    assert appearance_key(obj) == keys[0]
    obj.location.x += 1
    assert appearance_key(obj) == keys[0]

    def changed() -> None:
        keys.append(appearance_key(obj))
        assert len(set(keys)) == len(keys)

    pixels = ramp()
    pixels[0, 0] = 0
    picture.pixels.foreach_set(pixels.ravel())
    changed()
    node = next(node for node in material.node_tree.nodes if node.type == "TEX_IMAGE")
    node.extension = "EXTEND"
    changed()
    material.node_tree.links.remove(material.node_tree.links[-1])
    changed()
    shader(material).inputs["Base Color"].default_value = (0.1, 0.2, 0.3, 1)
    changed()
    ramp_node = material.node_tree.nodes.new("ShaderNodeValToRGB")
    changed()
    ramp_node.color_ramp.elements[0].color = (1, 0, 1, 1)
    changed()
    obj.data.uv_layers.active.uv[0].vector = (0.5, 0.5)
    changed()
    obj.data.materials.append(bpy.data.materials.new("second"))
    obj.data.polygons[0].material_index = 1
    changed()


def test_passes_with_color_survive_saving(tmp_path: Path) -> None:
    result = rendered(cube(None))[2]
    result.save(tmp_path)
    again = Passes.load(tmp_path)
    for field in dataclasses.fields(Passes):
        assert np.array_equal(getattr(result, field.name), getattr(again, field.name))
    files = passes.save_pictures(result, tmp_path / "pictures")
    assert sum(file.name.startswith("color_") for file in files) == 4
    assert all(file.stat().st_size for file in files)


def test_missing_image_is_named() -> None:
    lost = bpy.data.images.new("lost.png", 8, 8)
    lost.source, lost.filepath = "FILE", "//nowhere/lost.png"
    obj = cube(painted("lost", lost))
    with pytest.raises(InputError, match=r"lost\.png") as caught:
        surface_colors.read(obj, snapshots.take(obj))
    assert caught.value.code == "image-missing"
