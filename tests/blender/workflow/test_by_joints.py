"""Weights by the joints of the target's own armature, and matches that start from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from numpy.typing import NDArray

from helpers.rigged import Bones, new_armature
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.data.surface_map import Match
from meshkin.geometry.arrays import Floats
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.rig import binding, weights

Places = dict[str, tuple[tuple[float, float, float], tuple[float, float, float], str | None]]


def skeleton(arms: float, hips: float) -> Places:
    """Bones of a person that faces -Y: how high its wrists are, and how far apart its hips."""
    bones: Places = {
        "spine": ((0, 0, 0.9), (0, 0, 1.4), None),
        "head": ((0, 0, 1.5), (0, -0.02, 1.75), "spine"),
    }
    for side, x in ((".L", 1), (".R", -1)):
        elbow, wrist = (0.45 * x, 0, (1.4 + arms) / 2), (0.75 * x, -0.05, arms)
        bones[f"upperarm{side}"] = ((0.2 * x, 0, 1.4), elbow, "spine")
        bones[f"forearm{side}"] = (elbow, wrist, f"upperarm{side}")
        bones[f"thigh{side}"] = ((hips * x, 0, 0.85), (hips * x, -0.02, 0.5), "spine")
        bones[f"shin{side}"] = ((hips * x, -0.02, 0.5), (hips * x, 0, 0.1), f"thigh{side}")
    return bones


SOURCE, TARGET = skeleton(0.9, 0.1), skeleton(1.45, 0.16)
RINGS = 12
"""Rings of each limb, of as many vertices."""


def limb(head: Sequence[float], tail: Sequence[float], turn: float, rings: int) -> tuple[Floats, NDArray[np.int64]]:
    """An ellipsoid along a bone: its vertices and quads. Another ``turn`` gives other vertices."""
    middle, half = np.add(head, tail) / 2, np.subtract(tail, head) / 2
    along = half / np.linalg.norm(half)
    side = np.cross(along, (0.3, 1.0, 0.2))
    side /= np.linalg.norm(side)
    down, around = np.meshgrid(
        np.linspace(0.1, np.pi - 0.1, rings), np.linspace(0, 2 * np.pi, rings, endpoint=False) + turn, indexing="ij"
    )
    across = 0.06 * (np.cos(around)[..., None] * side + np.sin(around)[..., None] * np.cross(along, side))
    vertices = middle + 1.1 * np.cos(down)[..., None] * half + np.sin(down)[..., None] * across
    ring, place = np.indices((rings - 1, rings)).reshape(2, -1)
    after = (place + 1) % rings
    quads = np.stack(
        (ring * rings + place, (ring + 1) * rings + place, (ring + 1) * rings + after, ring * rings + after)
    )
    return vertices.reshape(-1, 3), quads.T


def options(weight_options: workflow.WeightOptions) -> workflow.Options:
    return workflow.Options(workflow.FeatureOptions("geometric"), weights=weight_options)


JOINTS = workflow.WeightOptions(method="joints")


def person(name: str, bones: Places, turn: float, prefix: str = "", rings: int = RINGS) -> bpy.types.Object:
    """A person of limbs, one a bone, that is posed by an armature with these bones and has no weights."""
    limbs = [limb(head, tail, turn, rings) for head, tail, _ in bones.values()]
    quads = np.concatenate([faces + rings**2 * number for number, (_, faces) in enumerate(limbs)])
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(np.concatenate([vertices for vertices, _ in limbs]).tolist(), [], quads.tolist())
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    named: Bones = {
        prefix + bone: (head, tail, prefix + parent if parent else None) for bone, (head, tail, parent) in bones.items()
    }
    binding.bind(obj, new_armature(f"{name} rig", named, roll=0.7))
    return obj


TRUE = np.repeat(np.eye(len(SOURCE)), RINGS**2, axis=0)
"""The weights of such a person: each limb follows its bone."""


def source_and_target(prefix: str = "", rings: int = RINGS) -> tuple[bpy.types.Object, bpy.types.Object]:
    """A weighted person, and a larger one of other build that has an armature alone, faces another way and is posed."""
    source, target = person("source", SOURCE, 0.0), person("target", TARGET, 0.2, prefix, rings)
    weights.write(source, list(SOURCE), TRUE)
    target.parent.matrix_world = Matrix.Translation((3, 1, 0)) @ Matrix.Rotation(2.5, 4, "Z") @ Matrix.Scale(1.5, 4)
    target.parent.pose.bones[f"{prefix}upperarm.L"].rotation_quaternion = (0.8, 0.6, 0, 0)
    source.parent.pose.bones["thigh.R"].rotation_quaternion = (0.95, 0.3, 0, 0)
    bpy.context.view_layer.update()
    return source, target


def move_rig(target: bpy.types.Object) -> None:
    """Move the target's armature away, and not the target."""
    place = target.matrix_world.copy()
    target.parent.location.x += 1
    bpy.context.view_layer.update()
    target.matrix_world = place
    bpy.context.view_layer.update()


def misplace(source: bpy.types.Object, target: bpy.types.Object, armature: str) -> None:
    """Give the target an armature that nobody has placed in it."""
    if armature == "as the match fitted it":
        finish(workflow.transfer(source, target, ["armature"], options(workflow.WeightOptions())))
    if armature == "only scaled":
        bones = new_armature("scaled", dict(SOURCE))
        bones.matrix_world = target.parent.matrix_world
        binding.bind(target, bones)
    if armature == "far away":
        move_rig(target)
    bpy.context.view_layer.update()


def off(target: bpy.types.Object, prefix: str = "") -> float:
    """Mean L1 of the target's weights against the true ones."""
    names, found = weights.read(target, snapshots.take(target))
    assert names == [prefix + name for name in TARGET]
    return float(np.abs(found - TRUE).sum(axis=1).mean())


def test_no_match_is_needed_and_nothing_is_moved() -> None:
    source, target = source_and_target()
    poses = [[bone.matrix_basis.copy() for bone in obj.parent.pose.bones] for obj in (source, target)]
    report = finish(workflow.transfer(source, target, ["weights"], options(JOINTS)))
    assert report.data["written"] == ["weights"]
    assert report.data["map"] == ""
    assert any("posed onto the joints" in sentence for sentence in report.details)
    assert off(target) < 0.05
    for obj, pose in zip((source, target), poses, strict=True):
        assert [bone.matrix_basis for bone in obj.parent.pose.bones] == pose
        assert obj.parent.data.pose_position == "POSE"


def test_bones_may_be_called_otherwise_on_the_target() -> None:
    source, target = source_and_target("my ")
    renames = tuple((name, f"my {name}") for name in TARGET)
    finish(workflow.transfer(source, target, ["weights"], options(replace(JOINTS, rename=renames))))
    assert off(target, "my ") < 0.05


@pytest.mark.parametrize("lacking", ["armature", "bones", "an armature of its own"])
def test_joints_that_are_not_there_are_told_before_anything_is_done(lacking: str) -> None:
    source, target = source_and_target("my " if lacking == "bones" else "")
    if lacking == "armature":
        bpy.data.objects.remove(target.parent)
    if lacking == "an armature of its own":
        binding.bind(target, source.parent)
    with pytest.raises(InputError) as caught:
        finish(workflow.transfer(source, target, ["weights"], options(JOINTS)))
    assert caught.value.code == "no-joints"
    assert not target.vertex_groups


def test_joints_that_were_placed_are_followed_unasked() -> None:
    source, target = source_and_target()
    report = finish(workflow.transfer(source, target, ["weights"], options(workflow.WeightOptions())))
    assert report.data["map"] == ""
    assert off(target) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("armature", ["as the match fitted it", "only scaled", "far away", "placed"])
def test_joints_that_nobody_has_placed_are_not_followed_unasked(armature: str) -> None:
    """Nor those that somebody has placed where the match is asked for."""
    source, target = source_and_target()
    chosen = workflow.WeightOptions(nearness="never" if armature == "placed" else "auto")
    misplace(source, target, armature)
    report = finish(workflow.transfer(source, target, ["weights"], options(chosen)))
    assert report.data["map"]
    assert not any("posed onto the joints" in sentence for sentence in report.details)


def test_joints_that_are_not_in_place_are_told() -> None:
    source, target = source_and_target()
    move_rig(target)
    report = finish(workflow.transfer(source, target, ["weights"], options(JOINTS)))
    assert "joints-astray" in [warning.code for warning in report.warnings]


OTHER_RINGS = 11
"""The same of a target that is matched: one of the source's topology is matched vertex by vertex."""


def matched(
    source: bpy.types.Object, target: bpy.types.Object, guides: workflow.MatchOptions = workflow.MatchOptions()
) -> tuple[workflow.Report, float]:
    """Their match, and the share of the target's vertices that it sends to the limb that they belong to."""
    chosen = workflow.Options(workflow.FeatureOptions("geometric"), match=guides)
    report = finish(workflow.match(source, target, chosen))
    found = Match.load(Path(report.data["map"])).to_source.vertex
    return report, float((found // RINGS**2 == np.arange(len(found)) // OTHER_RINGS**2).mean())


def starts_from_joints(report: workflow.Report) -> bool:
    return any("joints of both armatures" in sentence for sentence in report.details)


@pytest.mark.slow
def test_a_match_starts_from_joints_that_were_placed() -> None:
    """Limbs that look the same come to their own, whatever pose both are in and wherever they stand."""
    source, target = source_and_target(rings=OTHER_RINGS)
    report, share = matched(source, target)
    assert starts_from_joints(report)
    assert share > 0.97
    assert report.data["confidence"] > 0.5
    target.parent.location.x += 2
    target.parent.pose.bones["shin.R"].rotation_quaternion = (0.9, 0.3, 0, 0)
    bpy.context.view_layer.update()
    assert matched(source, target)[0].data["map"] == report.data["map"]
    target.parent.data.pose_position = "REST"
    moved = new_armature("other", skeleton(1.1, 0.16))
    moved.matrix_world = target.parent.matrix_world
    binding.bind(target, moved)
    bpy.context.view_layer.update()
    assert matched(source, target)[0].data["map"] != report.data["map"]


@pytest.mark.slow
def test_a_match_starts_from_the_joints_of_characters_of_several_meshes() -> None:
    """One hangs on a bone."""
    source, target = source_and_target(rings=OTHER_RINGS)
    for obj in (source, target):
        mesh = bpy.data.meshes.new("hat")
        mesh.from_pydata([(0.1, 0, 1.8), (-0.1, 0, 1.8), (0, 0.1, 1.8), (0, 0, 2)], [], [(0, 1, 2), (0, 3, 1)])
        hat = bpy.data.objects.new(f"{obj.name}'s hat", mesh)
        bpy.context.scene.collection.objects.link(hat)
        hat.parent, hat.parent_type, hat.parent_bone = obj.parent, "BONE", "head"
        bpy.context.view_layer.update()
        hat.matrix_world = obj.matrix_world
    report = finish(workflow.match(source.parent, target.parent, options(workflow.WeightOptions())))
    assert starts_from_joints(report)


@pytest.mark.slow
@pytest.mark.parametrize("asked", [workflow.MatchOptions(joints=False), workflow.MatchOptions(flip=True)])
def test_a_match_can_do_without_joints(asked: workflow.MatchOptions) -> None:
    """It is the same as if there were none then."""
    source, target = source_and_target(rings=OTHER_RINGS)
    report, _ = matched(source, target, asked)
    assert not starts_from_joints(report)
    place = target.parent.matrix_world.copy()
    bpy.data.objects.remove(target.parent)
    target.modifiers.clear()
    target.matrix_world = place
    bpy.context.view_layer.update()
    assert matched(source, target, asked)[0].data["map"] == report.data["map"]


@pytest.mark.slow
@pytest.mark.parametrize("armature", ["as the match fitted it", "only scaled", "far away"])
def test_a_match_does_not_start_from_joints_that_nobody_has_placed(armature: str) -> None:
    source, target = source_and_target(rings=OTHER_RINGS)
    misplace(source, target, armature)
    assert not starts_from_joints(matched(source, target)[0])
