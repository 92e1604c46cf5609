"""Images of materials: depth, color space, alpha, tiles, files."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.skins import (
    OPTIONS,
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
    saved_16_bits,
    waves,
)
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.scene.materials import images


@pytest.mark.parametrize(("depth", "space"), [(8, "sRGB"), (16, "sRGB"), (32, "Linear Rec.709"), (16, "Non-Color")])
def test_depths_and_color_spaces_are_kept(depth: int, space: str, tmp_path: Path) -> None:
    source = blob("source")
    tree, shader = add_material(source)
    value = 0.3
    image = new_image("deep", np.full((16, 16, 4), (value, value, value, 1)), space, float_buffer=depth > 8)
    if depth == 16:
        image.colorspace_settings.name = "Non-Color"
        image = saved_16_bits(image, tmp_path / "deep.png", "PNG")
        image.colorspace_settings.name = space
        assert image.is_float
    socket = "Base Color" if space != "Non-Color" else "Roughness"
    tree.links.new(shader.inputs[socket], add_image_node(tree, image).outputs["Color"])
    target = copy_without_materials(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_material_parts(target)
    result = found[socket]
    assert (images.bit_depth(result), result.colorspace_settings.name) == (depth, space)
    center = pixels_of(result)[128, 128, :3]
    np.testing.assert_allclose(center, pixels_of(image)[8, 8, :3], atol=1.1 / 255 if depth == 8 else 3e-4)


def test_a_tiff_of_16_bits(tmp_path: Path) -> None:
    source = blob("source")
    tree, shader = add_material(source)
    deep = new_image("deep", waves(16), "Non-Color", float_buffer=True)
    deep = saved_16_bits(deep, tmp_path / "deep.tif", "TIFF")
    deep.colorspace_settings.name = "Non-Color"
    tree.links.new(shader.inputs["Roughness"], add_image_node(tree, deep).outputs["Color"])
    target = copy_without_materials(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_material_parts(target)
    assert images.bit_depth(found["Roughness"]) == 16


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize("deep", [True, False])
def test_colors_with_alpha(deep: bool, used: bool, tmp_path: Path) -> None:
    """A color beside its alpha is the image's own; without, it is multiplied by it, as Blender shows it."""
    source = blob("source")
    tree, shader = add_material(source)
    image = new_image(
        "base", np.full((8, 8, 4), (0.8, 0.6, 0.4, 0.25)), "Linear Rec.709" if deep else "sRGB", float_buffer=deep
    )
    if deep:
        image.filepath_raw, image.file_format = str(tmp_path / "base.exr"), "OPEN_EXR"
        image.save()
        image.source = "FILE"
        image.alpha_mode = "STRAIGHT"
        image.reload()
    node = add_image_node(tree, image)
    tree.links.new(shader.inputs["Base Color"], node.outputs["Color"])
    if used:
        tree.links.new(shader.inputs["Alpha"], node.outputs["Alpha"])
    target = copy_without_materials(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_material_parts(target)
    values = pixels_of(found["Base Color"])[128, 128]
    # What Blender holds of floating-point images is multiplied by alpha already.
    held = np.array((0.8, 0.6, 0.4)) * (0.25 if deep or not used else 1)
    np.testing.assert_allclose(values, (*held, 0.25 if used else 1), atol=0.004)


def two_tiles(folder: Path) -> bpy.types.Image:
    """An image of a red tile, 1001, and a blue one, 1002, which only lies beside it as a file."""
    for number, color in ((1001, (1, 0, 0, 1)), (1002, (0, 0, 1, 1))):
        image = new_image("tile", np.full((8, 8, 4), color))
        image.filepath_raw, image.file_format = str(folder / f"skin.{number}.png"), "PNG"
        image.save()
        bpy.data.images.remove(image)
    image = bpy.data.images.load(str(folder / "skin.1001.png"))
    image.source, image.name = "TILED", "skin"
    image.filepath_raw = str(folder / "skin.<UDIM>.png")
    return image


@pytest.mark.parametrize("packed", [True, False])
def test_tiles_there_and_back(packed: bool, tmp_path: Path) -> None:
    """A UDIM source: both tiles are read, packed ones, and such as nobody has looked at yet; the target in tiles gets
    tiles."""
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
    image = two_tiles(tmp_path)
    if packed:
        image.reload()
        image.pack()
        for number in (1001, 1002):
            (tmp_path / f"skin.{number}.png").unlink()
    else:
        image.tiles.new(1002)
        image.reload()
    add_image_material(source, image)
    target = copy_without_materials(source)
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_material_parts(target)
    result = found["Base Color"]
    assert result.source == "TILED", report.lines()
    assert [tile.number for tile in result.tiles] == [1001, 1002]
    tiles = images.tiles(result)
    assert np.median(tiles[0, 0][140:250, 40:200, 0]) == 255
    assert np.median(tiles[1, 0][10:110, 40:200, 2]) == 255


@pytest.mark.parametrize("lacking", ["no file", "no tile"])
def test_a_tile_that_is_not_there(lacking: str, tmp_path: Path) -> None:
    """What lies on it is filled in from beside it, not black, and the report names the tile."""
    source = blob("source")
    layer = source.data.uv_layers[0]
    sizes = [polygon.loop_total for polygon in source.data.polygons]
    sides = np.repeat([polygon.center.z > 0.8 for polygon in source.data.polygons], sizes)
    uvs = np.empty((len(sides), 2), np.float32)
    layer.uv.foreach_get("vector", uvs.ravel())
    uvs[sides, 0] += 1
    layer.uv.foreach_set("vector", np.clip(uvs, 0, 1.9999).ravel())
    image = two_tiles(tmp_path)
    if lacking == "no file":
        image.tiles.new(1002)
    (tmp_path / "skin.1002.png").unlink()
    add_image_material(source, image)
    target = copy_without_materials(source)
    target.data.uv_layers.remove(target.data.uv_layers[0])
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    told = [warning.message for warning in report.warnings if warning.code == "tiles-missing"]
    assert len(told) == 1
    assert "“skin”" in told[0]
    assert "1002" in told[0]
    assert "1001" not in told[0]
    _, found = new_material_parts(target)
    pixels = pixels_of(found["Base Color"])
    shown = pixels[pixels[..., :3].any(axis=2)]
    np.testing.assert_allclose(shown[:, :3].mean(axis=0), (1, 0, 0), atol=0.03)
    layout = target.data.uv_layers[0].uv
    for polygon in target.data.polygons:
        u, v = np.mean([layout[corner].vector for corner in polygon.loop_indices], axis=0)
        assert pixels[int((1 - v) * len(pixels)), int(u * len(pixels)), 0] > 0.9


def test_images_kept_in_a_folder(tmp_path: Path) -> None:
    """Named after their source, and never over a file that is there."""
    source = blob("source")
    add_image_material(source, new_image("base", waves()))
    target = copy_without_materials(source)
    options = OPTIONS.changed(texture_folder=str(tmp_path / "new"))
    for _ in range(2):
        finish(workflow.transfer(source, target, ["texture"], options))
    files = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert len(files) == 2
    _, found = new_material_parts(target)
    assert Path(found["Base Color"].filepath).exists()
    assert not found["Base Color"].packed_file


def frames(folder: Path) -> bpy.types.Image:
    """A sequence of a red, a green and a blue picture."""
    for number, color in enumerate(np.eye(3), 1):
        image = new_image("frame", np.full((8, 8, 4), (*color, 1)))
        image.filepath_raw, image.file_format = str(folder / f"frame_{number:04d}.png"), "PNG"
        image.save()
        bpy.data.images.remove(image)
    image = bpy.data.images.load(str(folder / "frame_0001.png"))
    image.source = "SEQUENCE"
    return image


def test_the_current_frame_of_a_sequence(tmp_path: Path) -> None:
    source = blob("source")
    _, _, node = add_image_material(source, frames(tmp_path))
    node.image_user.frame_duration = 3
    target = copy_without_materials(source)
    for frame, color in ((2, (0, 1, 0)), (50, (0, 0, 1))):
        bpy.context.scene.frame_set(frame)
        finish(workflow.transfer(source, target, ["texture"], OPTIONS))
        np.testing.assert_allclose(
            at_texels(new_material_parts(target)[1]["Base Color"])[..., :3].mean((0, 1)), color, atol=0.01
        )
    (tmp_path / "frame_0002.png").unlink()
    bpy.context.scene.frame_set(2)
    with pytest.raises(InputError) as failure:
        finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    assert failure.value.code == "image-missing"


@pytest.mark.parametrize("kind", ["UV_GRID", "COLOR_GRID", "BLANK"])
@pytest.mark.parametrize("deep", [False, True])
def test_generated_images(kind: str, deep: bool) -> None:
    """Grids and plain colors that Blender makes: the same layout gives the same picture."""
    source = blob("source")
    image = bpy.data.images.new("grid", 256, 256, float_buffer=deep)
    image.generated_type, image.generated_color = kind, (0.2, 0.6, 0.4, 1)
    add_image_material(source, image)
    target = copy_without_materials(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    found, truth = (pixels_of(one)[48:208, 64:192, :3] for one in (new_material_parts(target)[1]["Base Color"], image))
    assert np.median(np.abs(found - truth)) < 0.02


def test_an_image_that_is_not_chosen_is_named() -> None:
    source = blob("source")
    _, _, node = add_image_material(source, new_image("base", waves()))
    node.image = None
    assert refusal(source) == "image-missing"


def test_a_rendered_image_is_named() -> None:
    source = blob("source")
    _, _, node = add_image_material(source, new_image("base", waves()))
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(scene.camera)
    scene.render.engine, scene.cycles.samples, scene.render.resolution_x = "CYCLES", 1, 16
    bpy.ops.render.render()
    node.image = next(image for image in bpy.data.images if image.type == "RENDER_RESULT")
    assert refusal(source) == "image-viewer"


def refusal(source: bpy.types.Object) -> str:
    """The code of the error that refuses the source. Nothing is left behind."""
    target, before = copy_without_materials(source), data_block_names()
    with pytest.raises(InputError) as failure:
        finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    assert {**data_block_names(), "meshes": before["meshes"], "objects": before["objects"]} == before
    return failure.value.code


@pytest.mark.parametrize("node_type", ["ShaderNodeTexImage", "ShaderNodeTexEnvironment"])
def test_an_image_that_is_not_chosen_among_other_nodes_is_told(node_type: str) -> None:
    """Blender shows it in pink."""
    source = blob("source")
    tree, shader, node = add_image_material(source, new_image("base", waves()))
    node.image = None
    mix, noise = tree.nodes.new("ShaderNodeMixRGB"), tree.nodes.new("ShaderNodeTexNoise")
    tree.links.new(mix.inputs[1], noise.outputs["Color"])
    tree.links.new(mix.inputs[2], tree.nodes.new(node_type).outputs["Color"])
    tree.links.new(shader.inputs["Base Color"], mix.outputs[0])
    report = finish(workflow.transfer(source, copy_without_materials(source), ["texture"], OPTIONS))
    assert any("pink" in line for line in report.lines())
