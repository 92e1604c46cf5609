"""Objects with more than one Armature modifier: which of them count, and what becomes of each."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from helpers.creatures import add_height_values, creature
from helpers.main_job import MATCHED
from helpers.rigged import armature_of, new_armature
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
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


def test_the_bones_of_a_second_rig_count_and_it_is_named() -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.1, subdivisions=3)
    add_height_values(source)
    source.vertex_groups.new(name="mask").add(range(20), 1, "REPLACE")
    body, hair = new_armature("body", {"lower": BOTH["lower"]}), new_armature("hair", {"upper": BOTH["upper"]})
    posed_by(source, body, hair)
    assert weights.chosen_groups(source) == ["upper", "lower"]
    report = finish(workflow.transfer(source, target, ["weights", "armature"], MATCHED))
    sums = [sum(one.weight for one in vertex.groups) for vertex in target.data.vertices]
    np.testing.assert_allclose(sums, 1, atol=1e-5)
    told = [warning.message for warning in report.warnings if warning.code == "armatures-left-out"]
    assert len(told) == 1
    assert "hair" in told[0]
    bone = hair.pose.bones["upper"]
    (bone if hasattr(bone, "select") else bone.bone).select = True  # of the pose from 5.0 on
    assert weights.chosen_groups(source, "selected") == ["upper"]
    with pytest.raises(InputError) as raised:
        weights.chosen_groups(source, "deform", "mask")
    assert raised.value.code == "no-groups"
