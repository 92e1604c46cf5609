"""By which UVs images are mapped and results laid out, and what is said where these are not what they seem."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.maps import vertex_map
from helpers.skins import (
    OPTIONS,
    SAME_TEXELS,
    add_image_material,
    at_texels,
    blob,
    copy_without_materials,
    new_image,
    new_material_parts,
    pixels_of,
    waves,
)
from meshkin import workflow
from meshkin.base.progress import Progress, finish
from meshkin.base.storage import map_path
from meshkin.data.recipe import Recipe
from meshkin.data.surface_map import Match
from meshkin.scene.objects import Handle
from meshkin.workflow import transferring
from meshkin.workflow.characters import CharacterSnapshot
from meshkin.workflow.describing import Described
from meshkin.workflow.matching import ObjectMatch


@pytest.mark.parametrize(
    ("data_type", "domain", "has_map", "output"),
    [
        ("FLOAT_VECTOR", "CORNER", True, "Vector"),
        ("FLOAT_VECTOR", "CORNER", False, "Color"),
        ("FLOAT2", "CORNER", True, "Vector"),
        ("FLOAT_COLOR", "CORNER", False, "Vector"),
        ("FLOAT_VECTOR", "POINT", True, "Vector"),
    ],
)
def test_images_that_an_attribute_maps(data_type: str, domain: str, has_map: bool, output: str) -> None:
    """As with a UV map of the same values, whatever other UV maps are there."""
    source, target = blob("source"), blob("target")
    picture = waves()
    tree, _, texture = add_image_material(source, new_image("skin", picture))
    node = tree.nodes.new("ShaderNodeAttribute")
    node.attribute_name = "st"
    tree.links.new(texture.inputs["Vector"], node.outputs[output])
    uvs = np.empty((len(source.data.loops), 2), np.float32)
    source.data.uv_layers[0].uv.foreach_get("vector", uvs.ravel())
    if has_map:
        source.data.uv_layers[0].uv.foreach_set("vector", np.full(uvs.size, 0.9, np.float32))
    else:
        source.data.uv_layers.remove(source.data.uv_layers[0])
    attribute = source.data.attributes.new("st", data_type, domain)
    if domain == "POINT":  # the seam is torn, which lies outside of what is compared
        corner = np.empty(len(uvs), np.int32)
        source.data.loops.foreach_get("vertex_index", corner)
        at_points = np.zeros((len(source.data.vertices), 2), np.float32)
        at_points[corner[::-1]] = uvs[::-1]
        uvs = at_points
    width = {"FLOAT2": 2, "FLOAT_VECTOR": 3, "FLOAT_COLOR": 4}[data_type]
    values = np.zeros((len(uvs), width), np.float32)
    values[:, :2] = uvs
    attribute.data.foreach_set("color" if width == 4 else "vector", values.ravel())
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    _, found = new_material_parts(target)
    off = np.abs(at_texels(found["Base Color"]) - picture[SAME_TEXELS])
    assert np.median(off) < 0.02
    assert off.mean() < 0.03
    assert not [line for line in report.details if "not there" in line]


def test_a_uv_map_that_is_not_there_is_told() -> None:
    source = blob("source")
    target = copy_without_materials(source)
    tree, _, texture = add_image_material(source, new_image("skin", waves()))
    node = tree.nodes.new("ShaderNodeUVMap")
    node.uv_map = "gone"
    tree.links.new(texture.inputs["Vector"], node.outputs["UV"])
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    assert [line for line in report.details if "“gone”" in line and "not there" in line]


def sheets(name: str, squares: Sequence[tuple[int, float, float]]) -> bpy.types.Object:
    """Bent sheets beside each other, each with its material slot and the corner of its unit square of UVs."""
    count = 9
    steps = np.linspace(0, 1, count)
    vertices, faces, uvs, slots = [], [], [], []
    for number, (slot, left, low) in enumerate(squares):
        start = number * count**2
        vertices += [(1.5 * number + x, 0.1 * np.sin(8 * x + number), z) for z in steps for x in steps]
        uvs += [(left + x, low + z) for z in steps for x in steps]
        corners = [start + row * count + column for row in range(count - 1) for column in range(count - 1)]
        faces += [(corner, corner + 1, corner + count + 1, corner + count) for corner in corners]
        slots += [slot] * len(corners)
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [], faces)
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    layer = mesh.uv_layers.new(name="UVMap")
    for loop, uv in zip(mesh.loops, layer.uv, strict=True):
        uv.vector = uvs[loop.vertex_index]
    for slot in range(max(slots) + 1):
        mesh.materials.append(bpy.data.materials.new(f"part {slot}"))
    mesh.polygons.foreach_set("material_index", slots)
    return obj


def match_by_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let matches be by the nearest vertex in space: sheets have nothing to be told apart by."""

    def find(
        source: Sequence[Handle], target: Sequence[Handle], options: workflow.Options, folder: Path, early: object
    ) -> Generator[Progress, None, ObjectMatch]:
        yield Progress("Matching", 0)
        recipe = Recipe("geometric", None, 0, ())
        first, second = (Described(CharacterSnapshot.take(each), "", Path(), recipe) for each in (source, target))
        one, other = first.of.snapshot, second.of.snapshot
        apart = np.linalg.norm(other.vertices[:, None] - one.vertices[None], axis=2)
        maps = vertex_map(apart.argmin(axis=1), one.faces), vertex_map(apart.argmin(axis=0), other.faces)
        path = map_path(f"{one.key}{other.key}")
        path.parent.mkdir(parents=True, exist_ok=True)
        Match(*maps, one.faces, other.faces, {}).save(path)
        return ObjectMatch(first, second, path)

    monkeypatch.setattr(transferring, "find_match", find)


def shown(obj: bpy.types.Object) -> NDArray[np.float64]:
    """The color (P, 3) of each face's middle, in the image of its own material."""
    uvs, colors = obj.data.uv_layers[0].uv, []
    for polygon in obj.data.polygons:
        u, v = np.mean([uvs[corner].vector for corner in polygon.loop_indices], axis=0) % 1
        nodes = obj.data.materials[polygon.material_index].node_tree.nodes
        image = next(node.image for node in nodes if node.type == "TEX_IMAGE")
        pixels = pixels_of(image)
        height, width = pixels.shape[:2]
        colors.append(pixels[int((1 - v) * height), int(u * width), :3])
    return np.array(colors, np.float64)


@pytest.mark.parametrize(
    ("layout", "tiles", "materials"),
    [
        ([(0, 0, 0), (1, 0, 0)], "auto", 2),  # a body and a head, each unwrapped to the whole square
        ([(0, 0, 0), (1, 3, 0), (2, 0, -1)], "auto", 3),  # the same square again, moved aside
        ([(0, 0, 0), (0, 1, 0), (1, 1, 0)], "udim", 2),  # tiles, and one more material on the second
        ([(0, 0, 0), (1, 1, 0)], "udim", 1),  # tiles
    ],
)
def test_materials_that_lie_over_each_other(
    layout: list[tuple[int, float, float]], tiles: str, materials: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has an image of its own, with the right colors; materials that do not share one."""
    match_by_place(monkeypatch)
    source = sheets("source", [(0, number, 0) for number in range(len(layout))])
    for item in source.data.uv_layers[0].uv:
        item.vector = item.vector.x / len(layout), item.vector.y
    picture = waves(256)
    source.data.materials.clear()
    add_image_material(source, new_image("skin", picture))
    target = sheets("target", layout)
    before = len(target.data.materials)
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS.changed(tiles=tiles)))
    assert len(target.data.materials) == before + materials
    middles = np.array([polygon.center for polygon in target.data.polygons])
    sheet = np.floor(middles[:, 0] / 1.5)
    columns = ((middles[:, 0] - 0.5 * sheet) / len(layout) * 256).astype(int)
    truth = picture[((1 - middles[:, 2]) * 256).astype(int), columns, :3]
    if materials == len(layout):
        off = np.abs(shown(target) - truth).mean(axis=1)
        for number in range(len(layout)):
            assert off[sheet == number].mean() < 0.02
    assert not [warning for warning in report.warnings if warning.code == "uvs-overlap"]


def test_halves_that_lie_over_each_other_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    match_by_place(monkeypatch)
    source, target = sheets("source", [(0, 0, 0), (0, 1, 0)]), sheets("target", [(0, 0, 0), (0, 0, 0)])
    source.data.materials.clear()
    add_image_material(source, new_image("skin", waves()))
    report = finish(workflow.transfer(source, target, ["texture"], OPTIONS))
    told = [warning.message for warning in report.warnings if warning.code == "uvs-overlap"]
    assert len(told) == 1
    assert "50%" in told[0]
