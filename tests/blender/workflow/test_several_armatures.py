"""Objects with more than one Armature modifier: which of them count, and what becomes of each."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from helpers.creatures import add_height_values, creature
from helpers.main_job import MATCHED
from helpers.rigged import armature_of, new_armature
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.rig import binding, weights

BOTH = {"upper": ((0, 0, 0), (0, 0, 1), None), "lower": ((0, 0, -1), (0, 0, 0), None)}


def posed_by(obj: bpy.types.Object, *armatures: bpy.types.Object, hidden: int = 0) -> None:
    """Give the object an Armature modifier for each armature, the first ``hidden`` of which are switched off."""
    for number, armature in enumerate(armatures):
        modifier = obj.modifiers.new(armature.name, "ARMATURE")
        modifier.object = armature
        modifier.show_viewport = modifier.show_render = number >= hidden


def test_a_rig_that_is_switched_off_does_not_count() -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.1, subdivisions=3)
    add_height_values(source)
    old, rig = new_armature("old", {"junk": ((0, 0, 0), (0, 0, 1), None)}), new_armature("rig", BOTH)
    posed_by(source, old, rig, hidden=1)
    posed_by(target, old, hidden=1)
    target.location = (6, 0, 0)
    bpy.context.view_layer.update()
    report = finish(workflow.transfer(source, target, ["weights", "armature"], MATCHED))
    copy = armature_of(target)
    assert copy not in (old, rig)
    assert copy.data.bones.keys() == ["upper", "lower"]
    assert [(one.object, one.show_viewport) for one in target.modifiers] == [(copy, True), (old, False)]
    assert not [warning for warning in report.warnings if "armature" in warning.code]
    before = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertices[0].co.copy()
    copy.pose.bones["upper"].location = copy.pose.bones["lower"].location = (0, 1, 0)
    after = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertices[0].co
    assert (after - before).length == pytest.approx(1, abs=0.05)


def test_a_rig_that_alone_is_there_counts_although_it_is_switched_off() -> None:
    obj, rig = creature("source", subdivisions=2), new_armature("rig", BOTH)
    posed_by(obj, rig, hidden=1)
    assert binding.armatures_of(obj) == [rig]
    other = new_armature("other", BOTH)
    obj.parent, obj.parent_type = other, "ARMATURE"
    assert binding.armatures_of(obj) == [other]


def test_the_bones_of_a_second_rig_count_and_it_comes_over() -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.1, subdivisions=3)
    add_height_values(source)
    source.vertex_groups.new(name="mask").add(range(20), 1, "REPLACE")
    body, hair = new_armature("body", {"lower": BOTH["lower"]}), new_armature("hair", {"upper": BOTH["upper"]})
    posed_by(source, body, hair)
    assert weights.chosen_groups(source) == ["upper", "lower"]
    report = finish(workflow.transfer(source, target, ["weights", "armature"], MATCHED))
    sums = [sum(one.weight for one in vertex.groups) for vertex in target.data.vertices]
    np.testing.assert_allclose(sums, 1, atol=1e-5)
    assert not [warning for warning in report.warnings if "armature" in warning.code]
    assert [one.object.name for one in target.modifiers] == ["body on target", "hair on target"]
    bone = hair.pose.bones["upper"]
    (bone if hasattr(bone, "select") else bone.bone).select = True  # of the pose from 5.0 on
    assert weights.chosen_groups(source, "selected") == ["upper"]
    with pytest.raises(InputError) as raised:
        weights.chosen_groups(source, "deform", "mask")
    assert raised.value.code == "no-groups"


def moved(obj: bpy.types.Object, bone: bpy.types.PoseBone) -> np.ndarray:
    """How far each vertex of an object goes, in the world, when a bone is turned by a radian."""
    bpy.context.view_layer.update()
    before = snapshots.take(obj).vertices
    bone.rotation_mode = "XYZ"
    bone.rotation_euler.x = 1
    bpy.context.view_layer.update()
    after = snapshots.take(obj).vertices
    bone.rotation_euler.x = 0
    bpy.context.view_layer.update()
    return np.linalg.norm(after - before, axis=1)


def with_hair_rig(how: str) -> tuple[bpy.types.Object, bpy.types.Object, bpy.types.Object]:
    """A source with a rig of its body and one of its hair, which follows the head; and both rigs."""
    source = creature("source", subdivisions=3)
    add_height_values(source)
    body = new_armature("body", {"lower": BOTH["lower"], "head": ((0, 0, 0), (0, 0, 0.5), "lower")})
    hair = new_armature("hair", {"upper": ((0, 0, 0.5), (0, 0, 1.5), None)})
    posed_by(source, body, hair)
    if how == "parent":
        hair.parent, hair.parent_type, hair.parent_bone = body, "BONE", "head"
        hair.matrix_world = Matrix()
    else:
        limit = hair.pose.bones["upper"].constraints.new("CHILD_OF")
        limit.target, limit.subtarget = body, "head"
        bpy.context.view_layer.update()
        limit.inverse_matrix = body.pose.bones["head"].matrix.inverted()
    bpy.context.view_layer.update()
    return source, body, hair


@pytest.mark.parametrize("how", ["parent", "constraint"])
def test_a_hair_rig_follows_the_head_of_the_copied_body(how: str) -> None:
    source, body, hair = with_hair_rig(how)
    target = creature("target", subdivisions=3)
    target.location, target.scale = (6, 0, 0), (2, 2, 2)
    bpy.context.view_layer.update()
    before = snapshots.take(target).vertices
    finish(workflow.transfer(source, target, ["weights", "armature"], MATCHED))
    bpy.context.view_layer.update()
    np.testing.assert_allclose(snapshots.take(target).vertices, before, atol=1e-4)
    copies = binding.armatures_of(target)
    assert [copy.name for copy in copies] == ["body on target", "hair on target"]
    assert copies[1].parent == (copies[0] if how == "parent" else None)
    for name in ("head", "upper", "lower"):
        one, two = (next(rig for rig in rigs if name in rig.data.bones) for rigs in ((body, hair), copies))
        truth = moved(source, one.pose.bones[name])
        assert truth.max() > 0.1 or (how, name) == ("parent", "head")  # an armature as a whole deforms nothing
        np.testing.assert_allclose(moved(target, two.pose.bones[name]), 2 * truth, atol=0.05)


def test_a_second_run_takes_the_place_of_the_first() -> None:
    """With its pose and its action; what was edited since stays beside the new one."""
    source, _, _ = with_hair_rig("parent")
    target = creature("target", subdivisions=3)
    target.location = (6, 0, 0)
    bpy.context.view_layer.update()
    what = ["weights", "armature"]
    finish(workflow.transfer(source, target, what, MATCHED))
    copy = armature_of(target)
    bone = copy.pose.bones["head"]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler.x = 0.5
    bone.keyframe_insert("rotation_euler", frame=1)
    action = copy.animation_data.action
    follower = bpy.data.objects.new("follower", None)
    bpy.context.scene.collection.objects.link(follower)
    follower.parent = copy
    before = {kind: len(getattr(bpy.data, kind)) for kind in ("objects", "armatures", "actions")}
    report = finish(workflow.transfer(source, target, what, MATCHED))
    assert {kind: len(getattr(bpy.data, kind)) for kind in before} == before
    again = armature_of(target)
    assert [rig.name for rig in binding.armatures_of(target)] == ["body on target", "hair on target"]
    assert "“body on target” takes the place of the one that came over before." in report.details
    assert again.animation_data.action == action
    assert again.pose.bones["head"].rotation_euler.x == pytest.approx(0.5)
    assert follower.parent == again
    assert len(again.users_collection) == 1

    bpy.context.view_layer.objects.active = again
    bpy.ops.object.mode_set(mode="EDIT")
    again.data.edit_bones["head"].tail.x += 0.1
    bpy.ops.object.mode_set(mode="OBJECT")
    finish(workflow.transfer(source, target, what, MATCHED))
    names = [rig.name for rig in binding.armatures_of(target)]
    assert names == ["body on target.001", "hair on target"]
    assert bpy.data.objects["body on target"].animation_data.action == action


def test_drivers_of_shape_keys_read_from_the_rig_that_has_their_bone() -> None:
    source, _, hair = with_hair_rig("parent")
    source.shape_key_add(name="Basis")
    key = source.shape_key_add(name="raised", from_mix=False)
    key.data[0].co.z += 0.1
    variable = key.driver_add("value").driver.variables.new()
    variable.type = "TRANSFORMS"
    variable.targets[0].id, variable.targets[0].bone_target = hair, "upper"
    target = creature("target", subdivisions=3)
    target.location = (6, 0, 0)
    bpy.context.view_layer.update()
    finish(workflow.transfer(source, target, ["shape_keys", "weights", "armature"], MATCHED))
    driver = target.data.shape_keys.animation_data.drivers[0].driver
    assert driver.variables[0].targets[0].id == bpy.data.objects["hair on target"]


def test_each_rig_s_motion_comes_over() -> None:
    source, body, hair = with_hair_rig("constraint")
    for rig, name in ((body, "head"), (hair, "upper")):
        bone = rig.pose.bones[name]
        bone.rotation_mode = "XYZ"
        for frame, angle in ((1, 0.0), (5, 0.6)):
            bone.rotation_euler.x = angle
            bone.keyframe_insert("rotation_euler", frame=frame)
    bpy.context.scene.frame_set(1)
    target = creature("target", subdivisions=3)
    target.location = (6, 0, 0)
    bpy.context.view_layer.update()
    finish(workflow.transfer(source, target, ["weights", "armature", "motion"], MATCHED))
    for frame in (1, 3, 5):
        bpy.context.scene.frame_set(frame)
        one, two = (snapshots.take(obj).vertices for obj in (source, target))
        np.testing.assert_allclose(two, one, atol=0.05)


def test_two_rigs_with_bones_of_one_name_both_come_over() -> None:
    """Also a second time, when each takes the place of its own."""
    source, target = creature("source", subdivisions=2), creature("target", 1.1, subdivisions=2)
    add_height_values(source)
    hair = {"hair": ((0, 0, 1), (0, 0, 2), None), "upper": ((0, 0, 0), (0, 0, 1), None)}
    posed_by(source, new_armature("rig", BOTH), new_armature("hair", hair))
    for _ in range(2):
        finish(workflow.transfer(source, target, ["weights", "armature"], MATCHED))
        posing = [modifier.object.data.bones.keys() for modifier in target.modifiers if modifier.type == "ARMATURE"]
        assert posing == [["upper", "lower"], ["hair", "upper"]]
