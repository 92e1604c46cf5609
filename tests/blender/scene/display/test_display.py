"""Attribute colors shown and hidden."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.empty_file import open_empty_file
from meshkin.base.errors import InputError
from meshkin.scene.display import viewport
from meshkin.scene.mesh import attributes


def painted(active: str = "paint") -> bpy.types.Object:
    bpy.ops.mesh.primitive_cube_add()
    obj = bpy.context.object
    for name in ("paint", "other"):
        obj.data.color_attributes.new(name, "BYTE_COLOR", "CORNER")
    obj.data.color_attributes.active_color_name = active
    obj.data.color_attributes.default_color_name = "other"
    attributes.write(obj, "color", np.ones((8, 4), np.float32))
    return obj


def views() -> list[bpy.types.View3DShading]:
    areas = [area for window in bpy.context.window_manager.windows for area in window.screen.areas]
    return [area.spaces.active.shading for area in areas if area.type == "VIEW_3D"]


def test_shown_and_hidden_again() -> None:
    first, second = painted("paint"), painted("other")
    bare = bpy.data.objects.new("bare", bpy.data.meshes.new("bare"))
    assert views(), "the factory file has a 3D view"
    for index, shading in enumerate(views()):
        shading.type, shading.light = "SOLID", "MATCAP"
        shading.color_type = "RANDOM"
        shading.type = ("WIREFRAME", "MATERIAL")[index % 2]
    before = [(view.type, view.light, view.color_type) for view in views()]
    assert not viewport.is_shown()
    viewport.show([first, second, bare])
    viewport.show([first])
    assert viewport.is_shown()
    assert {(view.type, view.color_type) for view in views()} == {("SOLID", "VERTEX")}
    for obj in (first, second):
        assert obj.data.color_attributes.active_color_name == "meshkin_color"
        assert obj.data.color_attributes.default_color_name == "other"
    viewport.hide()
    assert not viewport.is_shown()
    assert [(view.type, view.light, view.color_type) for view in views()] == before
    assert first.data.color_attributes.active_color_name == "paint"
    assert second.data.color_attributes.active_color_name == "other"
    assert first.data.color_attributes.default_color_name == "other"
    for block in (*bpy.data.screens, *bpy.data.meshes):
        assert viewport.BEFORE_PROPERTY not in block


def test_a_view_changed_meanwhile_keeps_what_the_user_chose() -> None:
    obj = painted()
    viewport.show([obj])
    views()[0].type = "WIREFRAME"
    viewport.hide()
    assert views()[0].type == "WIREFRAME"


def test_shown_state_survives_saving(tmp_path: Path) -> None:
    obj = painted()
    name = obj.name
    views()[0].color_type = "OBJECT"
    viewport.show([obj])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    open_empty_file()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "file.blend"))
    assert viewport.is_shown()
    viewport.hide()
    assert not viewport.is_shown()
    assert bpy.data.objects[name].data.color_attributes.active_color_name == "paint"
    assert all(shading.color_type != "VERTEX" for shading in views())


def test_removed_attributes_do_no_harm() -> None:
    obj = painted()
    viewport.show([obj])
    for name in ("meshkin_color", "paint"):
        obj.data.color_attributes.remove(obj.data.color_attributes[name])
    viewport.hide()
    assert not viewport.is_shown()


def test_nothing_to_show() -> None:
    bpy.ops.mesh.primitive_cube_add()
    with pytest.raises(InputError) as raised:
        viewport.show([bpy.context.object])
    assert raised.value.code == "no-colors"
    assert not viewport.is_shown()


def test_what_is_drawn_follows() -> None:
    """The viewport draws the evaluated mesh, which has to be told."""
    obj = painted()
    obj.modifiers.new("subdivision", "SUBSURF")

    def drawn() -> str:
        evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        return str(evaluated.data.color_attributes.active_color_name)

    assert drawn() == "paint"
    viewport.show([obj])
    assert drawn() == "meshkin_color"
    viewport.hide()
    assert drawn() == "paint"
