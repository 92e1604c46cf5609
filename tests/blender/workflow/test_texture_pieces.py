"""Textures keep to the pieces of real characters, and leave out what is asked for: in scripts, commands and buttons."""

from __future__ import annotations

import colorsys
from pathlib import Path

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.creatures import vertex_positions
from helpers.empty_file import open_empty_file
from helpers.places import DATA
from helpers.skins import OPTIONS, add_material, blob, copy_without_materials, new_material_parts, pixels_of
from meshkin import cli, workflow
from meshkin.base.errors import OptionError
from meshkin.base.progress import finish
from meshkin.scene import compat, files

WOMAN = DATA / "characters" / "quaternius" / "women_Casual.glb"


def colored(obj: bpy.types.Object) -> NDArray[np.float64]:
    """Give each material of an object a color of its own; returns the color of each polygon, linear, (P, 3)."""
    colors = []
    for number, slot in enumerate(obj.material_slots):
        color = colorsys.hsv_to_rgb(number / len(obj.material_slots), 0.9, 0.5 if number % 2 else 0.9)
        shader = next(node for node in compat.node_tree(slot.material).nodes if node.type == "BSDF_PRINCIPLED")
        shader.inputs["Base Color"].default_value = (*color, 1)
        colors.append(color)
    return np.array(colors)[[polygon.material_index for polygon in obj.data.polygons]]


def shown(obj: bpy.types.Object) -> NDArray[np.float64]:
    """The color in the middle of each polygon of the new material, linear, (P, 3)."""
    image = new_material_parts(obj)[1]["Base Color"]
    uvs = np.empty(2 * len(obj.data.loops), np.float32)
    obj.data.uv_layers.active.uv.foreach_get("vector", uvs)
    middle = np.array([uvs.reshape(-1, 2)[list(polygon.loop_indices)].mean(axis=0) for polygon in obj.data.polygons])
    column, row = np.minimum((middle * image.size[:]).astype(int).T, image.size[0] - 1)
    pixels = pixels_of(image)[::-1][row, column, :3].astype(np.float64)
    return np.where(pixels < 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)


@pytest.mark.skipif(not WOMAN.exists(), reason=f"no characters in {DATA}")
@pytest.mark.slow
def test_a_real_character_onto_another_build() -> None:
    """Skin, hair, brows, eyes and clothes: through a match by shape alone nine of ten faces have their own color."""
    open_empty_file()
    source = files.load(WOMAN)
    target = copy_without_materials(source)
    truth = colored(source)
    for polygon, other in zip(target.data.polygons, source.data.polygons, strict=True):
        polygon.material_index = other.material_index
    for number in range(len(source.material_slots)):
        target.data.materials.append(bpy.data.materials.new(f"Material.{number:03}"))
    positions = vertex_positions(target)
    height = positions[:, 2] / np.ptp(positions[:, 2])
    positions[:, :2] *= (1.15 - 0.2 * height)[:, None]
    positions[:, 2] *= 1.1
    target.data.vertices.foreach_set("co", positions.astype(np.float32).ravel())
    while target.data.uv_layers:
        target.data.uv_layers.remove(target.data.uv_layers[0])
    finish(workflow.transfer(source, target, ["texture"], OPTIONS.changed(texture_size=1024)))
    wrong = np.abs(shown(target) - truth).max(axis=1) > 0.1
    areas = np.array([polygon.area for polygon in target.data.polygons])
    print("WRONG", areas[wrong].sum() / areas.sum())
    assert areas[wrong].sum() / areas.sum() < 0.1


@pytest.mark.skipif(not WOMAN.exists(), reason=f"no characters in {DATA}")
@pytest.mark.slow
def test_a_texture_comes_over_as_well_a_second_time() -> None:
    """The name of the material that the first one made, “Skin on …”, tells nothing about what it is on."""
    open_empty_file()
    source, target = files.load(WOMAN.with_name("men_Casual.glb")), files.load(WOMAN.with_name("women_Formal.glb"))
    colored(source)
    target.data.materials.clear()
    while target.data.uv_layers:
        target.data.uv_layers.remove(target.data.uv_layers[0])
    results = []
    for _ in range(2):
        finish(workflow.transfer(source, target, ["texture"], OPTIONS.changed(texture_size=512)))
        results.append(shown(target))
    np.testing.assert_allclose(results[1], results[0], atol=0.02)


def two_colored() -> bpy.types.Object:
    """A ball whose upper half is red hair and whose lower half is blue skin."""
    source = blob("source")
    for name, color in (("hair", (0.5, 0, 0, 1)), ("skin", (0, 0, 0.5, 1)), ("lips", (0, 0.5, 0, 1))):
        add_material(source, name)[1].inputs["Base Color"].default_value = color
    heights = np.array([polygon.center.z for polygon in source.data.polygons])
    slots = np.where(heights > 0, 0, np.where(heights > -0.9, 1, 2))
    source.data.polygons.foreach_set("material_index", slots.astype(np.int32))
    return source


def test_a_material_is_left_out() -> None:
    """Its color is nowhere; its place shows what lies beside it."""
    source = two_colored()
    target = copy_without_materials(source)
    finish(workflow.transfer(source, target, ["texture"], OPTIONS.changed(leave_out=("hair",))))
    material, found = new_material_parts(target)
    assert material.name == "skin on twin"
    assert pixels_of(found["Base Color"])[..., 0].max() < 0.01
    upper = np.array([polygon.center.z for polygon in target.data.polygons]) > 0.1
    np.testing.assert_allclose(shown(target)[upper], [(0, 0, 0.5)] * upper.sum(), atol=0.02)


def test_the_command_leaves_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    open_empty_file()
    copy_without_materials(two_colored())
    path = tmp_path / "both.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    command = ["transfer", str(path), "--source", "source", "--target", "twin", "--what", "texture"]
    command += ["--features", "geometric", "--texture-size", "128", "--leave-out", "hair, lips"]
    assert cli.main([*command, "--output", str(tmp_path / "done.blend")]) == 3  # one color is left: no texture
    command[-1] = "hair"
    assert cli.main([*command, "--output", str(tmp_path / "done.blend")]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "done.blend"))
    assert pixels_of(new_material_parts(bpy.data.objects["twin"])[1]["Base Color"])[..., 0].max() < 0.01
    capfd.readouterr()


@pytest.mark.parametrize(
    ("names", "code"), [(("hare",), "material-unknown"), (("hair", "skin", "lips"), "materials-left-out")]
)
def test_a_wrong_list_is_told_before_any_work(names: tuple[str, ...], code: str) -> None:
    source = two_colored()
    with pytest.raises(OptionError) as caught:
        finish(workflow.transfer(source, copy_without_materials(source), ["texture"], OPTIONS.changed(leave_out=names)))
    assert caught.value.code == code
    assert not bpy.data.images.get("skin base color on twin")
