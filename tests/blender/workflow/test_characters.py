"""Transfers between characters of several meshes: everything is written to each of the target's."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.characters import dressed, rig
from helpers.creatures import vertex_positions
from helpers.rigged import armature_of
from helpers.skins import OPTIONS, add_image_material, new_image, pixels_of, waves
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.scene.mesh import snapshot as snapshots

SHIFT = np.array((6.0, 0.0, 0.0))
COLORS = {"body": (0.8, 0.4, 0.3), "coat": (0.1, 0.2, 0.7), "L": (0.9, 0.9, 0.9), "R": (0.9, 0.9, 0.9)}


def colored(meshes: dict[str, bpy.types.Object]) -> None:
    """Give each mesh an image of one color, and the name of its part as an attribute."""
    for part, obj in meshes.items():
        picture = np.ones((32, 32, 4), np.float32)
        picture[..., :3] = COLORS[part]
        add_image_material(obj, new_image(f"{part} skin", picture, "Non-Color"), part)
        values = np.full(len(obj.data.vertices), list(COLORS).index(part), np.int32)
        obj.data.attributes.new("part", "INT", "POINT").data.foreach_set("value", values)


def source_and_target() -> tuple[dict[str, bpy.types.Object], dict[str, bpy.types.Object]]:
    """A rigged and colored character, and its copy beside it, which has neither."""
    source, target = dressed(), dressed("new ", SHIFT[0])
    rig("rig", source)
    colored(source)
    root = bpy.data.objects.new("new root", None)
    bpy.context.scene.collection.objects.link(root)
    for obj in target.values():
        obj.parent = root
    bpy.context.view_layer.update()
    return source, target


def weights_of(obj: bpy.types.Object, name: str) -> NDArray[np.float64]:
    number = obj.vertex_groups[name].index
    return np.array([sum(one.weight for one in vertex.groups if one.group == number) for vertex in obj.data.vertices])


def shown_places(obj: bpy.types.Object) -> NDArray[np.float64]:
    shape = snapshots.take(obj)
    return np.asarray(shape.vertices + shape.location, np.float64)


def common_color(obj: bpy.types.Object) -> NDArray[np.float64]:
    """The median color of the images that an object's faces show."""
    used = {polygon.material_index for polygon in obj.data.polygons}
    colors = []
    for slot in used:
        nodes = obj.data.materials[slot].node_tree.nodes
        image = next(node.image for node in nodes if node.type == "TEX_IMAGE" and "Base" in _links(node))
        colors.append(np.median(pixels_of(image)[..., :3].reshape(-1, 3), axis=0))
    return np.mean(colors, axis=0)


def _links(node: bpy.types.Node) -> str:
    return " ".join(link.to_socket.name for output in node.outputs for link in output.links)


@pytest.mark.parametrize(
    "picks",
    [("body", "R"), *(pytest.param(picks, marks=pytest.mark.slow) for picks in (("rig", "new root"), ("L", "coat")))],
)
def test_everything_is_written_to_each_mesh(picks: tuple[str, str]) -> None:
    """Whatever was picked: weights, rig, attributes and texture come over to body, coat and eyes, as on the source."""
    source, target = source_and_target()
    picked, other = (
        meshes.get(pick) or bpy.data.objects[pick] for meshes, pick in zip((source, target), picks, strict=True)
    )
    what = ["weights", "armature", "attributes", "texture"]
    report = finish(workflow.transfer(picked, other, what, OPTIONS))
    assert sorted(report.data["written"]) == sorted(what)
    assert not report.warnings, report.lines()
    rigs = {armature_of(obj) for obj in target.values()}
    assert len(rigs) == 1
    (new_rig,) = rigs
    for part, obj in target.items():
        if part in ("body", "coat"):
            np.testing.assert_allclose(weights_of(obj, "head"), weights_of(source[part], "head"), atol=1e-4)
        else:
            np.testing.assert_allclose(weights_of(obj, "head"), 1, atol=1e-4)  # what hangs on a bone follows it
        values = [point.value for point in obj.data.attributes["part"].data]
        assert set(values) == {list(COLORS).index(part)}
        np.testing.assert_allclose(common_color(obj), COLORS[part], atol=0.02)
        np.testing.assert_allclose(shown_places(obj), shown_places(source[part]) + SHIFT, atol=1e-4)
    for armature in (bpy.data.objects["rig"], new_rig):
        bone = armature.pose.bones["head"]
        bone.rotation_mode = "XYZ"
        bone.rotation_euler = (0.4, 0.3, 0.0)
    bpy.context.view_layer.update()
    for part, obj in target.items():
        np.testing.assert_allclose(shown_places(obj), shown_places(source[part]) + SHIFT, atol=2e-3)


def test_a_list_is_meant_itself() -> None:
    """Ticks off: what is not in the list neither gives nor gets anything."""
    source, target = source_and_target()
    one, other = ([meshes["body"], meshes["L"]] for meshes in (source, target))
    report = finish(workflow.transfer(one, other, ["attributes"], OPTIONS))
    assert "coat" not in report.title
    assert [("part" in target[part].data.attributes) for part in ("body", "L", "R", "coat")] == [
        True,
        True,
        False,
        False,
    ]
    assert {point.value for point in target["body"].data.attributes["part"].data} == {0}


def test_keys_and_materials_come_to_each_mesh() -> None:
    source, target = source_and_target()
    for part in ("body", "coat"):
        obj = source[part]
        obj.shape_key_add(name="Basis")
        key = obj.shape_key_add(name="grow", from_mix=False)
        key.value = 0
        moved = vertex_positions(obj) + np.array((0, 0, 0.2))
        key.data.foreach_set("co", moved.astype(np.float32).ravel())
    finish(workflow.transfer(source["body"], target["body"], ["shape_keys", "materials"], OPTIONS))
    for part in ("body", "coat"):
        blocks = target[part].data.shape_keys.key_blocks
        moved = np.array([one.co[:] for one in blocks["grow"].data]) - np.array([one.co[:] for one in blocks[0].data])
        np.testing.assert_allclose(moved, np.broadcast_to((0, 0, 0.2), moved.shape), atol=1e-4)
    for part, obj in target.items():
        assert {obj.data.materials[polygon.material_index].name for polygon in obj.data.polygons} == {part}


def test_a_character_of_one_mesh_and_one_of_several() -> None:
    """A joined target gets all; a target of several meshes gets what a joined source has."""
    source, target = source_and_target()
    bpy.ops.object.select_all(action="DESELECT")
    for obj in target.values():
        obj.select_set(True)
    bpy.context.view_layer.objects.active = target["body"]
    bpy.ops.object.join()
    joined = target["body"]
    finish(workflow.transfer(source["coat"], joined, ["weights", "attributes"], OPTIONS))
    values = [point.value for point in joined.data.attributes["part"].data]
    assert sorted(set(values)) == [0, 1, 2, 3]
    third = dressed("third ", -6.0)
    third_root = bpy.data.objects.new("third root", None)
    bpy.context.scene.collection.objects.link(third_root)
    for obj in third.values():
        obj.parent = third_root
    finish(workflow.transfer(joined, third_root, ["weights", "attributes"], OPTIONS))
    for part, obj in third.items():
        assert {point.value for point in obj.data.attributes["part"].data} == {list(COLORS).index(part)}
        truth = weights_of(source[part], "head") if part in ("body", "coat") else np.ones(len(obj.data.vertices))
        np.testing.assert_allclose(weights_of(obj, "head"), truth, atol=1e-4)


def test_a_posed_source_gives_its_rest() -> None:
    """The pose in which a character stands changes neither what is matched nor what comes over."""
    source, target = source_and_target()
    bone = bpy.data.objects["rig"].pose.bones["head"]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler = (0.5, 0.2, 0.4)
    bpy.context.view_layer.update()
    finish(workflow.transfer(source["body"], target["body"], ["weights", "attributes"], OPTIONS))
    for part, obj in target.items():
        assert {point.value for point in obj.data.attributes["part"].data} == {list(COLORS).index(part)}
    np.testing.assert_allclose(weights_of(target["body"], "head"), weights_of(source["body"], "head"), atol=1e-4)


@pytest.mark.slow
def test_one_that_cannot_be_written_is_left_out() -> None:
    source, target = source_and_target()
    target["coat"].data.clear_geometry()
    target["L"].modifiers.new("Remesh", "REMESH").voxel_size = 0.05
    report = finish(workflow.transfer(source["body"], target["body"], ["attributes"], OPTIONS))
    assert "part" in target["body"].data.attributes
    assert report.data["written"] == ["attributes"]


def test_waves_stay_on_their_mesh() -> None:
    """A picture on one mesh of the source is on the same mesh of the target, texel by texel."""
    source, target = source_and_target()
    tree = source["body"].active_material.node_tree
    image = new_image("waves", waves(256))
    next(node for node in tree.nodes if node.type == "TEX_IMAGE").image = image
    finish(workflow.transfer(source["coat"], target["coat"], ["texture"], OPTIONS))
    body = target["body"]
    slot = body.data.polygons[0].material_index
    written = next(node.image for node in body.data.materials[slot].node_tree.nodes if node.type == "TEX_IMAGE")
    texels, truth = pixels_of(written), pixels_of(image)
    covered = texels[..., 3] > 0
    assert covered.mean() > 0.5
    assert np.abs(texels - truth)[covered][:, :3].mean() < 0.02


def test_a_mesh_whose_uv_map_holds_no_texture_gets_another() -> None:
    """Eyes often lie on one point of a palette; the rest of the character gets its texture all the same."""
    source, target = source_and_target()
    eye, body = target["L"], target["body"]
    flat = np.full(2 * len(eye.data.loops), 0.25, np.float32)
    eye.data.uv_layers[0].uv.foreach_set("vector", flat)
    own = eye.data.uv_layers[0].name
    report = finish(workflow.transfer(source["body"], body, ["texture"], OPTIONS))
    assert [warning.code for warning in report.warnings] == ["uvs-replaced"]
    assert [layer.name for layer in eye.data.uv_layers] == [own, "MeshKin"]
    assert len(body.data.uv_layers) == 1
    for part, obj in target.items():
        np.testing.assert_allclose(common_color(obj), COLORS[part], atol=0.02)
    undone = np.empty_like(flat)
    eye.data.uv_layers[own].uv.foreach_get("vector", undone)
    np.testing.assert_array_equal(undone, flat)
