"""Armatures copied and moved with all that hangs on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from helpers import creatures
from helpers.empty_file import open_empty_file
from helpers.rigged import armature_of, new_armature
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.data.surface_map import Match
from meshkin.scene.mesh import matches
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.rig import armature as armatures
from meshkin.scene.rig import binding, constraints, weights

OPTIONS = workflow.Options(workflow.FeatureOptions("geometric"))
BONES = {
    "root": ((0, 0, 0), (0, 0, 0.4), None),
    "arm": ((0, 0, 0.4), (0.7, 0.1, 0.5), "root"),
    "hand": ((0.7, 0.1, 0.5), (1.5, 0, 0.4), "arm"),
    "ik": ((1.5, 0, 0.4), (1.7, 0, 0.4), None),
    "pole": ((0.7, 1.4, 1.8), (0.7, 1.4, 2.1), None),
    "leg.L": ((0.2, 0.3, -0.1), (0.4, 0.5, -0.6), "root"),
    "leg.R": ((0.2, -0.3, -0.1), (0.4, -0.5, -0.6), "root"),
}


def creature(name: str, scale: float = 1.0) -> bpy.types.Object:
    """A lopsided blob."""
    obj = creatures.creature(name, subdivisions=3)
    obj.data.transform(Matrix.Scale(scale, 4))
    return obj


def rigged(scale: float = 1.0) -> tuple[bpy.types.Object, bpy.types.Object]:
    """The blob with a rig that has something of everything; ``scale`` is the armature object's."""
    obj = creature("body")
    armature = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    bpy.context.scene.collection.objects.link(armature)
    armature.scale = (scale,) * 3
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for name, (head, tail, parent) in BONES.items():
        bone = armature.data.edit_bones.new(name)
        bone.head, bone.tail = np.divide(head, scale).tolist(), np.divide(tail, scale).tolist()
        bone.roll = 0.3
        bone.parent = armature.data.edit_bones.get(parent or "")
        bone.use_connect = name in ("arm", "hand")
        bone.use_deform = name not in ("ik", "pole")
    bpy.ops.object.mode_set(mode="OBJECT")
    points = np.array([vertex.co[:] for vertex in obj.data.vertices])
    names = [name for name in BONES if name not in ("ik", "pole")]
    middles = np.array([np.add(*BONES[name][:2]) / 2 for name in names])
    shares = np.exp(-4 * np.linalg.norm(points[:, None] - middles, axis=2) ** 2)
    weights.write(obj, names, shares / shares.sum(axis=1, keepdims=True), 7)
    binding.bind(obj, armature)
    obj.modifiers["Armature"].use_deform_preserve_volume = True
    pose = armature.pose.bones
    shape = bpy.data.objects.new("shape", bpy.data.meshes.new("shape"))
    pose["ik"].custom_shape = shape
    pose["ik"]["grip"] = 0.25
    armature.data["made by"] = "hand"
    armature.data.collections.new("controls").assign(armature.data.bones["ik"])
    ik = pose["hand"].constraints.new("IK")
    ik.target, ik.subtarget, ik.chain_count = armature, "ik", 2
    copied = pose["leg.R"].constraints.new("COPY_ROTATION")
    copied.target, copied.subtarget = armature, "leg.L"
    copied.influence = 0
    curve = copied.driver_add("influence")
    variable = curve.driver.variables.new()
    variable.type, variable.name = "SINGLE_PROP", "grip"
    variable.targets[0].id, variable.targets[0].data_path = armature, 'pose.bones["ik"]["grip"]'
    curve.driver.expression = "grip"
    bpy.context.view_layer.update()
    return obj, armature


def test_a_map_that_is_wrong_everywhere_is_told_and_gives_a_scaled_copy() -> None:
    """The cached map is replaced by one at random: the report warns, and the bones stand as on the source."""
    source, armature = rigged()
    target = creature("giant", 2.0)
    bpy.context.view_layer.update()
    options = OPTIONS.changed(nearness="never")
    good = finish(workflow.match(source, target, options))
    assert good.data["confidence"] > 0.6
    assert "low-confidence" not in [warning.code for warning in good.warnings]
    path = Path(good.data["map"])
    match = Match.load(path)
    generator = np.random.default_rng(0)
    lost = []
    for surface_map in (match.to_source, match.to_target):
        order = generator.permutation(len(surface_map.face))
        lost.append(replace(surface_map.at(order), confidence=np.full(len(order), 0.2, np.float32)))
    replace(match, to_source=lost[0], to_target=lost[1]).save(path)
    poor = finish(workflow.transfer(source, target, ["weights", "armature"], options))
    path.unlink()  # other tests match the same shapes
    assert poor.data["confidence"] == pytest.approx(0.2)
    assert {"low-confidence", "armature-copied"} <= {warning.code for warning in poor.warnings}
    assert poor.summary().endswith("warnings.")
    copy = armature_of(target)
    assert copy != armature
    for name, (head, _, _) in BONES.items():
        if name not in ("pole", "ik"):
            np.testing.assert_allclose(
                copy.matrix_world @ copy.data.bones[name].head_local, 2 * np.array(head), atol=0.4
            )


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_the_rig_comes_over_whole(scale: float) -> None:
    source, armature = rigged(scale)
    target = creature("giant", 2.0)
    target.location = (6, 0, 1)
    target.modifiers.new("mirror", "MIRROR").use_axis = (False, False, False)
    target.modifiers.new("smooth", "SMOOTH").iterations = 0
    bpy.context.view_layer.objects.active = source
    bpy.context.view_layer.update()
    report = finish(workflow.transfer(source, target, ["weights", "armature"], OPTIONS))
    copy = armature_of(target)
    assert copy != armature
    assert copy.data != armature.data
    assert [one.type for one in target.modifiers] == ["MIRROR", "ARMATURE", "SMOOTH"]
    assert target.modifiers["Armature"].use_deform_preserve_volume
    assert bpy.context.view_layer.objects.active == source
    assert any("7 bones" in line for line in report.details)
    assert not {warning.code for warning in report.warnings} & {"low-confidence", "armature-copied", "bones-copied"}
    bpy.context.view_layer.update()
    for name, (head, tail, _) in BONES.items():
        bone = copy.data.bones[name]
        assert (bone.parent and bone.parent.name) == BONES[name][2]
        assert bone.use_connect == armature.data.bones[name].use_connect
        assert bone.use_deform == armature.data.bones[name].use_deform
        if name.startswith("leg"):
            continue
        for place, true in ((bone.head_local, head), (bone.tail_local, tail)):
            world = copy.matrix_world @ place
            np.testing.assert_allclose(world, 2 * np.array(true) + (6, 0, 1), atol=0.2)
        turned = copy.matrix_world.to_3x3() @ bone.matrix_local.to_3x3().col[2]
        was = armature.matrix_world.to_3x3() @ armature.data.bones[name].matrix_local.to_3x3().col[2]
        assert turned.angle(was) < 0.3
    one, two = copy.data.bones["leg.L"], copy.data.bones["leg.R"]
    assert one.length == pytest.approx(two.length, rel=1e-4)
    pose = copy.pose.bones
    assert pose["ik"].custom_shape.name == "shape"
    assert pose["ik"]["grip"] == 0.25
    assert copy.data["made by"] == "hand"
    assert [bone.name for bone in copy.data.collections["controls"].bones] == ["ik"]
    assert pose["hand"].constraints["IK"].target == copy
    driver = copy.animation_data.drivers[0].driver
    assert driver.variables[0].targets[0].id == copy
    assert pose["leg.R"].constraints[0].target == copy
    pose["ik"]["grip"] = 0.75
    copy.update_tag()
    before = snapshots.take(target).vertices
    pose["ik"].location = (0, 0, 0.6 / scale)
    bpy.context.view_layer.update()
    assert pose["leg.R"].constraints[0].influence == pytest.approx(0.75)
    evaluated = copy.evaluated_get(bpy.context.evaluated_depsgraph_get())
    goal, reached = evaluated.pose.bones["ik"].head, evaluated.pose.bones["hand"].tail
    assert (copy.matrix_world @ goal - copy.matrix_world @ reached).length < 0.1
    assert np.abs(snapshots.take(target).vertices - before).max() > 0.2
    np.testing.assert_allclose(armature.pose.bones["ik"].location, 0)


def test_a_rig_that_came_over_leaves_the_match_as_it_is() -> None:
    """Armatures move vertices by rounding errors even at rest; the target is the same shape all the same."""
    source, armature = rigged()
    for bone in armature.pose.bones:  # they pose it even at rest
        for constraint in list(bone.constraints):
            bone.constraints.remove(constraint)
    target = creature("twin", 1.1)
    target.location, target.rotation_euler, target.scale = (3.3, 0.7, 0.1), (0.1, 0.2, 0.3), (1.3, 1.3, 1.3)
    bpy.context.view_layer.update()
    before = snapshots.take(target).key
    options = OPTIONS.changed(nearness="never")
    first = finish(workflow.transfer(source, target, ["weights", "armature"], options))
    assert snapshots.take(target).key == before
    matches.load(source, target)
    again = finish(workflow.transfer(source, target, ["weights", "armature"], options))
    assert again.data["map"] == first.data["map"]
    pose = armature_of(target).pose.bones["hand"]
    pose.rotation_mode = "XYZ"
    pose.rotation_euler.x = 0.5
    bpy.context.view_layer.update()
    assert snapshots.take(target).key != before


def test_at_rest_nothing_moves() -> None:
    source, armature = rigged()
    armature.pose.bones["ik"]["grip"] = 0.0
    target = creature("twin")
    target.location = (4, 0, 0)
    bpy.context.view_layer.update()
    before = snapshots.take(target).vertices
    finish(workflow.transfer(source, target, ["weights", "armature"], OPTIONS))
    bpy.context.view_layer.update()
    np.testing.assert_allclose(snapshots.take(target).vertices, before, atol=1e-4)


def test_what_constraints_do_at_rest_is_not_done_twice() -> None:
    """A bone that a driver turns with all controls cleared is turned as far on the target, not twice as far."""
    source, armature = rigged()
    armature.pose.bones["pole"].rotation_mode = "XYZ"
    curve = armature.pose.bones["pole"].driver_add("rotation_euler", 0)
    curve.driver.expression = "0.9"
    target = creature("twin")
    target.location = (4, 0, 0)
    bpy.context.view_layer.update()
    report = finish(workflow.transfer(source, target, ["weights", "armature"], OPTIONS))
    bpy.context.view_layer.update()
    copy = armature_of(target)
    assert armature.data.pose_position == copy.data.pose_position == "POSE"
    assert len(bpy.data.armatures) == 2
    assert any("move these bones from rest" in line and "pole" in line for line in report.details)
    for kind, head, tail in (("bones", "head_local", "tail_local"), ("pose", "head", "tail")):
        bones = [rig.pose.bones["pole"] if kind == "pose" else rig.data.bones["pole"] for rig in (armature, copy)]
        one, two = (getattr(bone, tail) - getattr(bone, head) for bone in bones)
        assert one.angle(two) < 0.3


def test_clothes_are_posed_by_the_body_s_armature() -> None:
    source, armature = rigged()
    cloth = creature("cloth", 1.03)
    cloth.modifiers.new("Armature", "ARMATURE").use_bone_envelopes = True
    report = finish(workflow.transfer(source, cloth, ["weights"], OPTIONS))
    assert cloth.modifiers["Armature"].use_deform_preserve_volume
    assert not cloth.modifiers["Armature"].use_bone_envelopes
    assert any("As on “body”" in line and "Preserve Volume" in line for line in report.details)
    cloth.modifiers.clear()
    cloth.vertex_groups.clear()
    bpy.context.view_layer.update()
    report = finish(workflow.transfer(source, cloth, ["weights", "armature"], OPTIONS))
    assert binding.armature_of(cloth) == armature
    assert len([obj for obj in bpy.data.objects if obj.type == "ARMATURE"]) == 1
    assert "“rig” poses “cloth”." in report.details


def test_eyes_and_clothes_come_along() -> None:
    """All meshes of a character in one go: a shirt follows what it covers, an eye follows one bone, all one rig."""
    source, armature = rigged()
    target, shirt = creature("giant", 2.0), creature("shirt", 2.06)
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.08, location=(6, -1.95, 1))
    eye = bpy.context.view_layer.objects.active
    for obj in (target, shirt):
        obj.location = (6, 0, 1)
    bpy.context.view_layer.update()
    options = workflow.Options(workflow.FeatureOptions("geometric"), rig=workflow.RigOptions(also=(shirt, eye)))
    report = finish(workflow.transfer(source, target, ["weights", "armature"], options))
    rig = armature_of(target)
    assert rig != armature
    assert armature_of(shirt) == armature_of(eye) == rig
    assert any("“Sphere” takes its weights from “giant”" in line for line in report.details)
    names, found = weights.read(shirt, snapshots.take(shirt))
    target_names, rows = weights.read(target, snapshots.take(target))
    own = dict(zip(target_names, rows.T, strict=True))
    for name, column in zip(names, found.T, strict=True):
        np.testing.assert_allclose(column, own[name], atol=0.1)
    eyes = weights.read(eye, snapshots.take(eye))[1]
    assert (eyes == eyes[0]).all()
    np.testing.assert_allclose(eyes.sum(axis=1), 1, atol=1e-6)


PLACE = (6, 0, 1)
"""Where the giant stands."""


def carried_with(
    other: bpy.types.Object, own: bpy.types.Object, source: bpy.types.Object, bones: list[str], axis: int, border: float
) -> bpy.types.Object:
    """A giant whose part takes its weights from the source's own: one bone beyond the border, one before it."""

    def halves(obj: bpy.types.Object, border: float) -> np.ndarray:
        beyond = [(obj.matrix_world @ vertex.co)[axis] > border for vertex in obj.data.vertices]
        return np.column_stack((beyond, np.logical_not(beyond)))

    weights.write(own, bones, halves(own, border))
    binding.bind(own, armature_of(source))
    target = creature("giant", 2.0)
    target.location = PLACE
    bpy.context.view_layer.update()
    report = finish(workflow.transfer(source, target, ["weights", "armature"], OPTIONS.changed(also=(other,))))
    assert f"“{other.name}” takes its weights from the same part of “body”." in report.details
    found = weights.read(other, snapshots.take(other), bones)[1]
    np.testing.assert_array_equal(found, halves(other, 2 * border + PLACE[axis]))
    return target


def test_eyes_keep_bones_of_their_own() -> None:
    """The source's eyes are a mesh of its rig, with bones that the body knows nothing of: so are the target's."""
    source, armature = rigged()
    places = {"eye.L": (0.25, -0.95, 0.2), "eye.R": (-0.25, -0.95, 0.2)}
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for name, place in places.items():
        bone = armature.data.edit_bones.new(name)
        bone.head, bone.tail = np.multiply(place, 0.9).tolist(), place
        bone.parent = armature.data.edit_bones["root"]
    bpy.ops.object.mode_set(mode="OBJECT")

    def eyes(name: str, scale: float, shift: tuple[float, float, float]) -> bpy.types.Object:
        made = []
        for place in places.values():
            location = np.multiply(place, scale) + shift
            bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6, radius=0.12 * scale, location=location)
            made.append(bpy.context.view_layer.objects.active)
        with bpy.context.temp_override(active_object=made[0], selected_editable_objects=made, selected_objects=made):
            bpy.ops.object.join()
        made[0].name = name
        return made[0]

    other = eyes("its eyes", 2, PLACE)
    target = carried_with(other, eyes("eyes", 1, (0, 0, 0)), source, list(places), axis=0, border=0)
    assert "eye.L" not in target.vertex_groups
    eye = armature_of(other).data.bones["eye.L"]
    np.testing.assert_allclose(armature_of(other).matrix_world @ eye.tail_local, (6.5, -1.9, 1.4), atol=0.3)


def test_a_limb_that_is_a_mesh_of_its_own() -> None:
    """It does not lie on the body, whose weights would bend it: it takes those of the source's limb."""
    source, _ = rigged()

    def limb(name: str, scale: float, shift: tuple[float, float, float]) -> bpy.types.Object:
        location = np.multiply((-1.2, 1.6, 0.4), scale) + shift
        bpy.ops.mesh.primitive_cylinder_add(radius=0.3 * scale, depth=2.4 * scale, location=location)
        made = bpy.context.view_layer.objects.active
        bpy.ops.object.transform_apply()
        made.name = name
        return made

    other = limb("its limb", 2, PLACE)
    carried_with(other, limb("limb", 1, (0, 0, 0)), source, ["hand", "leg.R"], axis=2, border=0.4)


def test_pole_angles_follow_the_bones() -> None:
    """An IK chain with a pole rests where it is modeled, before and after its bones are moved and rolled."""
    _, armature = rigged()
    armature.pose.bones["ik"]["grip"] = 0.0
    ik = armature.pose.bones["hand"].constraints["IK"]
    ik.pole_target, ik.pole_subtarget = armature, "pole"
    ik.pole_angle = constraints.pole_angle_at_rest(armature, "hand", "IK")
    bpy.context.view_layer.update()
    skeleton = armatures.read(armature, (0, 0, 0))
    rest = np.array([bone.tail_local[:] for bone in armature.data.bones])
    np.testing.assert_allclose(skeleton.tails, rest, atol=1e-3)
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], float)
    axes = np.roll(skeleton.axes, 1, axis=1)
    heads, tails = (1.5 * points @ turn.T for points in (skeleton.heads, skeleton.tails))
    before = {armature: constraints.rest_state(armature)}
    armatures.move_bones(armature, skeleton.names, heads, tails, axes, 1.5)
    constraints.refit(before, {armature: 1.5})
    bpy.context.view_layer.update()
    np.testing.assert_allclose(armatures.read(armature, (0, 0, 0)).tails, tails, atol=2e-3)


def test_constraints_that_keep_still_keep_still() -> None:
    """What Child Of, Limit Distance and Limit Location hold where it rests, they hold on the target where it rests."""
    source, armature = rigged()
    armature.pose.bones["ik"]["grip"] = 0.0
    armature.location = (0.5, 0, 0)  # and with it its child, the source
    bpy.context.view_layer.update()
    pose = armature.pose.bones
    anchor = bpy.data.objects.new("anchor", None)
    anchor.location = (1, 2, 3)
    bpy.context.scene.collection.objects.link(anchor)
    bpy.context.view_layer.update()
    inverse = armature.matrix_world.inverted()
    for owner, target, bone in (("hand", armature, "pole"), ("leg.L", anchor, "")):
        held = pose[owner].constraints.new("CHILD_OF")
        held.target, held.subtarget = target, bone
        followed = target.matrix_world @ (pose[bone].matrix if bone else Matrix())
        held.inverse_matrix = (inverse @ followed).inverted()
    far = pose["leg.R"].constraints.new("LIMIT_DISTANCE")
    far.target, far.subtarget, far.limit_mode = armature, "pole", "LIMITDIST_ONSURFACE"
    far.distance = (pose["leg.R"].head - pose["pole"].head).length
    for space, limited in (("POSE", "ik"), ("WORLD", "pole")):
        limit = pose[limited].constraints.new("LIMIT_LOCATION")
        limit.owner_space = space
        place = pose[limited].head if space == "POSE" else armature.matrix_world @ pose[limited].head
        for axis, value in zip("xyz", place, strict=True):
            for end, by in (("min", -0.01), ("max", 0.01)):
                setattr(limit, f"use_{end}_{axis}", True)
                setattr(limit, f"{end}_{axis}", value + by)
    pose["pole"].custom_shape, pose["pole"].use_custom_shape_bone_size = pose["ik"].custom_shape, False
    bpy.context.view_layer.update()
    resting(armature)
    target = creature("giant", 2.0)
    target.location = (6, 0, 1)
    bpy.context.view_layer.update()
    finish(workflow.transfer(source, target, ["armature"], OPTIONS))
    bpy.context.view_layer.update()
    copy = armature_of(target)
    resting(copy)
    assert copy.pose.bones["pole"].custom_shape_scale_xyz.x == pytest.approx(2, rel=0.1)
    anchor.location.x += 1
    bpy.context.view_layer.update()
    moved = copy.pose.bones["leg.L"].head - copy.data.bones["leg.L"].head_local
    np.testing.assert_allclose(copy.matrix_world.to_3x3() @ moved, (1, 0, 0), atol=1e-4)


def resting(armature: bpy.types.Object) -> None:
    """No bone is anywhere but where it rests."""
    posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    for bone in armature.data.bones:
        np.testing.assert_allclose(posed[bone.name].matrix, bone.matrix_local, atol=2e-3, err_msg=bone.name)


def test_an_armature_from_groups_alone() -> None:
    """The blob's groups, their armature gone, become a skeleton that poses it."""
    source, armature = rigged()
    bpy.data.objects.remove(armature)
    source.modifiers.clear()
    source.location = (1, 2, 3)
    bpy.context.view_layer.update()
    before = snapshots.take(source).vertices
    report = finish(workflow.build_armature(source))
    made = armature_of(source)
    bones = made.data.bones
    assert {"root", "hand", "leg.L", "leg.R"} <= set(bones.keys()) <= set(source.vertex_groups.keys())
    assert bones["hand"].parent.name in ("arm", "root")
    assert sum(bone.parent is None for bone in bones) == 1
    assert report.data["armature"] == made.name
    np.testing.assert_allclose(snapshots.take(source).vertices, before, atol=1e-5)
    made.pose.bones["hand"].rotation_mode = "XYZ"
    made.pose.bones["hand"].rotation_euler = (1, 0, 0)
    bpy.context.view_layer.update()
    assert np.abs(snapshots.take(source).vertices - before).max() > 0.1
    source.vertex_groups.clear()
    with pytest.raises(InputError) as raised:
        finish(workflow.build_armature(source))
    assert raised.value.code == "no-groups"


@pytest.mark.parametrize("override", [False, True])
def test_linked_rigs(tmp_path: Path, override: bool) -> None:
    rigged()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    open_empty_file()
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, wanted):
        wanted.objects = ["body", "rig"]
    source, armature = wanted.objects
    if override:
        source, armature = (obj.override_create(remap_local_usages=True) for obj in (source, armature))
        source.modifiers["Armature"].object = armature
    for obj in (source, armature):
        bpy.context.scene.collection.objects.link(obj)
    target = creature("twin")
    target.location = (5, 0, 0)
    bpy.context.view_layer.update()
    finish(workflow.transfer(source, target, ["weights", "armature"], OPTIONS))
    copy = armature_of(target)
    assert copy not in (armature, None)
    assert copy.library is None
    assert copy.override_library is None
    assert copy.data.library is None
    np.testing.assert_allclose((copy.matrix_world @ copy.data.bones["hand"].tail_local)[:], (6.5, 0, 0.4), atol=0.1)
    assert copy.pose.bones["hand"].constraints["IK"].target == copy


def test_a_target_that_has_a_rig_and_five_hundred_bones() -> None:
    source, armature = rigged()
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for index in range(500):
        bone = armature.data.edit_bones.new(f"hair {index}")
        bone.head, bone.tail = (0.01 * (index % 50), 0, 0.5), (0.01 * (index % 50), 0.1, 0.5)
    bpy.ops.object.mode_set(mode="OBJECT")
    names = [f"hair {index}" for index in range(500)]
    count = len(source.data.vertices)
    weights.write(source, names, (np.random.default_rng(0).random((count, 500)) > 0.99).astype(np.float32), 500)
    target = creature("twin")
    old = bpy.data.objects.new("old rig", bpy.data.armatures.new("old rig"))
    bpy.context.scene.collection.objects.link(old)
    target.vertex_groups.new(name="old").add(range(count), 1, "REPLACE")
    binding.bind(target, old)
    target.modifiers.new("second", "ARMATURE").object = old
    target.location = (5, 0, 0)
    bpy.context.view_layer.update()
    report = finish(workflow.transfer(source, target, ["weights", "armature"], OPTIONS))
    assert len(armature_of(target).data.bones) == len(BONES) + 500
    assert [one.type for one in target.modifiers] == ["ARMATURE", "ARMATURE"]
    assert "“twin” has more Armature modifiers, which pose it too: second." in report.details
    assert any("“old rig”, which posed it before, is left as it is." in line for line in report.details)
    assert any(line.startswith("Other groups, left as they were: old") for line in report.details)
    for vertex in target.data.vertices:
        carried = [one.weight for one in vertex.groups if target.vertex_groups[one.group].name != "old"]
        assert sum(carried) == pytest.approx(1, abs=1e-6)
        assert len(carried) <= 4


def test_groups_of_every_kind() -> None:
    """None, empty ones, all-zero ones: named, and nothing is changed. Without bones and unnormalized: they work."""
    source, target = creature("body"), creature("twin")
    count = len(source.data.vertices)

    def refused(code: str) -> None:
        with pytest.raises(InputError) as raised:
            finish(workflow.transfer(source, target, ["weights"], OPTIONS))
        assert raised.value.code == code
        assert not target.vertex_groups
        assert not target.modifiers

    refused("no-groups")
    source.vertex_groups.new(name="zero")
    refused("no-weights")
    source.vertex_groups["zero"].add(range(count), 0, "REPLACE")
    refused("no-weights")
    source.vertex_groups.new(name="much").add(range(0, count, 2), 0.9, "REPLACE")
    source.vertex_groups.new(name="more").add(range(0, count, 3), 0.8, "REPLACE")
    finish(workflow.transfer(source, target, ["weights"], OPTIONS))
    found = weights.read(target, snapshots.take(target), ["zero", "much", "more"])[1]
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found[6], (0, 9 / 17, 8 / 17), atol=1e-6)


def test_a_table_of_names_may_exchange_and_merge() -> None:
    source, _ = rigged()
    target = creature("twin")
    target.location = (4, 0, 0)
    bpy.context.view_layer.update()
    finish(workflow.transfer(source, target, ["weights"], OPTIONS))
    names = ["root", "arm", "hand", "leg.L", "leg.R"]
    plain = dict(zip(names, weights.read(target, snapshots.take(target), names)[1].T, strict=True))
    target.vertex_groups.clear()
    table = (("leg.L", "leg.R"), ("leg.R", "leg.L"), ("hand", "Arm"), ("arm", "Arm"))
    finish(workflow.transfer(source, target, ["weights", "armature"], OPTIONS.changed(rename=table)))
    found = weights.read(target, snapshots.take(target), ["root", "Arm", "leg.L", "leg.R"])[1]
    wanted = [plain["root"], plain["arm"] + plain["hand"], plain["leg.R"], plain["leg.L"]]
    np.testing.assert_allclose(found, np.stack(wanted, axis=1), atol=1e-6)
    bones = armature_of(target).data.bones
    assert {"Arm", "Arm.001", "leg.L", "leg.R"} <= set(bones.keys())
    assert bones["leg.L"].head_local.y < bones["leg.R"].head_local.y


def test_bad_input_is_named_and_changes_nothing() -> None:
    source, armature = rigged()
    target, plain = creature("twin"), creature("plain")

    def refused(obj: bpy.types.Object) -> str:
        with pytest.raises(InputError) as raised:
            finish(workflow.transfer(obj, target, ["armature"], OPTIONS))
        assert not target.modifiers
        assert target.parent is None
        return raised.value.code

    assert refused(plain) == "no-armature"
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    assert refused(source) == "armature-edited"
    bpy.ops.object.mode_set(mode="OBJECT")
    source.modifiers["Armature"].object = bpy.data.objects.new("bare", bpy.data.armatures.new("bare"))
    assert refused(source) == "no-bones"


@pytest.mark.parametrize("is_used", [False, True])
def test_the_old_rig_of_a_target_is_hidden_when_nothing_uses_it(is_used: bool) -> None:
    """Two rigs in one place would hide each other; the old one is not deleted, and what follows it keeps it in view."""
    source, _ = rigged()
    target = creature("twin")
    old = new_armature("old rig", {"root": ((0, 0, 0), (0, 0, 1), None)})
    binding.bind(target, old)
    end, hat = (bpy.data.objects.new(name, None) for name in ("end", "hat"))
    for empty in (end, hat):
        bpy.context.scene.collection.objects.link(empty)
    end.parent, end.parent_type, end.parent_bone = old, "BONE", "root"
    if is_used:
        hat.parent = old
        target.constraints.new("COPY_LOCATION").target = hat
    bpy.context.view_layer.objects.active = old
    report = finish(workflow.transfer(source, target, ["weights", "armature"], OPTIONS))
    assert bpy.context.view_layer.objects.active == (old if is_used else armature_of(target))
    assert {old.hide_get(), end.hide_get()} == {not is_used}
    assert not hat.hide_get()
    assert not armature_of(target).hide_get()
    told = [line for line in report.details if line.startswith("“old rig”")]
    assert len(told) == 1
    assert ("hidden" in told[0]) != is_used
