"""Images of materials: depth, colour space, alpha, tiles, files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from skins import OPTIONS, blob, new_image, new_parts, painted, pixels_of, saved_16_bits, shaded, textured, twin, waves

from meshkin import workflow
from meshkin.progress import finish
from meshkin.scene import images


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
    painted(source, image)
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
    painted(source, new_image("base", waves()))
    target = twin(source)
    options = replace(OPTIONS, texture_folder=str(tmp_path / "new"))
    for _ in range(2):
        finish(workflow.transfer(source, target, ["texture"], options))
    files = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert len(files) == 2
    _, found = new_parts(target)
    assert Path(found["Base Color"].filepath).exists()
    assert not found["Base Color"].packed_file
