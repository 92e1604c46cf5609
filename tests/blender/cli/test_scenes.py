"""Commands on objects of a .blend file, saved as another."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.creatures import add_height_values
from helpers.rigged import Bones, new_armature
from helpers.shell import GEOMETRIC, add_object, blob, check_error, json_result, run, write_mesh
from helpers.skins import add_image_material
from meshkin.scene import compat

pytestmark = pytest.mark.usefixtures("own_home")


def dressed(path: Path) -> None:
    """Write a .blend file with a textured, weighted, painted source and a bare target with UVs."""
    source, target = add_object("source", *blob()), add_object("target", *blob(1.2))
    for obj in (source, target):
        layer = obj.data.uv_layers.new(name="map")
        for loop, uv in zip(obj.data.loops, layer.data, strict=True):
            x, y, z = obj.data.vertices[loop.vertex_index].co
            uv.uv = (0.5 + 0.2 * x / (1 + abs(z)), 0.5 + 0.2 * y / (1 + abs(z)))
    add_height_values(source)
    image = bpy.data.images.new("skin", 32, 32)
    image.generated_color = (0.8, 0.2, 0.1, 1)
    image.pack()
    add_image_material(source, image)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


def test_a_transfer_is_done_again_in_a_file_with_point_pairs(tmp_path: Path) -> None:
    """The settings are those of the transfer; both reports are in the file."""
    files = [tmp_path / name for name in ("in.blend", "once.blend", "again.blend")]
    dressed(files[0])
    ends = ("--source", "source", "--target", "target", "--json")
    first = run("transfer", files[0], *ends, "--what", "weights", *GEOMETRIC, "--limit", "1", "--output", files[1])
    assert first.returncode == 0, first.stderr
    source, target = bpy.data.objects["source"], bpy.data.objects["target"]
    top = max(range(len(target.data.vertices)), key=lambda vertex: target.data.vertices[vertex].co.z)
    bottom = min(range(len(source.data.vertices)), key=lambda vertex: source.data.vertices[vertex].co.z)
    (tmp_path / "pairs.json").write_text(f"[[{bottom}, {top}]]", encoding="utf-8")
    again = run("update", files[1], *ends, "--pairs", tmp_path / "pairs.json", "--output", files[2])
    assert again.returncode == 0, again.stderr
    assert json_result(again)["written"] == ["weights"]
    bpy.ops.wm.open_mainfile(filepath=str(files[2]))
    vertices = bpy.data.objects["target"].data.vertices
    assert {len(vertex.groups) for vertex in vertices} == {1}
    assert [group.name for group in bpy.data.objects["target"].vertex_groups] == ["upper", "lower"]
    newest, oldest = bpy.data.texts["MeshKin Report"].as_string().split("\n\n")
    assert "is up to date with" in newest
    assert "gave “target” its weights" in oldest
    check_error(run("update", files[0], *ends, "--output", files[2]), 3, "nothing-transferred")


def test_transfer_saves_another_file(tmp_path: Path) -> None:
    before, after = tmp_path / "in.blend", tmp_path / "out.blend"
    dressed(before)
    content = before.read_bytes()
    ran = run(
        *("transfer", before, "--source", "source", "--target", "target", "--what", "texture, weights,attributes"),
        *(*GEOMETRIC, "--texture-size", "64", "--output", after, "--json"),
    )
    assert ran.returncode == 0, ran.stderr
    assert json_result(ran)["written"] == ["texture", "weights", "attributes"]
    assert before.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.blend", "out.blend"]
    bpy.ops.wm.open_mainfile(filepath=str(after))
    target = bpy.data.objects["target"]
    assert [group.name for group in target.vertex_groups] == ["upper", "lower"]
    sums = [sum(one.weight for one in vertex.groups) for vertex in target.data.vertices]
    np.testing.assert_allclose(sums, 1, atol=1e-5)
    heights = np.empty(len(target.data.vertices), np.float32)
    target.data.attributes["height"].data.foreach_get("value", heights)
    assert 0 <= heights.min() < 0.3
    assert 0.7 < heights.max() <= 1
    nodes = compat.node_tree(target.data.materials[0]).nodes
    image = next(node.image for node in nodes if node.type == "TEX_IMAGE")
    assert tuple(image.size) == (64, 64)
    assert image.packed_file
    pixels = np.empty((64, 64, 4), np.float32)
    image.pixels.foreach_get(pixels.ravel())
    np.testing.assert_allclose(pixels[32, 32], (0.8, 0.2, 0.1, 1), atol=0.01)


@pytest.mark.slow
def test_what_the_source_does_not_have_is_left_out(tmp_path: Path) -> None:
    """Without --what, whatever is there comes over; what was asked for and is not there is a warning."""
    dressed(tmp_path / "in.blend")
    source = bpy.data.objects["source"]
    source.data.attributes.remove(source.data.attributes["height"])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "in.blend"))
    objects = ("--source", "source", "--target", "target", *GEOMETRIC, "--texture-size", "64")
    command = ("transfer", tmp_path / "in.blend", *objects, "--output", tmp_path / "out.blend", "--json")
    ran = run(*command)
    assert ran.returncode == 0, ran.stderr
    told = json_result(ran)
    assert (told["written"], told["left_out"]) == (["texture", "weights"], {"attributes": "no-attributes"})
    assert [line for line in told["details"] if line.startswith("Not carried: attributes.")]
    assert "no-attributes" not in [warning["code"] for warning in told["warnings"]]
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out.blend"))
    assert bpy.data.objects["target"].vertex_groups.keys() == ["upper", "lower"]
    assert len(bpy.data.objects["target"].data.materials) == 1
    ran = run(*command, "--what", "weights,shape_keys,hair", "--strict")
    assert ran.returncode == 7, ran.stderr
    told = json_result(ran)
    assert told["written"] == ["weights"]
    assert {"no-shape-keys", "no-hair"} <= {warning["code"] for warning in told["warnings"]}
    check_error(run(*command, "--what", "shape_keys,hair"), 3, "no-shape-keys")
    check_error(run(*command, "--what", "weights,attributes", "--limit", "0"), 3, "option-invalid")


@pytest.mark.slow
def test_transfer_through_an_object_of_a_set(tmp_path: Path) -> None:
    for name, stretch in (("middle", 1.0), ("one", 1.2), ("two", 0.9)):
        add_object(name, *blob(stretch, 2)).data.attributes.new("warmth", "FLOAT", "POINT")
    bpy.data.objects["two"].data.attributes.remove(bpy.data.objects["two"].data.attributes["warmth"])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "in.blend"))
    command = ("transfer", tmp_path / "in.blend", "--source", "one", "--target", "two", "--what", "attributes")
    ran = run(*command, "--through", "middle", *GEOMETRIC, "--output", tmp_path / "out.blend", "--json")
    assert ran.returncode == 0, ran.stderr
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out.blend"))
    assert "warmth" in bpy.data.objects["two"].data.attributes
    ran = run(*command, "--through", "nobody", *GEOMETRIC, "--output", tmp_path / "out.blend", "--json")
    check_error(ran, 3, "object-unknown")


def rigged(path: Path) -> None:
    """Write a .blend file: “old” is posed by the moving armature “rig”, “new” by “other”, “bare” has groups alone."""
    for name in ("old", "new", "bare"):
        obj = add_object(name, *blob(subdivisions=2))
        heights = np.array([vertex.co.z for vertex in obj.data.vertices])
        for group, chosen in (("low", heights < 0), ("high", heights >= 0), ("extra", heights > 9)):
            obj.vertex_groups.new(name=group).add(np.flatnonzero(chosen).tolist(), 1, "REPLACE")
    for name, posed in (("rig", "old"), ("other", "new")):
        bones: Bones = {"low": ((0, 0, -1), (0, 0, 0), None), "high": ((0, 0, 0), (0, 0, 1), None)}
        armature = new_armature(name, bones)
        bpy.data.objects[posed].modifiers.new("Armature", "ARMATURE").object = armature
    bone = bpy.data.objects["rig"].pose.bones["high"]
    bone.rotation_mode = "XYZ"
    for frame, angle in ((1, 0.0), (10, 1.0)):
        bone.rotation_euler = (angle, 0, 0)
        bone.keyframe_insert("rotation_euler", frame=frame)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


def test_motion_and_an_armature_from_groups(tmp_path: Path) -> None:
    """The same as the buttons: an action for the other armature; bones from groups whose names fit."""
    rigged(tmp_path / "in.blend")
    moved, built = tmp_path / "moved.blend", tmp_path / "built.blend"
    ran = run("motion", tmp_path / "in.blend", "--source", "old", "--target", "other", "--output", moved, "--json")
    assert ran.returncode == 0, ran.stderr
    action = json_result(ran)["action"]
    bpy.ops.wm.open_mainfile(filepath=str(moved))
    other = bpy.data.objects["other"]
    assert other.animation_data.action.name == action
    bpy.context.scene.frame_set(10)
    turned = other.pose.bones["high"].matrix.to_quaternion()
    assert turned.rotation_difference(bpy.data.objects["rig"].pose.bones["high"].matrix.to_quaternion()).angle < 1e-3
    assert other.pose.bones["high"].rotation_quaternion.angle == pytest.approx(1, abs=1e-3)
    ran = run("motion", moved, "--source", "bare", "--target", "new", "--output", built, "--json")
    check_error(ran, 3, "no-armature")
    command = ("build-armature", tmp_path / "in.blend", "--target", "bare", "--pattern", "low high", "--output", built)
    ran = run(*command, "--json")
    assert ran.returncode == 0, ran.stderr
    bpy.ops.wm.open_mainfile(filepath=str(built))
    made = bpy.data.objects[json_result(ran)["armature"]]
    assert sorted(bone.name for bone in made.data.bones) == ["high", "low"]
    assert bpy.data.objects["bare"].modifiers["Armature"].object == made
    check_error(run(*command[:4], "--pattern", "none", "--output", built, "--json"), 3, "no-groups")


def test_pose(tmp_path: Path) -> None:
    """The posed frame of the file comes over as a shape key."""
    rigged(tmp_path / "in.blend")
    bpy.context.scene.frame_set(10)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "in.blend"))
    command = ("pose", tmp_path / "in.blend", "--source", "old", *GEOMETRIC)
    ran = run(*command, "--target", "bare", "--output", tmp_path / "out.blend", "--json")
    assert ran.returncode == 0, ran.stderr
    told = json_result(ran)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out.blend"))
    keys = bpy.data.objects["bare"].data.shape_keys.key_blocks
    assert keys[-1].name == told["shape_key"] == "Pose of old"
    moved = [(one.co - two.co).length for one, two in zip(keys[-1].data, keys[0].data, strict=True)]
    assert max(moved) > 0.1
    check_error(run(*command, "--target", "nobody", "--output", tmp_path / "out.blend", "--json"), 3, "object-unknown")


@pytest.mark.slow
def test_parts_are_written_to_another_file(tmp_path: Path) -> None:
    before, after = tmp_path / "in.blend", tmp_path / "out.blend"
    dressed(before)
    ran = run(
        *("parts", before, "--objects", "source,target", "--count", "3", "--write", "vertex_groups"),
        *(*GEOMETRIC, "--output", after, "--json"),
    )
    assert ran.returncode == 0, ran.stderr
    parts = json_result(ran)["parts"]
    bpy.ops.wm.open_mainfile(filepath=str(after))
    for name in ("source", "target"):
        obj = bpy.data.objects[name]
        assert sum(parts[name].values()) == len(obj.data.polygons)
        assert set(parts[name]) <= set(obj.vertex_groups.keys())
    check_error(
        run("parts", before, "--objects", "source", "--write", "limbs", "--output", after, "--json"),
        3,
        "option-invalid",
    )


@pytest.mark.slow
def test_parts_of_mesh_files_are_written_as_arrays(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_mesh(tmp_path / f"{name}.obj", *blob())
    ran = run(
        *("parts", tmp_path / "one.obj", tmp_path / "two.obj", "--count", "3", "--output", tmp_path / "labels.npz"),
        *(*GEOMETRIC, "--json"),
    )
    parts = json_result(ran)["parts"]
    with np.load(tmp_path / "labels.npz", allow_pickle=False) as labels:
        assert set(labels.files) - {"meshkin_seal"} == {"names", *parts, *(f"{name}.confidence" for name in parts)}
        for name, sizes in parts.items():
            found = np.bincount(labels[name], minlength=len(sizes))
            assert dict(zip(labels["names"].tolist(), found.tolist(), strict=True)) == sizes
