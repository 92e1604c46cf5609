"""What is looked at: point pairs, comparisons, before and after, doubtful places."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path

import bpy

from meshkin.scene import last_transfer
from meshkin.scene.display import comparison, lines
from meshkin.scene.mesh import matches

from .hands import Wait, button, ended, picture, point_at, press, until, view
from .scenes import seen, two_cubes, without_angle


def point_pairs_are_clicked() -> Wait:
    """A click on each object makes a pair, a click beside them none; Esc ends it, each pair is one undo step."""
    from bpy_extras import view3d_utils

    bpy.ops.wm.read_homefile(use_factory_startup=False)
    yield 0.5
    one = bpy.data.objects["Cube"]
    two = one.copy()
    bpy.context.scene.collection.objects.link(two)
    two.location.x = 5
    settings = bpy.context.scene.meshkin
    settings.source, settings.target = one, two
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_all()
    yield 1.0
    bpy.ops.ed.undo_push(message="Two cubes")
    with bpy.context.temp_override(window=window, area=area, region=region):
        assert bpy.ops.meshkin.pick_pairs("INVOKE_DEFAULT") == {"RUNNING_MODAL"}
    for point in ((0.9, -1, 0.9), (2.5, 0, 6), (5.9, -1, -0.9)):
        spot = view3d_utils.location_3d_to_region_2d(region, area.spaces.active.region_3d, point)
        at = {"x": int(region.x + spot.x), "y": int(region.y + spot.y)}
        for kind, value in (("MOUSEMOVE", "NOTHING"), ("LEFTMOUSE", "PRESS"), ("LEFTMOUSE", "RELEASE")):
            window.event_simulate(type=kind, value=value, **at)
            yield 0.2
    press("ESC")
    yield 0.3
    places = {}
    for obj in bpy.data.objects:
        if obj.type == "EMPTY":
            places[obj.parent.name] = tuple(round(value) for value in obj.matrix_world.translation)
    assert places == {"Cube": (1, -1, 1), "Cube.001": (6, -1, -1)}, places
    press("Z", ctrl=True)
    yield 0.5
    assert not [obj for obj in bpy.data.objects if obj.type == "EMPTY"]
    assert "Cube.001" in bpy.data.objects


def _compared() -> Wait:
    """Compare the two, which are not matched."""
    assert button("compare") == {"RUNNING_MODAL"}
    yield from ended()
    yield 1.5


def comparing_leaves_no_trace() -> Wait:
    """The source stands beside the target, alone in the view; then all is as before, also after undo and reopening."""
    yield from two_cubes()
    before = seen()
    yield from _compared()
    picture("compare")
    space = view()[1].spaces.active
    stand_in = comparison.stand_in()
    assert stand_in is not None
    shown = [obj.name for obj in bpy.context.view_layer.objects if obj.visible_in_viewport_get(space)]
    assert sorted(shown) == sorted(["Twin", stand_in.name]), shown
    assert (space.shading.type, space.local_view is not None) == ("MATERIAL", True)
    assert [obj.name for obj in bpy.context.view_layer.objects.selected] == before["selected"]
    assert button("compare") == {"FINISHED"}
    yield from until(lambda: seen() == before)
    assert seen() == before, (seen(), before)
    bpy.ops.ed.undo_push(message="Not compared any more")
    yield from _compared()
    press("Z", ctrl=True)
    yield from until(lambda: without_angle(seen()) == without_angle(before))
    assert without_angle(seen()) == without_angle(before), (seen(), before)
    yield from _compared()
    with tempfile.TemporaryDirectory() as folder:
        bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "compared.blend"))
        bpy.ops.wm.open_mainfile(filepath=str(Path(folder) / "compared.blend"))
        yield 1.0
        assert comparison.is_shown()
        assert button("compare") == {"FINISHED"}
        yield from until(lambda: without_angle(seen()) == without_angle(before))
        assert without_angle(seen()) == without_angle(before), (seen(), before)


def pins_are_set_on_what_is_compared() -> Wait:
    """A click on the stand-in means the source; the mouse over one object marks a point; the right button ends it."""
    yield from two_cubes()
    yield from _compared()
    yield 1.0  # the view moves
    stand_in, two = comparison.stand_in(), bpy.data.objects["Twin"]
    assert stand_in is not None
    assert button("pick_pairs") == {"RUNNING_MODAL"}
    yield from point_at(two.matrix_world @ two.data.vertices[0].co * 0.98)
    assert len(lines._marks) == 1, lines._marks
    picture("pin")
    corner, other = (
        next(vertex for vertex in obj.data.vertices if vertex.co.z > 0 > vertex.co.y) for obj in (stand_in, two)
    )
    inward = 0.97
    center = stand_in.matrix_world @ (sum((vertex.co for vertex in stand_in.data.vertices), corner.co * 0) / 8)
    yield from point_at(center + (stand_in.matrix_world @ corner.co - center) * inward, "LEFTMOUSE")
    assert len(lines._marks) == 1
    yield from point_at(two.location + (two.matrix_world @ other.co - two.location) * inward, "LEFTMOUSE")
    yield from point_at(two.location, "RIGHTMOUSE")
    yield 0.3
    assert lines._marks == []
    empties = {obj.parent.name: obj.parent_vertices[0] for obj in bpy.data.objects if obj.type == "EMPTY"}
    assert empties == {"Cube": corner.index, "Twin": other.index}, empties
    assert button("compare") == {"FINISHED"}
    yield 1.5


def before_and_after_with_one_key() -> Wait:
    """Y shows what the target was before what was transferred, and the result again."""
    yield from two_cubes()
    one, two = bpy.data.objects["Cube"], bpy.data.objects["Twin"]
    press("Y")  # nothing was transferred yet: nothing happens
    yield 0.3
    with last_transfer.recorded([one], [two], ["weights"], {}):
        two.vertex_groups.new(name="carried").add([0, 1], 1.0, "REPLACE")
    bpy.ops.ed.undo_push(message="Transferred")
    for expected in ([], ["carried"], []):
        press("Y")
        yield 0.5
        assert [group.name for group in bpy.data.objects["Twin"].vertex_groups] == expected, expected
    press("Z", ctrl=True)
    yield 0.5
    assert [group.name for group in bpy.data.objects["Twin"].vertex_groups] == ["carried"]


def the_view_jumps_to_doubtful_places() -> Wait:
    """A click on a place of the list moves the view to it."""
    yield from two_cubes()
    one, two = bpy.data.objects["Cube"], bpy.data.objects["Twin"]
    places = [
        matches.DoubtfulPlace(name, 0.1, 0.2, center, center, 0.1)
        for name, center in (("arm", (1, 0, 0)), ("top", (0, 0, 1)))
    ]
    shapes = (importlib.import_module("meshkin.scene.mesh.snapshot").take(obj) for obj in (one, two))
    matches.remember([one], [two], tuple(shapes), "none", places=[places])
    view()[1].spaces.active.show_region_ui = True
    for index, place in enumerate(places):
        assert button("look_at_place", index=index) == {"FINISHED"}
        yield 0.7
        looked = view()[1].spaces.active.region_3d.view_location
        assert (looked - two.matrix_world @ looked.__class__(place.center)).length < 0.01
    picture("places")


CHECKS = (
    point_pairs_are_clicked,
    comparing_leaves_no_trace,
    pins_are_set_on_what_is_compared,
    before_and_after_with_one_key,
    the_view_jumps_to_doubtful_places,
)
"""In the order in which they are run."""
