"""A match is of the shapes at rest: poses, motions and shape keys leave it valid, and it is used again."""

from __future__ import annotations

import bmesh
import bpy
import numpy as np

from helpers.characters import dressed, rig
from helpers.creatures import add_height_values, creature
from helpers.rigged import armature_of, new_armature
from helpers.skins import OPTIONS
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.scene.mesh import matches
from meshkin.scene.rig import binding


def moving_pair() -> tuple[bpy.types.Object, bpy.types.Object]:
    """A creature whose rig plays an action, and a larger one with another head."""
    source, target = creature("body"), creature("twin", 1.2)
    target.location.x = 5
    target.data.vertices[0].co *= 1.01
    add_height_values(source)
    armature = new_armature("rig", {"lower": ((0, 0, -1), (0, 0, 0), None), "upper": ((0, 0, 0), (0, 0, 1), "lower")})
    binding.bind(source, armature)
    for frame, angle in ((1, 0.0), (10, 0.6)):
        armature.pose.bones["upper"].rotation_mode = "XYZ"
        armature.pose.bones["upper"].rotation_euler.x = angle
        armature.pose.bones["upper"].keyframe_insert("rotation_euler", frame=frame)
    bpy.context.view_layer.update()
    return source, target


def test_a_target_that_moves_is_not_matched_again() -> None:
    """Armature and motion come over; at a frame where both are posed, the next transfer starts from the same map."""
    source, target = moving_pair()
    bpy.context.scene.frame_set(1)
    options = OPTIONS.changed(nearness="never")
    first = finish(workflow.transfer(source, target, ["weights", "armature", "motion"], options))
    bpy.context.scene.frame_set(10)
    assert armature_of(target).pose.bones["upper"].matrix_basis.to_euler().x > 0.3
    matches.load(source, target)
    stages: set[str] = set()
    again = finish(workflow.transfer(source, target, ["weights"], options), lambda progress: stages.add(progress.stage))
    assert again.data["map"] == first.data["map"]
    assert "Rendering views" not in stages
    assert np.isfinite(again.data["confidence"])


def test_a_pose_leaves_the_match() -> None:
    """So do a pose, which is a shape key, and other shape keys."""
    source, target = moving_pair()
    bpy.context.scene.frame_set(10)
    first = finish(workflow.match(source, target, OPTIONS))
    posed = finish(workflow.pose(source, target, OPTIONS))
    assert target.data.shape_keys.key_blocks[posed.data["shape_key"]].value == 1
    matches.load(source, target)
    key = target.shape_key_add(name="grow", from_mix=False)
    key.value = 1
    key.data[3].co *= 1.5
    bpy.context.view_layer.update()
    assert posed.data["map"] == first.data["map"] == finish(workflow.match(source, target, OPTIONS)).data["map"]


def test_what_hangs_on_a_bone_is_matched_at_rest() -> None:
    source, target = dressed(), dressed("new ", 6.0)
    armature = rig("rig", source)
    rig("new rig", target, 6.0)
    first = finish(workflow.match(armature, target["body"], OPTIONS))
    armature.pose.bones["head"].rotation_mode = "XYZ"
    armature.pose.bones["head"].rotation_euler = (0.5, 0.3, 0)
    armature.location = (0.1, 0.2, 0)
    bpy.context.view_layer.update()
    assert finish(workflow.match(armature, target["body"], OPTIONS)).data["map"] == first.data["map"]
    matches.load(source["L"], target["coat"])


def test_a_source_in_edit_mode_is_read_as_it_is_edited() -> None:
    """A character's, too: its meshes are joined as they are now, not as they were stored last."""
    source, target = dressed(), dressed("new ", 6.0)
    armature = rig("rig", source)
    rig("new rig", target, 6.0)
    body = source["body"]
    layer_values = np.zeros(len(body.data.vertices), np.float32)
    body.data.attributes.new("warmth", "FLOAT", "POINT").data.foreach_set("value", layer_values)
    bpy.context.view_layer.objects.active = body
    bpy.ops.object.mode_set(mode="EDIT")
    edited = bmesh.from_edit_mesh(body.data)
    for vertex in edited.verts:
        vertex[edited.verts.layers.float["warmth"]] = 0.75
    bmesh.update_edit_mesh(body.data)
    finish(workflow.transfer(armature, target["body"], ["attributes"], OPTIONS))
    bpy.ops.object.mode_set(mode="OBJECT")
    values = [point.value for point in target["body"].data.attributes["warmth"].data]
    np.testing.assert_allclose(values, 0.75, atol=1e-3)
