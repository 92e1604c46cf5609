"""The source beside the target: in its pose, as large, and without a trace when it is ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.creatures import creature
from helpers.main_job import paint
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.scene.display import comparison, match_colors, viewport
from meshkin.scene.mesh import snapshot as snapshots

OPTIONS = workflow.Options(workflow.FeatureOptions("geometric"))


def plain(block: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Some properties of a data-block as plain values."""
    return {name: (list(value) if hasattr(value := getattr(block, name), "__len__") else value) for name in names}


def everything() -> dict[str, Any]:
    """What could have been changed in the file: all data-blocks, what they hold and where they are, and all views."""
    state: dict[str, Any] = {}
    for name in ("objects", "meshes", "collections", "materials", "images", "texts", "scenes", "node_groups"):
        state[name] = {block.name: sorted(block.keys()) for block in getattr(bpy.data, name)}
    for obj in bpy.data.objects:
        matrix = [list(row) for row in obj.matrix_world]
        flags = plain(obj, ("hide_render", "hide_viewport", "hide_select", "display_type"))
        state[f"object {obj.name}"] = (matrix, flags, obj.select_get(), obj.hide_get(), len(obj.modifiers))
    for mesh in bpy.data.meshes:
        colors = mesh.color_attributes
        values = {one.name: (one.data_type, one.domain, len(one.data)) for one in mesh.attributes}
        state[f"mesh {mesh.name}"] = (values, colors.active_color_name, colors.default_color_name, mesh.users)
    for screen in bpy.data.screens:
        shadings = [area.spaces.active.shading for area in screen.areas if area.type == "VIEW_3D"]
        state[f"screen {screen.name}"] = [plain(one, ("type", "color_type", "light")) for one in shadings]
        state[f"screen {screen.name} keys"] = sorted(screen.keys())
    active = bpy.context.view_layer.objects.active
    state["active"] = active and (active.name, active.mode)
    state["collections of the scene"] = [child.name for child in bpy.context.scene.collection.children_recursive]
    return state


def bent_pair() -> tuple[bpy.types.Object, bpy.types.Object]:
    """A straight source, and a bent and turned target, twice as large, elsewhere."""
    source, target = creature("source", subdivisions=3), creature("target", subdivisions=3)
    for obj in (source, target):
        obj.data.vertices.foreach_set("co", (positions(obj) * (2, 0.5, 0.5)).astype(np.float32).ravel())
    target.location, target.scale, target.rotation_euler = (7, 2, 1), (2, 2, 2), (0, 0, 1.5)
    modifier = target.modifiers.new("bend", "SIMPLE_DEFORM")
    modifier.deform_method, modifier.deform_axis, modifier.angle = "BEND", "Z", 1.2
    bpy.context.view_layer.update()
    return source, target


def positions(obj: bpy.types.Object) -> NDArray[np.float64]:
    """The vertices in the world, as modifiers leave them."""
    shape = snapshots.take(obj)
    placed: NDArray[np.float64] = shape.vertices + shape.location
    return placed


def centered(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points - (points.min(axis=0) + points.max(axis=0)) / 2


def test_the_stand_in_has_the_targets_pose_and_size_and_stands_beside_it() -> None:
    """The target is the source but for pose, size and place, so the stand-in must look as the target does."""
    source, target = bent_pair()
    finish(workflow.match(source, target, OPTIONS))
    report = finish(workflow.compare(source, target, options=OPTIONS))
    assert report.title.endswith("in its pose.")
    stand_in = comparison.stand_in()
    assert stand_in is not None
    shown, goal = positions(stand_in), positions(target)
    size = np.ptp(goal, axis=0).max()
    assert np.linalg.norm(centered(shown) - centered(goal), axis=1).mean() < 0.05 * size
    assert shown[:, 0].max() < goal[:, 0].min()
    assert goal[:, 0].min() - shown[:, 0].max() < size
    assert shown[:, 2].min() == pytest.approx(goal[:, 2].min(), abs=1e-3)
    assert comparison.ends() == (source, target)
    comparison.arrange((0, 1, 0))
    assert positions(stand_in)[:, 1].max() < goal[:, 1].min()


@pytest.mark.parametrize("look", list(comparison.LOOKS))
def test_it_leaves_the_file_as_it_was(look: str, tmp_path: Path) -> None:
    """Also while other colors are shown, and when the file was saved and opened again meanwhile."""
    source, target = bent_pair()
    paint(source)
    target.data.color_attributes.new("own", "BYTE_COLOR", "CORNER")
    bpy.ops.object.select_all(action="DESELECT")
    source.select_set(True)
    finish(workflow.match(source, target, OPTIONS))
    for shows_colors in (False, True):
        if shows_colors:
            match_colors.paint(source, [target])
            viewport.show([source, target], "meshkin_match_color")
        before = everything()
        finish(workflow.compare(source, target, look, OPTIONS))
        assert comparison.is_shown()
        finish(workflow.compare(source, target, "textures", OPTIONS))  # in place of the one before
        comparison.set_look(look)
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
        source, target = bpy.data.objects["source"], bpy.data.objects["target"]
        comparison.hide()
        assert not comparison.is_shown()
        assert everything() == before


def test_matching_points_have_the_same_color_and_materials_come_along() -> None:
    source, target = bent_pair()
    paint(source)
    finish(workflow.match(source, target, OPTIONS))
    finish(workflow.compare(source, target, "colors", OPTIONS))
    stand_in = comparison.stand_in()
    assert stand_in is not None
    assert [slot.name for slot in stand_in.material_slots] == [slot.name for slot in source.material_slots]
    assert [layer.name for layer in stand_in.data.uv_layers] == [layer.name for layer in source.data.uv_layers]
    colors = []
    for obj in (stand_in, target):
        values = np.empty(len(obj.data.vertices) * 4, np.float32)
        obj.data.attributes["meshkin_match_color"].data.foreach_get("color", values)
        colors.append(values.reshape(-1, 4))
    assert np.abs(colors[0] - colors[1]).mean() < 0.02  # the same vertices, in the same order
    assert "meshkin_match_color" not in source.data.attributes


def test_without_a_match_the_source_stands_as_it_is() -> None:
    source, target = bent_pair()
    before = everything()
    report = finish(workflow.compare(source, target, options=OPTIONS))
    assert "own pose" in report.title
    stand_in = comparison.stand_in()
    assert stand_in is not None
    scale = stand_in.scale[0]
    np.testing.assert_allclose(centered(positions(stand_in)), scale * centered(positions(source)), atol=1e-4)
    comparison.hide()
    with pytest.raises(InputError, match="not matched"):
        finish(workflow.compare(source, target, "colors", OPTIONS))
    assert everything() == before
