"""Motion from one armature to another of the same bone names."""

from __future__ import annotations

import math

import bpy
import numpy as np
import pytest

from helpers.empty_file import open_empty_file
from helpers.rigged import Bones, new_armature
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish

REST: Bones = {
    "root": ((0, 0, 1), (0, 0, 2), None),
    "arm": ((0, 0, 2), (1, 0, 2), "root"),
    "hand": ((1, 0, 2), (2, 0, 2), "arm"),
}
LOWERED: Bones = {
    "root": ((0, 0, 2), (0, 0, 4), None),
    "arm": ((0, 0, 4), (1, 0, 2.5), "root"),
    "hand": ((1, 0, 2.5), (2, 0, 1), "arm"),
}


@pytest.fixture(autouse=True)
def empty() -> None:
    open_empty_file()


def rig(name: str, bones: Bones, roll: float = 0.0) -> bpy.types.Object:
    return new_armature(name, bones, roll, connected=True)


def animated() -> bpy.types.Object:
    source = rig("source", REST)
    for frame, angle, place in ((1, 0, 0), (11, 1.2, 3)):
        for name in ("arm", "hand"):
            bone = source.pose.bones[name]
            bone.rotation_mode = "XYZ"
            bone.rotation_euler = (angle, 0.3 * angle, -0.5 * angle)
            bone.keyframe_insert("rotation_euler", frame=frame)
        source.pose.bones["root"].location = (place, 0, 0)
        source.pose.bones["root"].keyframe_insert("location", frame=frame)
    return source


def directions(armature: bpy.types.Object, frame: int) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    turn = armature.matrix_world.to_3x3()
    return np.array([(turn @ (posed[name].tail - posed[name].head)).normalized()[:] for name in REST])


@pytest.mark.parametrize("heading", [0, 90, -150])
def test_directions_and_root_follow_whatever_the_rest_pose(heading: float) -> None:
    """Seen from the target, which may face any way, its bones point where the source's do, as this sees them."""
    source, target = animated(), rig("target", LOWERED, roll=0.7)
    target.rotation_euler = (0, 0, math.radians(heading))
    turn = np.array(target.rotation_euler.to_matrix())
    target.location = (5, 0, 0)
    source.scale = (0.5, 0.5, 0.5)
    bpy.context.view_layer.update()
    bpy.context.scene.frame_set(4)
    report = finish(workflow.motion(source, target))
    assert bpy.context.scene.frame_current == 4
    assert report.data["action"] == target.animation_data.action.name
    assert ["rests turned" in line for line in report.details].count(True) == bool(heading)
    assert not heading or f"by {abs(heading)}°" in " ".join(report.details)
    for frame in (1, 6, 11):
        np.testing.assert_allclose(directions(target, frame), directions(source, frame) @ turn.T, atol=1e-4)
    roots = []
    for frame in (1, 11):
        bpy.context.scene.frame_set(frame)
        roots.append(np.array(target.matrix_world @ target.pose.bones["root"].head))
    gone = roots[1] - roots[0]
    heads = [np.array([one[0] for one in bones.values()], float) for bones in (REST, LOWERED)]
    small, large = (np.linalg.norm(one - one.mean(axis=0)) for one in heads)
    np.testing.assert_allclose(gone, turn @ (3 * large / small, 0, 0), atol=1e-4)


def test_axes_of_the_armature_objects_make_no_difference() -> None:
    """A rig whose own Y axis is up, stood upright by its object, moves as the source does."""
    turn = np.array([(1, 0, 0), (0, 0, 1), (0, -1, 0)], float)
    lying = {name: (turn @ head, turn @ tail, parent) for name, (head, tail, parent) in REST.items()}
    source, target = animated(), rig("target", lying)
    target.rotation_euler = (math.pi / 2, 0, 0)
    bpy.context.view_layer.update()
    finish(workflow.motion(source, target))
    for frame in (1, 6, 11):
        np.testing.assert_allclose(directions(target, frame), directions(source, frame), atol=1e-4)


def test_the_same_rig_moves_exactly_the_same() -> None:
    source, target = animated(), rig("target", REST)
    finish(workflow.motion(source, target))
    for frame in (1, 5, 11):
        bpy.context.scene.frame_set(frame)
        for name in REST:
            np.testing.assert_allclose(target.pose.bones[name].matrix, source.pose.bones[name].matrix, atol=1e-4)


def test_cancelling_takes_everything_back() -> None:
    source, target = animated(), rig("target", REST)
    limit = target.pose.bones["arm"].constraints.new("LIMIT_ROTATION")
    job = workflow.motion(source, target)
    next(job)
    job.close()
    assert target.animation_data.action is None
    assert len(bpy.data.actions) == 1
    assert not limit.mute


def test_bad_input() -> None:
    source, target, other = animated(), rig("target", REST), rig("other", {"bone": ((0, 0, 0), (0, 0, 1), None)})
    for pair, code in (
        ((target, source), "no-action"),
        ((source, other), "bones-differ"),
        ((source, source), "same-object"),
    ):
        with pytest.raises(InputError) as raised:
            finish(workflow.motion(*pair))
        assert raised.value.code == code


def test_what_moves_the_armature_object_comes_over() -> None:
    """Its own keys, and those of its parent: the root goes where the source's root goes, as far as it is larger."""
    source, target = rig("source", REST), rig("target", REST)
    carrier = bpy.data.objects.new("carrier", None)
    bpy.context.scene.collection.objects.link(carrier)
    source.parent = carrier
    target.location = (5, 0, 0)
    for frame, place in ((1, 0), (11, 4)):
        source.location, carrier.location = (0, -place, 0), (0.5 * place, 0, 0)
        source.rotation_euler = (0, 0, 0.1 * place)
        for obj, path in ((source, "location"), (source, "rotation_euler"), (carrier, "location")):
            obj.keyframe_insert(path, frame=frame)
    bpy.context.scene.frame_set(11)
    finish(workflow.motion(source, target))
    for frame in (1, 6, 11):
        bpy.context.scene.frame_set(frame)
        for name in REST:
            heads = [np.array(each.matrix_world @ each.pose.bones[name].head) for each in (source, target)]
            np.testing.assert_allclose(heads[1] - (5, 0, 0), heads[0], atol=1e-4)


def test_what_the_tracks_play() -> None:
    """Without an action of its own, the armature plays the tracks that are not muted, where their strips lie."""
    source, target = animated(), rig("target", REST)
    action = source.animation_data.action
    source.animation_data.action = None
    for muted, start in ((True, 1), (False, 21)):
        track = source.animation_data.nla_tracks.new()
        track.strips.new(f"strip {start}", start, action)
        track.mute = muted
    report = finish(workflow.motion(source, target))
    assert any("Frames 21 to 31" in line for line in report.details)
    assert "strip 21" in report.data["action"]
    for frame in (21, 26, 31):
        np.testing.assert_allclose(directions(target, frame), directions(source, frame), atol=1e-4)
    for track in source.animation_data.nla_tracks:
        track.mute = True
    with pytest.raises(InputError) as raised:
        finish(workflow.motion(source, target))
    assert raised.value.code == "no-action"


@pytest.mark.parametrize(
    ("names", "rename"),
    [
        ({"root": "mixamorig:root", "arm": "mixamorig:arm", "hand": "mixamorig:hand"}, ()),
        ({"root": "mixamorig_Root", "arm": "mixamorig_Arm", "hand": "mixamorig_Hand"}, ()),
        ({"root": "CC_Base_Root", "arm": "CC_Base_Arm", "hand": "CC_Base_Hand"}, ()),
        ({"arm": "ARM"}, ()),
        ({"arm": "wing", "hand": "tip"}, (("arm", "wing"), ("hand", "tip"))),
    ],
)
def test_names_that_differ(names: dict[str, str], rename: tuple[tuple[str, str], ...]) -> None:
    source, target = animated(), rig("target", REST)
    for old, new in names.items():
        target.data.bones[old].name = new
    report = finish(workflow.motion(source, target, workflow.Options(weights=workflow.WeightOptions(rename=rename))))
    assert any("3 bones" in line for line in report.details)
    for frame in (6, 11):
        bpy.context.scene.frame_set(frame)
        for name in REST:
            moved = target.pose.bones[names.get(name, name)].matrix
            np.testing.assert_allclose(moved, source.pose.bones[name].matrix, atol=1e-4)


def test_bones_without_a_counterpart_are_named() -> None:
    source = animated()
    target = rig("target", {**REST, "tail": ((0, 0, 1), (0, 1, 1), "root")})
    report = finish(workflow.motion(source, target))
    assert [line for line in report.details if "tail" in line]


def test_feet_that_rest_otherwise_stand_as_they_rest() -> None:
    """A paw that lies flat and a hoof that points down: both turn by what the animation turns the foot."""
    source, target = (
        rig(
            name,
            {
                "root": ((0, 0, 2), (0, 0, 3), None),
                "leg.L": ((0, 0, 2), (0, 0, 0.2), "root"),
                "foot.L": ((0, 0, 0.2), tip, "leg.L"),
                "leg.R": ((1, 0, 2), (1, 0, 0.2), "root"),
                "foot.R": ((1, 0, 0.2), (1, *tip[1:]), "leg.R"),
            },
        )
        for name, tip in (("paw", (0, -0.4, 0.1)), ("hoof", (0, -0.05, -0.2)))
    )
    leg, foot = (source.pose.bones[name] for name in ("leg.L", "foot.L"))
    for bone, angles in ((leg, (0, 0.6)), (foot, (0, -0.6 - 0.25))):
        bone.rotation_mode = "XYZ"
        for frame, angle in zip((1, 11), angles, strict=True):
            bone.rotation_euler = (angle, 0, 0)
            bone.keyframe_insert("rotation_euler", frame=frame)
    finish(workflow.motion(source, target))
    for frame, turned in ((1, 0.0), (11, 0.25)):
        bpy.context.scene.frame_set(frame)
        for armature in (source, target):
            posed, rest = armature.pose.bones["foot.L"], armature.data.bones["foot.L"]
            angle = (posed.tail - posed.head).angle(rest.tail_local - rest.head_local)
            assert abs(angle - turned) < 1e-3
        legs = [(one.pose.bones["leg.L"].tail - one.pose.bones["leg.L"].head).normalized() for one in (source, target)]
        assert legs[0].angle(legs[1]) < 1e-3
