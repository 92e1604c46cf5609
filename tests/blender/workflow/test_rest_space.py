"""What belongs to a shape at rest (shape keys, bones, hair), while armatures pose source or target otherwise."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from numpy.typing import NDArray

from helpers import creatures
from helpers.creatures import vertex_positions
from helpers.main_job import MATCHED
from helpers.rigged import armature_of, new_armature
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.scene.mesh import rest, shape_keys
from meshkin.scene.mesh import snapshot as snapshots

BONES = {"root": ((0, 0, -1), (0, 0, 0), None), "top": ((0, 0, 0), (0, 0, 1), "root")}


def creature(name: str) -> bpy.types.Object:
    """A lopsided blob."""
    return creatures.creature(name, subdivisions=3)


def turned(obj: bpy.types.Object, degrees: float = 90) -> bpy.types.Object:
    """Let a new armature turn the whole object about the world's Z axis in its present pose; returns the armature."""
    armature = new_armature(f"{obj.name} rig", BONES)
    obj.vertex_groups.new(name="root").add(range(len(obj.data.vertices)), 1, "REPLACE")
    obj.modifiers.new("Armature", "ARMATURE").object = armature
    armature.pose.bones["root"].matrix = Matrix.Rotation(np.radians(degrees), 4, "Z") @ Matrix(
        armature.data.bones["root"].matrix_local
    )
    bpy.context.view_layer.update()
    return armature


def add_key(obj: bpy.types.Object, name: str, move: NDArray[np.floating]) -> bpy.types.ShapeKey:
    """A shape key that moves the vertices by (W, 3)."""
    if not obj.data.shape_keys:
        obj.shape_key_add(name="Basis")
    key = obj.shape_key_add(name=name, from_mix=False)
    key.data.foreach_set("co", (vertex_positions(obj) + move).astype(np.float32).ravel())
    return key


def bulge(obj: bpy.types.Object) -> NDArray[np.float64]:
    """What moves the side at +X outward."""
    x, y, z = vertex_positions(obj).T
    return np.stack((0.4 * np.exp(-2 * ((x - 1.5) ** 2 + y**2 + z**2)), 0 * y, 0 * z), axis=1)


def moved_by(obj: bpy.types.Object, name: str) -> NDArray[np.float64]:
    """How far a shape key moves each vertex of the own mesh."""
    keys = obj.data.shape_keys.key_blocks
    values = np.empty((2, len(obj.data.vertices), 3), np.float32)
    for row, key in zip(values, (keys[0], keys[name]), strict=True):
        key.data.foreach_get("co", row.ravel())
    return values[1].astype(np.float64) - values[0]


def error(found: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Relative to the truth."""
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


@pytest.mark.parametrize("posed", ["source", "target"])
def test_shape_keys_and_detail_are_of_the_shape_at_rest(posed: str) -> None:
    """With one of the two turned by its rig, and the key switched on, they come over as if both stood at rest."""
    source, target = creature("source"), creature("target")
    add_key(source, "bulge", bulge(source)).value = 0.6
    plain, straight = creature("plain"), creature("straight")
    add_key(plain, "bulge", bulge(plain)).value = 0.6
    finish(workflow.transfer(plain, straight, ["shape_keys", "detail"], MATCHED))
    turned(source if posed == "source" else target)
    finish(workflow.transfer(source, target, ["shape_keys", "detail"], MATCHED))
    assert error(moved_by(target, "bulge"), bulge(target)) < 0.2
    at_rest = moved_by(straight, "Detail of plain")
    assert error(moved_by(target, "Detail of source"), at_rest) < 0.5


def test_a_pose_is_what_is_seen_and_what_the_rest_shows() -> None:
    source, target = creature("source"), creature("target")
    armature = turned(target, 60)
    at_rest, standing = vertex_positions(target), snapshots.take(target)
    off = np.linalg.norm(standing.vertices[standing.original] - at_rest, axis=1).mean()
    report = finish(workflow.pose(source, target, MATCHED))
    assert [line for line in report.details if "switched off" in line]
    assert not target.modifiers["Armature"].show_viewport
    for _ in range(2):
        seen = snapshots.take(target)
        found = seen.vertices[seen.original]
        assert np.linalg.norm(found - at_rest, axis=1).mean() < 0.1 * off
        armature.pose.bones["root"].matrix_basis.identity()
        bpy.context.view_layer.update()
    finish(workflow.pose(source, target, MATCHED))
    assert [key.name for key in target.data.shape_keys.key_blocks] == ["Basis", "Pose of source"]
    again = snapshots.take(target)
    assert np.linalg.norm(again.vertices[again.original] - at_rest, axis=1).mean() < 0.1 * off


def test_an_armature_fits_the_shape_at_rest() -> None:
    """The new armature takes the place of the one that turned the target, which then stands as modeled."""
    source, target = creature("source"), creature("target")
    rig = new_armature("rig", {"arm": ((0.5, 0, 0), (1.8, 0, 0), None)})
    source.vertex_groups.new(name="arm").add(range(len(source.data.vertices)), 1, "REPLACE")
    source.modifiers.new("Armature", "ARMATURE").object = rig
    turned(target)
    finish(workflow.transfer(source, target, ["weights", "armature"], MATCHED))
    bone = armature_of(target).data.bones["arm"]
    np.testing.assert_allclose(bone.head_local, (0.5, 0, 0), atol=0.25)
    np.testing.assert_allclose(bone.tail_local, (1.8, 0, 0), atol=0.25)


def test_keys_below_modifiers_that_make_vertices() -> None:
    """Subdivision evens a key out, Mirror gives it to the other half; the posed rest is not part of it."""
    source, target = creature("source"), creature("target")
    add_key(source, "bulge", bulge(source))
    source.modifiers.new("subdivision", "SUBSURF").levels = 1
    turned(source)
    finish(workflow.transfer(source, target, ["shape_keys"], MATCHED))
    assert error(moved_by(target, "bulge"), bulge(target)) < 0.25
    half = creature("half")
    half.data.transform(Matrix.Translation((4, 0, 0)))
    key = add_key(half, "push", np.array((0.3, 0.1, 0)))
    half.vertex_groups.new(name="part").add(range(50), 0.5, "REPLACE")
    key.vertex_group = "part"
    half.modifiers.new("mirror", "MIRROR")
    snapshot = snapshots.take(half)
    (found,) = shape_keys.offsets(half, snapshot, rest.at_rest(half, snapshot), ["push"])
    sides = np.sign(snapshot.vertices[:, 0])
    moving = np.linalg.norm(found, axis=1) > 1e-6
    assert moving.sum() == 100
    expected = np.stack((0.15 * sides, np.full(len(sides), 0.05), 0 * sides), axis=1)
    np.testing.assert_allclose(found[moving], expected[moving], atol=1e-5)


@pytest.mark.parametrize("kind", ["SUBSURF", "MULTIRES", "EDGE_SPLIT"])
def test_keys_come_to_copies_as_they_are_below_modifiers(kind: str) -> None:
    """They are not evened out twice; and a key that splits other edges is no reason to refuse it."""
    source = creature("source")
    modifier = source.modifiers.new("finer", kind)
    if kind == "SUBSURF":
        modifier.levels = 1
    elif kind == "EDGE_SPLIT":
        modifier.split_angle = 0.5
    else:
        with bpy.context.temp_override(object=source, active_object=source):
            bpy.ops.object.multires_subdivide(modifier=modifier.name)
    target = source.copy()
    target.data = source.data.copy()
    bpy.context.scene.collection.objects.link(target)
    target.location.x += 4
    add_key(source, "bulge", bulge(source))
    finish(workflow.transfer(source, target, ["shape_keys"], MATCHED))
    np.testing.assert_allclose(moved_by(target, "bulge"), bulge(source), atol=1e-5)


def keyed(source: bpy.types.Object, how: str) -> None:
    """Let an action, or a strip of an NLA track, move a shape key of an object: 0 at frame 1, 1 at frame 11."""
    keys = source.data.shape_keys
    block = keys.key_blocks["open"]
    for frame, value in ((1, 0), (11, 1)):
        block.value = value
        block.keyframe_insert("value", frame=frame)
    keys.animation_data.action.name = "blink"
    if how == "strip":
        action, slot = keys.animation_data.action, getattr(keys.animation_data, "action_slot", None)
        strip = keys.animation_data.nla_tracks.new().strips.new("blink", 101, action)
        if slot:
            strip.action_slot = slot
        strip.repeat = 2
        keys.animation_data.action = None


@pytest.mark.parametrize("how", ["action", "strip"])
def test_keyframes_of_shape_keys_come_over(how: str) -> None:
    """Run twice there is still one action; what somebody has keyed on the target stays, and that is told."""
    source, target = creature("source"), creature("target")
    source.shape_key_add(name="Basis")
    source.shape_key_add(name="open", from_mix=False).data[0].co.z += 0.1
    keyed(source, how)
    target.location = (5, 0, 0)
    bpy.context.view_layer.update()
    for _ in range(2):
        report = finish(workflow.transfer(source, target, ["shape_keys"], MATCHED))
        assert "Their keyframes were carried: “blink on target”." in report.details
        assert sorted(action.name for action in bpy.data.actions) == ["blink", "blink on target"]
        for frame, value in ((1, 0), (6, 0.5), (11, 1)):
            bpy.context.scene.frame_set(frame + 100 * (how == "strip") + 10 * (how == "strip" and frame > 1))
            both = [obj.data.shape_keys.key_blocks["open"].value for obj in (source, target)]
            assert both == pytest.approx([value] * 2, abs=1e-4)
    bpy.context.scene.frame_set(1)
    target.data.shape_keys.animation_data_clear()
    target.data.shape_keys.key_blocks["open"].keyframe_insert("value", frame=1)
    own = target.data.shape_keys.animation_data.action
    report = finish(workflow.transfer(source, target, ["shape_keys"], MATCHED))
    assert [line for line in report.details if "keyframes" in line and "not carried" in line and own.name in line]
    assert target.data.shape_keys.animation_data.action == own


def test_drivers_come_over_and_keys_are_replaced() -> None:
    """A driver that reads a bone reads that of the target's own rig, one that reads the mesh reads the target's."""
    source, target = creature("source"), creature("target")
    rig = new_armature("rig", {"jaw": ((0, 0, 0), (0, 0, 1), None)})
    source.vertex_groups.new(name="jaw").add(range(len(source.data.vertices)), 1, "REPLACE")
    source.modifiers.new("Armature", "ARMATURE").object = rig
    source["strength"] = 0.5
    for name in ("open", "wide"):
        add_key(source, name, bulge(source))
        driver = source.data.shape_keys.key_blocks[name].driver_add("value").driver
        variable = driver.variables.new()
        variable.name = "v"
        driver.expression = "v"
        if name == "open":
            variable.type = "TRANSFORMS"
            variable.targets[0].id, variable.targets[0].bone_target = rig, "jaw"
            variable.targets[0].transform_type = "LOC_X"
        else:
            variable.targets[0].id, variable.targets[0].data_path = source, '["strength"]'
    target["strength"] = 0.25
    told = finish(workflow.transfer(source, target, ["shape_keys"], MATCHED))
    assert [line for line in told.details if "drivers" in line and "open, wide" in line and "“rig”" in line]
    finish(workflow.transfer(source, target, ["weights", "shape_keys", "armature"], MATCHED))
    keys = target.data.shape_keys
    assert [key.name for key in keys.key_blocks] == ["Basis", "open", "wide"]
    assert len(keys.animation_data.drivers) == 2
    copy = armature_of(target)
    assert copy != rig
    copy.pose.bones["jaw"].location.x = 0.75
    bpy.context.view_layer.update()
    evaluated = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys.key_blocks
    assert evaluated["wide"].value == pytest.approx(0.25)
    assert evaluated["open"].value == pytest.approx(0.75, abs=0.05)


def test_drivers_bring_the_sliders_that_they_read() -> None:
    """A custom property comes with its limits, and stays as it is afterwards; what cannot come is read where it was.

    A basis that is called like a key gets another name, so that the key is found again.
    """
    source, target = creature("source"), creature("target")
    target.shape_key_add(name="first")
    source["smile"] = 0.5
    source.id_properties_ui("smile").update(min=0.0, max=2.0)
    source.modifiers.new("wave", "WAVE").show_viewport = False
    for name, path in (("first", '["smile"]'), ("second", 'modifiers["wave"].height')):
        add_key(source, name, bulge(source))
        variable = source.data.shape_keys.key_blocks[name].driver_add("value").driver.variables.new()
        variable.targets[0].id, variable.targets[0].data_path = source, path
    for _ in range(2):
        finish(workflow.transfer(source, target, ["shape_keys"], MATCHED))
    keys = target.data.shape_keys
    assert [key.name for key in keys.key_blocks] == ["Basis", "first", "second"]
    assert target["smile"] == 0.5
    assert target.id_properties_ui("smile").as_dict()["max"] == 2
    read = [driver.driver.variables[0].targets[0].id for driver in keys.animation_data.drivers]
    assert read == [target, source]


def test_hair_is_combed_at_rest() -> None:
    source, target = creature("source"), creature("target")
    curves = bpy.data.hair_curves.new("fur")
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("fur", curves))
    curves.surface = source
    points = vertex_positions(source)[::8]
    curves.add_curves([1] * len(points))
    curves.attributes["position"].data.foreach_set("vector", points.ravel())
    turned(target)
    finish(workflow.transfer(source, target, ["hair"], MATCHED))
    found = np.empty_like(points)
    bpy.data.objects["fur on target"].data.attributes["position"].data.foreach_get("vector", found.ravel())
    assert np.median(np.linalg.norm(found - points, axis=1)) < 0.1
