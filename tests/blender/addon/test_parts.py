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
