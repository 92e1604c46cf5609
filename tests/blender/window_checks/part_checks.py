"""Parts: selected by clicks in Edit Mode."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from meshkin.scene.mesh import part_labels

from .hands import Wait, click, picture, press, view
from .scenes import two_cubes

NAMES = ["low", "high"]
"""Parts of the cubes."""


def _cut_cubes() -> Wait:
    """Two cubes whose tops are a part of their own, the first one active."""
    yield from two_cubes()
    for title in ("Cube", "Twin"):
        obj = bpy.data.objects[title]
        top = np.array([face.normal.z > 0.5 for face in obj.data.polygons])
        part_labels.write(obj, top.astype(np.int64), np.ones(len(top), np.float32), NAMES, ("vertex_groups",), "set")
        obj.select_set(True)
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    window, area, region = view()
    with bpy.context.temp_override(window=window, area=area, region=region):
        area.spaces.active.region_3d.view_rotation = (0.82, 0.48, 0.16, 0.27)  # from above, to the front
        area.spaces.active.region_3d.view_perspective = "ORTHO"
        bpy.ops.view3d.view_all()
    yield 1.0


def _selected(title: str) -> list[str]:
    """The names of the parts of the faces that are selected."""
    obj = bpy.data.objects[title]
    obj.update_from_editmode()
    return sorted({NAMES[face.normal.z > 0.5] for face in obj.data.polygons if face.select})


def a_part_is_selected_by_a_click() -> Wait:
    """A click selects the part on all objects in Edit Mode, beside them none; with Shift another is added; one undo
    step each; Esc ends it."""
    yield from _cut_cubes()
    window, area, region = view()
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.object.mode_set(mode="EDIT")
        bpy.ops.mesh.select_all(action="DESELECT")
        bpy.ops.ed.undo_push(message="Nothing selected")
        assert bpy.ops.meshkin.select_part("INVOKE_DEFAULT", part=-1) == {"RUNNING_MODAL"}
    cube = bpy.data.objects["Cube"]
    yield from click(cube.matrix_world @ Vector((0, 0, 30)))
    assert _selected("Cube") == [], "nothing lies there"
    yield from click(cube.matrix_world @ Vector((0, 0, 1)))
    assert _selected("Cube") == _selected("Twin") == ["high"], (_selected("Cube"), _selected("Twin"))
    picture("part")
    with bpy.context.temp_override(window=window, area=area, region=region):
        assert bpy.ops.meshkin.select_part("INVOKE_DEFAULT", part=-1) == {"RUNNING_MODAL"}
    yield from click(cube.matrix_world @ Vector((0, -1, 0)), shift=True)
    assert _selected("Cube") == _selected("Twin") == sorted(NAMES)
    press("ESC")
    yield 0.3
    press("Z", ctrl=True)
    yield 0.5
    assert _selected("Cube") == ["high"], _selected("Cube")
    press("Z", ctrl=True)
    yield 0.5
    assert _selected("Cube") == [], _selected("Cube")
    press("TAB")
    yield 0.3


CHECKS = (a_part_is_selected_by_a_click,)
