"""Before and after a transfer, and the transfer done again in place when the match is guided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.creatures import creature, vertex_positions
from helpers.main_job import MATCHED, paint
from helpers.rigged import armature_of, new_armature
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.scene import last_transfer
from meshkin.scene.mesh import attributes, matches, pairs
from meshkin.scene.rig import binding

OPTIONS = MATCHED.changed(texture_size=64)


def pair() -> tuple[bpy.types.Object, bpy.types.Object]:
    """A painted and rigged source, and a target beside it with a group and a material of its own."""
    source, target = creature("source", subdivisions=3), creature("target", 1.2, subdivisions=3)
    target.location.x = 5
    paint(source)
    rig = new_armature("rig", {"lower": ((0, 0, -1), (0, 0, 0), None), "upper": ((0, 0, 0), (0, 0, 1), "lower")})
    binding.bind(source, rig)
    target.data.materials.append(bpy.data.materials.new("own"))
    target.vertex_groups.new(name="before").add(range(10), 0.5, "REPLACE")
    bpy.context.view_layer.update()
    return source, target


def weights_of(obj: bpy.types.Object) -> dict[str, NDArray[np.float64]]:
    """The weights of each vertex group."""
    columns = {group.name: np.zeros(len(obj.data.vertices)) for group in obj.vertex_groups}
    for vertex in obj.data.vertices:
        for one in vertex.groups:
            columns[obj.vertex_groups[one.group].name][vertex.index] = one.weight
    return columns


def looks(obj: bpy.types.Object) -> dict[str, Any]:
    """What a transfer writes to an object, rounded."""
    return {
        "weights": {name: np.round(column, 5).tolist() for name, column in weights_of(obj).items()},
        "slots": [slot.name for slot in obj.material_slots],
        "faces": [face.material_index for face in obj.data.polygons],
        "keys": list(obj.data.shape_keys.key_blocks.keys()) if obj.data.shape_keys else [],
        "attributes": sorted(one.name for one in obj.data.attributes if not one.name.startswith((".", "meshkin_"))),
        "modifiers": [modifier.name for modifier in obj.modifiers],
        "parent": obj.parent and obj.parent.name,
    }


def blocks() -> dict[str, list[str]]:
    """The names of all data-blocks in which a transfer makes some."""
    names = ("objects", "meshes", "armatures", "materials", "images", "actions")
    return {name: sorted(block.name for block in getattr(bpy.data, name)) for name in names}


WHAT = ("texture", "weights", "attributes", "armature")


def test_before_and_after_with_one_call(tmp_path: Path) -> None:
    source, target = pair()
    before = looks(target)
    finish(workflow.transfer(source, target, WHAT, OPTIONS))
    after = looks(target)
    assert after["slots"] == ["own", "skin on target"]
    for _ in range(2):
        assert last_transfer.toggle(target)
        shown = looks(target)
        assert {**shown, "modifiers": [], "parent": None} == before
        assert not last_transfer.toggle(target)
        assert looks(target) == after
    last_transfer.toggle(target)
    with pytest.raises(InputError, match="shows what it was before"):
        finish(workflow.transfer(source, target, WHAT, OPTIONS))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert not last_transfer.toggle(bpy.data.objects["target"])
    assert looks(bpy.data.objects["target"]) == after


def test_a_pair_given_after_a_transfer_changes_what_is_near_and_nothing_else_is_lost() -> None:
    """The pair says that the tip of the target's arm is what lies below the tip of the source's."""
    source, target = pair()
    finish(workflow.transfer(source, target, ("texture", "weights"), OPTIONS))
    finish(workflow.transfer(source, target, ("armature", "attributes"), OPTIONS))
    rig = armature_of(target)
    names, slots = blocks(), [slot.name for slot in target.material_slots]
    weights = weights_of(target)
    target.vertex_groups.new(name="mine").add(range(20, 30), 0.25, "REPLACE")
    target.data.materials.append(bpy.data.materials.new("my material"))
    target.data.polygons[7].material_index = 2
    target.modifiers.new("my modifier", "SUBSURF").show_viewport = False
    target.data.attributes.new("my attribute", "FLOAT", "POINT").data.foreach_set(
        "value", [3.0] * len(target.data.vertices)
    )
    rig.pose.bones["upper"].rotation_mode = "XYZ"
    rig.pose.bones["upper"].rotation_euler.x = 0.4
    bpy.context.view_layer.update()

    moved = int(vertex_positions(target)[:, 1].argmax())
    anchor = int((vertex_positions(source) @ (0, 1, -1.5)).argmax())
    wanted = weights_of(source)["lower"][anchor]
    pairs.add(source, target, anchor, moved)
    report = finish(workflow.update(source, target, OPTIONS))
    assert report.data["written"] == ["texture", "weights", "attributes", "armature"]
    new = weights_of(target)
    assert wanted > weights["lower"][moved] + 0.1
    assert new["lower"][moved] == pytest.approx(wanted, abs=0.05)
    distance = np.linalg.norm(vertex_positions(target) - vertex_positions(target)[moved], axis=1)
    change = np.abs(new["lower"] - weights["lower"])
    assert change[distance < 0.2].mean() > 3 * change[distance > 1.5].mean()

    assert new["mine"][25] == pytest.approx(0.25)
    assert new["before"][5] == pytest.approx(0.5)
    assert [slot.name for slot in target.material_slots] == [slots[0], "my material", slots[1]]
    assert target.data.polygons[7].material_index == 1
    assert {face.material_index for face in target.data.polygons} == {1, 2}
    assert "my modifier" in target.modifiers
    assert target.data.attributes["my attribute"].data[0].value == 3
    rig = armature_of(target)
    assert rig.name == "rig on target"
    assert rig.pose.bones["upper"].rotation_euler.x == pytest.approx(0.4)
    assert rig.data.pose_position == "POSE"
    made = {"objects": ["Kin 1 · source", "Kin 1 · target"], "materials": ["my material"]}
    assert blocks() == {name: sorted(listed + made.get(name, [])) for name, listed in names.items()}
    assert not last_transfer.toggle(target) or weights_of(target)["before"][5] == pytest.approx(0.5)


def test_mixed_weights_are_mixed_with_what_was_there_first() -> None:
    """Otherwise doing it again would mix the result into itself."""
    source, target = pair()
    half = OPTIONS.changed(mix=0.5)
    target.vertex_groups.new(name="lower").add(range(len(target.data.vertices)), 1.0, "REPLACE")
    finish(workflow.transfer(source, target, ("weights",), half))
    once = weights_of(target)
    finish(workflow.update(source, target, OPTIONS))
    for name, column in weights_of(target).items():
        np.testing.assert_allclose(column, once[name], atol=1e-5)


def test_flip_and_the_device_are_of_the_moment_and_all_else_as_before() -> None:
    source, target = pair()
    finish(workflow.transfer(source, target, ("weights",), OPTIONS.changed(limit=1)))
    finish(workflow.update(source, target, OPTIONS.changed(flip=True, limit=4)))
    assert matches.is_flipped(source, target)
    assert max(len(vertex.groups) for vertex in target.data.vertices) == 2  # one of these groups was there before
    finish(workflow.update(source, target, OPTIONS.changed(flip=False)))
    assert not matches.is_flipped(source, target)


def test_cancelled_it_leaves_the_result() -> None:
    source, target = pair()
    finish(workflow.transfer(source, target, WHAT, OPTIONS))
    after, names = looks(target), blocks()
    job = workflow.update(source, target, OPTIONS.changed(flip=True))
    for _ in range(3):
        next(job)
    assert looks(target)["slots"] == ["own"]  # what was there before is shown meanwhile
    job.close()
    assert looks(target) == after
    assert blocks() == names
    assert armature_of(target).data.pose_position == "POSE"


def test_what_cannot_be_done_again_says_so() -> None:
    source, target = pair()
    with pytest.raises(InputError, match="Nothing was transferred"):
        finish(workflow.update(source, target, OPTIONS))
    with pytest.raises(InputError, match="Nothing was transferred"):
        last_transfer.toggle(target)
    finish(workflow.transfer(source, target, ("weights",), OPTIONS))
    other = creature("other", subdivisions=3)
    with pytest.raises(InputError, match="Nothing was transferred"):
        finish(workflow.update(other, target, OPTIONS))
    target.data.clear_geometry()
    target.data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    with pytest.raises(InputError, match="other faces"):
        finish(workflow.update(source, target, OPTIONS))


def test_attributes_of_the_source_come_again_and_a_deleted_target_takes_its_record_along(tmp_path: Path) -> None:
    source, target = pair()
    finish(workflow.transfer(source, target, ("attributes",), OPTIONS))
    source.data.attributes["height"].data.foreach_set("value", [7.0] * len(source.data.vertices))
    finish(workflow.update(source, target, OPTIONS))
    assert attributes.read(target, matches.load(source, target).target)[0].values.min() == pytest.approx(7)
    bpy.data.objects.remove(target)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert not [mesh.name for mesh in bpy.data.meshes if mesh.name.startswith("target")]


def test_textures_in_a_folder_are_replaced_by_an_update(tmp_path: Path) -> None:
    """The files keep their names, and what lies beside them stays; cancelled, the old ones stay."""
    source, target = pair()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    folder = tmp_path / "textures"
    folder.mkdir()
    name = f"{source.active_material.name} on target.png"
    (folder / name).write_bytes(b"of somebody else")
    finish(workflow.transfer(source, target, ("texture",), OPTIONS.changed(texture_folder="//textures")))
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert len(before) > 1
    paths = sorted(image.filepath for image in bpy.data.images if image.filepath)
    assert all(path.startswith("//textures") for path in paths)
    pairs.add(
        source, target, int(vertex_positions(source)[:, 0].argmax()), int(vertex_positions(target)[:, 1].argmax())
    )
    job = workflow.update(source, target, OPTIONS)
    for _ in range(3):
        next(job)
    job.close()
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    finish(workflow.update(source, target, OPTIONS))
    after = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert after.keys() == before.keys()
    assert [file for file in after if after[file] != before[file]]
    assert after.get(name, b"") == before.get(name, b"")
    assert sorted(image.filepath for image in bpy.data.images if image.filepath) == paths
    for image in bpy.data.images:
        image.reload()
        assert image.size[0] in (0, 64)
