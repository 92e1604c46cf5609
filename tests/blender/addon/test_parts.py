"""The button that cuts objects into parts."""

from __future__ import annotations

from types import ModuleType

import bpy

from helpers.creatures import symmetric_creature


def test_selected_meshes_are_cut_in_one_step(addon: ModuleType) -> None:
    objects = [symmetric_creature(name) for name in ("one", "two")]
    for obj in objects:
        obj.select_set(True)
    settings = bpy.context.scene.meshkin
    settings.features = "geometric"
    done = bpy.ops.meshkin.find_parts(part_count=4, part_writes={"vertex_groups", "seams"})
    assert done == {"FINISHED"}
    for obj in objects:
        assert list(obj.vertex_groups.keys()) == list(obj["meshkin_parts"]) == list(objects[0]["meshkin_parts"])
        assert len(obj.vertex_groups) == 4
        assert ".sculpt_face_set" not in obj.data.attributes
        assert any(edge.use_seam for edge in obj.data.edges)


def test_without_meshes_the_button_is_gray(addon: ModuleType) -> None:
    bpy.ops.object.light_add()
    assert not bpy.ops.meshkin.find_parts.poll()


def test_parts_are_carried_renamed_and_selected(addon: ModuleType) -> None:
    """What the buttons do, one after the other: the active mesh's face sets for both, a new name, a selection."""
    objects = [symmetric_creature(name) for name in ("one", "two")]
    for obj in objects:
        obj.select_set(True)
    first = objects[0]
    bpy.context.view_layer.objects.active = first
    assert not bpy.ops.meshkin.rename_part.poll()
    heights = [face.center.z for face in first.data.polygons]
    middle = sorted(heights)[len(heights) // 2]
    first.data.attributes.new(".sculpt_face_set", "INT", "FACE").data.foreach_set(
        "value", [1 + (height > middle) for height in heights]
    )
    bpy.context.scene.meshkin.features = "geometric"
    assert bpy.ops.meshkin.carry_parts(part_way="face_sets", part_writes={"vertex_groups"}) == {"FINISHED"}
    assert [list(obj["meshkin_parts"]) for obj in objects] == [["Face Set 1", "Face Set 2"]] * 2
    assert bpy.ops.meshkin.rename_part(part=1, new_name="Top") == {"FINISHED"}
    assert [list(obj["meshkin_parts"]) for obj in objects] == [["Face Set 1", "Top"]] * 2
    assert all("Top" in obj.vertex_groups for obj in objects)
    assert not bpy.ops.meshkin.select_part.poll()
    objects[1].select_set(False)
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        assert bpy.ops.meshkin.select_part(part=1) == {"FINISHED"}
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    labels = [item.value for item in first.data.attributes["meshkin_part"].data]
    assert [face.select for face in first.data.polygons] == [label == 1 for label in labels]
    bpy.ops.object.select_all(action="DESELECT")
    first.select_set(True)
    assert not bpy.ops.meshkin.carry_parts.poll()


def test_separate_objects_are_one_undo_step(addon: ModuleType) -> None:
    obj = symmetric_creature("one")
    count = len(obj.data.polygons)
    obj.select_set(True)
    bpy.context.view_layer.objects.active = obj
    bpy.context.scene.meshkin.features = "geometric"
    before = set(bpy.data.objects.keys())
    bpy.ops.ed.undo_push(message="Before")
    done = bpy.ops.meshkin.find_parts("EXEC_DEFAULT", True, part_count=4, part_writes={"objects"})
    assert done == {"FINISHED"}
    made = set(bpy.data.objects.keys()) - before
    assert len(made) == 4
    assert all(name.startswith("one Part ") for name in made)
    assert sum(len(bpy.data.objects[name].data.polygons) for name in made) == count
    bpy.ops.ed.undo()
    assert set(bpy.data.objects.keys()) == before
    assert len(bpy.data.objects["one"].data.polygons) == count
