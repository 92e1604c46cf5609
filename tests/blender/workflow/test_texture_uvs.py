"""By which UVs images are mapped and results laid out, and what is said where these are not what they seem."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.skins import (
    OPTIONS,
    SAME_TEXELS,
    add_image_material,
    at_texels,
    blob,
    copy_without_materials,
    new_image,
    new_material_parts,
    waves,
)
from meshkin import workflow
from meshkin.base.progress import finish


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
    source = blob("source")
    target = copy_without_materials(source)
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
