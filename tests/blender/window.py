"""The add-on in a Blender with its window: jobs driven by the timer, cancelled, undone, interrupted.

    blender --factory-startup --enable-event-simulate --python tests/blender/window.py

Enables the add-on from this checkout, sends mouse and key events, and ends with status 0 when all held, 1 otherwise.
Most jobs here are generators that write to the scene as a transfer does. With the worker (``MESHKIN_WORKER_PYTHON``)
the real ones are run, too: canceled in the middle, undone, saved and opened again. ``MESHKIN_WINDOW_CHECKS`` names the
checks to run, by default all; ``MESHKIN_WINDOW_PICTURES`` a folder for pictures of the screen (ImageMagick's
``import``).
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import bpy

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "core"), str(ROOT / "tests")]
os.environ.setdefault("MESHKIN_CACHE", tempfile.mkdtemp(prefix="meshkin-window-"))

from meshkin.base.errors import InputError  # noqa: E402
from meshkin.base.progress import Progress  # noqa: E402
from meshkin.scene import last_transfer  # noqa: E402
from meshkin.scene.display import comparison, lines  # noqa: E402
from meshkin.scene.mesh import matches  # noqa: E402
from meshkin.scene.objects import Handle  # noqa: E402
from meshkin.workflow import Report  # noqa: E402

Wait = Generator[float, None, None]
addon_utils = importlib.import_module("addon_utils")
addon_utils.enable("blender_addon", default_set=True)
bpy.context.preferences.view.show_splash = False  # it would take the first event
driver = importlib.import_module("blender_addon.base.driver")

SCAN = 11
"""Pixels at scale 1 between the lines in which buttons are looked for. Chosen: about half a button's height."""
SCREENS = 3
"""How often the sidebar is scrolled by half of it to find a button. Chosen: to its end."""
ACROSS = (0.5, 0.84, 0.25)
"""Where buttons are looked for in a line, shares of the sidebar's width. Chosen: large ones, icons, and halves."""

mode = "write"
log: list[str] = []


def job() -> Generator[Progress, None, Report]:
    """Wait for 1.5 s or so, then write a vertex group to the cube, found again by its handle."""
    handle = Handle.of(bpy.data.objects["Cube"])
    log.append("begun")
    try:
        for index in range(15):
            yield Progress("Counting", index / 15)
            yield Progress("Counting", index / 15)
        if mode == "error":
            raise InputError("mesh-empty", "“Cube” has no faces.", "Choose another.")
        if mode == "surprise":
            raise ZeroDivisionError("division by zero")
        handle.get().vertex_groups.new(name="written")
        log.append("written")
        return Report("The cube was written to.", ["One group."])
    finally:
        log.append("closed")


class MESHKIN_OT_window_job(driver.JobOperator, bpy.types.Operator):  # type: ignore[misc, name-defined]  # noqa: N801
    """Stands where a transfer stands."""

    bl_idname = "meshkin.window_job"
    bl_label = "Window Job"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def steps(self, context: bpy.types.Context) -> Any:
        return job()


bpy.utils.register_class(MESHKIN_OT_window_job)


def press(key: str, ctrl: bool = False, shift: bool = False) -> None:
    """Press and release a key over the 3D view."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    at = {"x": area.x + area.width // 2, "y": area.y + area.height // 2}
    window.event_simulate(type="MOUSEMOVE", value="NOTHING", **at)
    keys = [*(["LEFT_CTRL"] if ctrl else []), *(["LEFT_SHIFT"] if shift else []), key]
    for value, order in (("PRESS", keys), ("RELEASE", keys[::-1])):
        for one in order:
            held = one == key or value == "PRESS"
            window.event_simulate(
                type=one, value=value, ctrl=ctrl and held, shift=shift and held and one != "LEFT_CTRL", **at
            )


def start() -> Wait:
    """Start the job as its button does."""
    log.clear()
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        assert bpy.ops.meshkin.window_job("INVOKE_DEFAULT") == {"RUNNING_MODAL"}
    assert driver.running is not None
    yield 0.5
    assert 0 < driver.running.fraction < 1, "the timer advances the job"
    assert not bpy.ops.meshkin.window_job.poll() or driver.running, "one job at a time"


def groups() -> list[str]:
    """The cube's vertex groups."""
    return [group.name for group in bpy.data.objects["Cube"].vertex_groups]


def finished() -> Wait:
    """Wait for the running job's end."""
    for _ in range(60):
        if driver.running is None:
            return
        yield 0.1
    raise AssertionError("the job did not end")


def to_the_end_and_undone() -> Wait:
    """One undo takes back the whole job and nothing else; one redo brings it again."""
    cube = bpy.data.objects["Cube"]
    cube.location.x = 5
    bpy.ops.ed.undo_push(message="Moved")
    yield from start()
    yield from finished()
    assert log == ["begun", "written", "closed"], log
    assert groups() == ["written"]
    assert driver.outcome.title == "The cube was written to."
    press("Z", ctrl=True)
    yield 0.5
    assert groups() == []
    assert bpy.data.objects["Cube"].location.x == 5
    yield 0.2


def escape_cancels() -> Wait:
    """Esc stops the job, writes nothing, and clears the status text."""
    yield from start()
    press("ESC")
    yield 0.3
    assert driver.running is None
    assert log == ["begun", "closed"], log
    assert groups() == []
    assert driver.outcome.title == "Window Job: cancelled."


def the_button_cancels() -> Wait:
    """So does the Cancel button."""
    yield from start()
    bpy.ops.meshkin.cancel()
    assert driver.running is None
    assert log == ["begun", "closed"], log
    yield 0.3


def other_events_pass_through() -> Wait:
    """Blender stays usable: a key pressed meanwhile does what it does."""
    yield from start()
    bpy.ops.object.select_all(action="DESELECT")
    press("A")
    yield 0.3
    assert bpy.data.objects["Cube"].select_get()
    assert driver.running is not None
    yield from finished()
    assert groups() == ["written"]
    press("Z", ctrl=True)
    yield 0.3


def undo_during_a_job() -> Wait:
    """All data-blocks are made anew by an undo; the job goes on with the cube of the same identity."""
    bpy.data.objects["Cube"].location.y = 3
    bpy.ops.ed.undo_push(message="Moved")
    yield from start()
    press("Z", ctrl=True)
    yield 0.3
    assert bpy.data.objects["Cube"].location.y == 0
    assert driver.running is not None
    yield from finished()
    assert groups() == ["written"]
    press("Z", ctrl=True)
    yield 0.3
    assert groups() == []


def deleted_during_a_job() -> Wait:
    """An object that is gone ends the job with a sentence."""
    bpy.ops.ed.undo_push(message="Before")
    yield from start()
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    yield from finished()
    assert driver.outcome.icon == "ERROR"
    assert "“Cube”" in driver.outcome.title
    press("ESC")  # the error's popup
    bpy.ops.wm.read_homefile(use_factory_startup=False)
    yield 0.5


def errors_end_the_job() -> Wait:
    """Expected ones with their sentence and fix, surprises briefly."""
    global mode
    for kind, text in (("error", "“Cube” has no faces."), ("surprise", "Window Job failed unexpectedly")):
        mode = kind
        yield from start()
        yield from finished()
        assert driver.outcome.icon == "ERROR"
        assert driver.outcome.title.startswith(text)
        yield 0.3
        press("ESC")
        yield 0.3
    mode = "write"


def a_new_file_cancels() -> Wait:
    """Loading another file stops the job."""
    yield from start()
    bpy.ops.wm.read_homefile(use_factory_startup=False)
    assert driver.running is None
    assert log == ["begun", "closed"], log
    yield 1.0
    assert groups() == []


def disabling_cancels() -> Wait:
    """So does disabling the add-on; enabled again it works."""
    yield from start()
    addon_utils.disable("blender_addon")
    assert driver.running is None
    assert log == ["begun", "closed"], log
    yield 0.5
    addon_utils.enable("blender_addon")
    yield 0.5
    assert hasattr(bpy.types.Scene, "meshkin")


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


def view() -> tuple[bpy.types.Window, bpy.types.Area, bpy.types.Region]:
    """The window, its 3D view, and the region of that."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return window, area, next(region for region in area.regions if region.type == "WINDOW")


def button(name: str, **settings: Any) -> set[str]:
    """Press a button of the sidebar."""
    window, area, region = view()
    with bpy.context.temp_override(window=window, area=area, region=region):
        result: set[str] = getattr(bpy.ops.meshkin, name)("INVOKE_DEFAULT", **settings)
    return result


def sidebar() -> bpy.types.Region:
    """The region of the sidebar."""
    return next(region for region in view()[1].regions if region.type == "UI")


def show_sidebar() -> Wait:
    """Open the sidebar with MeshKin's tab."""
    view()[1].spaces.active.show_region_ui = True
    yield 1.0
    sidebar().active_panel_category = "MeshKin"
    yield 1.0


places: dict[str, tuple[int, int]] = {}
"""Where operators' buttons were found."""


def under_mouse(x: int, y: int) -> Generator[float, None, str]:
    """The operator of the button at a pixel of the sidebar, as Blender takes it, without "meshkin."; "" for none."""
    window, area, _ = view()
    for beside in (1, 0):  # a move that changes nothing is none
        window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=x, y=y - beside)
    yield 0.05
    with bpy.context.temp_override(window=window, area=area, region=sidebar()):
        if not bpy.ops.ui.copy_python_command_button.poll():
            return ""
        bpy.ops.ui.copy_python_command_button()
    name, found, _ = bpy.context.window_manager.clipboard.removeprefix("bpy.ops.meshkin.").partition("(")
    bpy.context.window_manager.clipboard = ""
    return name if found else ""


def place_of(name: str) -> Generator[float, None, tuple[int, int]]:
    """The pixel of an operator's button in the sidebar, found by moving the mouse over all of it, and scrolling."""
    if name in places and (yield from under_mouse(*places[name])) == name:
        return places[name]
    region = sidebar()
    step = round(SCAN * bpy.context.preferences.system.ui_scale)
    for _ in range(SCREENS):
        for share in ACROSS:
            x = region.x + round(region.width * share)
            for y in range(region.y + region.height - step, region.y, -step):
                found = yield from under_mouse(x, y)
                places[found] = x, y
                if found == name:
                    return x, y
        for _ in range(region.height // 80):  # about half of it: a turn of the wheel moves 40 pixels
            view()[0].event_simulate(type="WHEELDOWNMOUSE", value="PRESS", x=x, y=region.y + region.height // 2)
            yield 0.05
        yield 0.5
    raise AssertionError(f"no pixel of the sidebar is a button of {name}: {sorted(places)}")


def click_button(name: str) -> Wait:
    """Click an operator's button in the sidebar."""
    x, y = yield from place_of(name)
    for value in ("PRESS", "RELEASE"):
        view()[0].event_simulate(type="LEFTMOUSE", value=value, x=x, y=y)
        yield 0.2


def picture(name: str) -> None:
    """Keep a picture of the screen, if pictures are wanted and can be taken."""
    folder, tool = os.environ.get("MESHKIN_WINDOW_PICTURES"), shutil.which("import")
    if folder and tool:
        subprocess.run([tool, "-window", "root", str(Path(folder) / f"{name}.png")], check=False)


def point_at(place: Any, *buttons: str) -> Wait:
    """Move the mouse over a point of the world, and press and release buttons there."""
    from bpy_extras import view3d_utils

    window, area, region = view()
    spot = view3d_utils.location_3d_to_region_2d(region, area.spaces.active.region_3d, place)
    at = {"x": int(region.x + spot.x), "y": int(region.y + spot.y)}
    window.event_simulate(type="MOUSEMOVE", value="NOTHING", **at)
    yield 0.3
    for each in buttons:
        for value in ("PRESS", "RELEASE"):
            window.event_simulate(type=each, value=value, **at)
            yield 0.2


def two_cubes() -> Wait:
    """A file with two cubes, picked as source and target; the target is beside the source, and turned."""
    bpy.ops.wm.read_homefile(use_factory_startup=False)
    yield 0.5
    one = bpy.data.objects["Cube"]
    two = one.copy()
    two.data, two.name = one.data.copy(), "Twin"
    bpy.context.scene.collection.objects.link(two)
    two.location.x, two.rotation_euler.z = 4, 0.3
    settings = bpy.context.scene.meshkin
    settings.source, settings.target = one, two
    window, area, region = view()
    area.spaces.active.show_region_ui = False  # it would cover what is clicked
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_all()
    yield 1.0
    bpy.ops.ed.undo_push(message="Two cubes")


def seen() -> dict[str, Any]:
    """The scene and what the 3D view shows of it."""
    _, area, _ = view()
    space, layer = area.spaces.active, bpy.context.view_layer
    names = ("objects", "meshes", "collections", "texts", "materials")
    turn = [round(value, 3) for row in space.region_3d.view_matrix for value in row]
    return {
        **{name: sorted(block.name for block in getattr(bpy.data, name)) for name in names},
        "view": (turn, round(space.region_3d.view_distance, 3), space.local_view is None, space.shading.type),
        "selected": sorted(obj.name for obj in layer.objects.selected),
        "active": layer.objects.active and layer.objects.active.name,
        "places": {obj.name: tuple(map(tuple, obj.matrix_world)) for obj in bpy.data.objects},
        "shown": sorted(obj.name for obj in layer.objects if obj.visible_in_viewport_get(space)),
    }


def without_angle(scene: dict[str, Any]) -> dict[str, Any]:
    """What was seen, but for where the view looks, which undo does not change, and materials that nothing uses."""
    return {**scene, "view": scene["view"][2:], "materials": []}


def until(holds: Callable[[], bool], seconds: float = 20) -> Wait:
    """Wait until something holds; views take their time."""
    for _ in range(round(seconds / 0.2)):
        if holds():
            return
        yield 0.2


def comparing_leaves_no_trace() -> Wait:
    """The source stands beside the target, alone in the view; then all is as before, also after undo and reopening."""
    yield from two_cubes()
    before = seen()
    assert button("compare") == {"FINISHED"}  # nothing is matched, so there is no work to wait for
    yield 1.5
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
    assert button("compare") == {"FINISHED"}
    yield 1.0
    bpy.ops.ed.undo_push(message="Compared")
    press("Z", ctrl=True)
    yield from until(lambda: without_angle(seen()) == without_angle(before))
    assert without_angle(seen()) == without_angle(before), (seen(), before)
    assert button("compare") == {"FINISHED"}
    yield 1.0
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
    assert button("compare") == {"FINISHED"}
    yield 2.5  # the view moves
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


def real_pair(subdivisions: int = 4) -> Wait:
    """Two creatures, the first with a rig, weights, a texture and an action, picked as source and target."""
    from helpers.creatures import add_height_values, creature, renumber
    from helpers.rigged import new_armature
    from helpers.skins import add_image_material
    from meshkin.scene.rig import binding

    bpy.ops.wm.read_homefile(use_factory_startup=False)
    yield 0.5
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    source, target = creature("body", subdivisions=subdivisions), creature("twin", 1.2, subdivisions=subdivisions)
    target.location.x = 5
    renumber(target)  # else they would be known by their base mesh, and jobs over in no time
    add_height_values(source)
    add_image_material(source, bpy.data.images.new("skin", 64, 64))
    rig = new_armature("rig", {"lower": ((0, 0, -1), (0, 0, 0), None), "upper": ((0, 0, 0), (0, 0, 1), "lower")})
    binding.bind(source, rig)
    for frame, angle in ((1, 0.0), (10, 0.3)):
        rig.pose.bones["upper"].rotation_mode = "XYZ"
        rig.pose.bones["upper"].rotation_euler.x = angle
        rig.pose.bones["upper"].keyframe_insert("rotation_euler", frame=frame)
    settings = bpy.context.scene.meshkin
    settings.source, settings.target, settings.features, settings.nearness = source, target, "geometric", "never"
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="The pair")


def written() -> dict[str, Any]:
    """What jobs write, beside colors of features: all data-blocks, and what lies on the target."""
    names = ("objects", "meshes", "armatures", "materials", "images", "actions", "texts")
    target = bpy.data.objects["twin"]
    return {
        **{name: sorted(block.name for block in getattr(bpy.data, name)) for name in names},
        "groups": [group.name for group in target.vertex_groups],
        "slots": [slot.name for slot in target.material_slots],
        "attributes": sorted(one.name for one in target.data.attributes if not one.name.startswith(".")),
        "modifiers": [modifier.name for modifier in target.modifiers],
        "keys": len(target.data.shape_keys.key_blocks) if target.data.shape_keys else 0,
        "mesh": target.data.name,
    }


def ended() -> Wait:
    """Wait for the end of a real job."""
    for _ in range(600):
        if driver.running is None:
            return
        yield 0.2
    raise AssertionError("the job did not end")


ALL = {"texture", "weights", "armature", "motion", "attributes"}
WITHOUT_ESCAPE = {
    *("set_up", "get_model", "release_memory", "clear_cache"),  # they are no business of the scene
    *("show_pictures", "match_photo", "texture_photo"),  # they need a model
    "carry_parts",  # it needs two objects that were cut into parts
    "learn_family",  # it needs a collection; stopping is tested in tests/plain/families/test_teaching.py
}
"""Jobs that :func:`escape_in_the_middle_of_each_job` does not start."""


AT_ONCE = {"build_armature", "motion"}
"""Jobs that may be over here before Esc can reach them."""


def escape_in_the_middle_of_each_job() -> Wait:
    """Whatever is running, Esc ends it and leaves the file as it was."""
    addon = importlib.import_module("blender_addon")
    classes = [cls for cls in addon.CLASSES if issubclass(cls, driver.JobOperator)]
    left = [cls.bl_idname.partition(".")[2] for cls in classes]
    left = [name for name in left if name not in WITHOUT_ESCAPE]
    yield from real_pair()
    third = bpy.data.objects["body"].copy()  # for jobs that take three
    third.parent = None
    third.modifiers.clear()  # with the rig it would be of the source's character, and two would be selected
    third.name, third.location.x = "third", -5
    bpy.context.scene.collection.objects.link(third)
    bpy.ops.object.select_all(action="SELECT")
    bpy.context.view_layer.objects.active = bpy.data.objects["body"]  # the reference of a set
    bpy.ops.ed.undo_push(message="Selected")
    yield 0.5  # the view has to know the third one
    for _ in ("before a transfer", "after one"):
        for name in list(left):
            settings = {"kinds": ALL} if name == "transfer" else {}
            if getattr(bpy.ops.meshkin, name).poll() and (yield from _escaped(name, settings)):
                left.remove(name)
        picked = bpy.context.scene.meshkin
        picked.source, picked.target = bpy.data.objects["body"], bpy.data.objects["twin"]
        assert button("transfer", kinds=ALL) == {"RUNNING_MODAL"}
        yield from ended()
        assert not driver.outcome.failed, driver.outcome
        assert written()["groups"] == ["upper", "lower"]
        bpy.ops.ed.undo_push(message="Transferred")
    assert AT_ONCE.issuperset(left), left


def _escaped(name: str, settings: dict[str, Any]) -> Generator[float, None, bool]:
    """Start a job and press Esc after a moment, at once where it is over by then; whether there was time for it."""
    for wait in (0.3, 0.0):
        before = written()
        bpy.ops.ed.undo_push(message=f"Before {name}")  # what is done at once makes no step of its own here
        button(name, **settings)
        if wait:
            yield wait
        if driver.running is None:
            press("Z", ctrl=True)
            yield 1.0
            continue
        press("ESC")
        yield 0.4
        assert driver.running is None, name
        assert "cancelled" in driver.outcome.title, driver.outcome
        assert written() == before, (name, written(), before)
        return True
    return False


def transferred_undone_saved_and_opened_again() -> Wait:
    """A real transfer is one undo step; in the file opened again, its result can be updated and its past shown."""
    yield from real_pair()
    before = written()
    assert button("transfer", kinds=ALL) == {"RUNNING_MODAL"}
    yield from ended()
    yield 0.5
    after = written()
    assert after["slots"] == ["skin on twin"], after
    assert "MeshKin Report" in after["texts"]
    press("Z", ctrl=True)
    yield 1.0
    assert written() == before, (written(), before)
    press("Z", ctrl=True, shift=True)
    yield 1.0
    assert written() == after, (written(), after)
    with tempfile.TemporaryDirectory() as folder:
        bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "transferred.blend"))
        bpy.ops.wm.open_mainfile(filepath=str(Path(folder) / "transferred.blend"))
        yield 1.0
        kept = ("objects", "groups", "slots", "attributes", "modifiers")  # the rest may have been unused
        opened = written()
        assert [opened[name] for name in kept] == [after[name] for name in kept], (opened, after)
        press("Y")
        yield 0.5
        assert (written()["groups"], written()["slots"]) == ([], [])
        press("Y")
        yield 0.5
        assert button("update") == {"RUNNING_MODAL"}
        yield from ended()
        yield 0.5
        assert not driver.outcome.failed, driver.outcome
        now, same = written(), (*kept, "meshes", "materials", "images")
        assert [now[name] for name in same] == [opened[name] for name in same], (now, opened)
        picture("updated")
        press("Z", ctrl=True)
        yield 1.0
        assert written()["slots"] == ["skin on twin"]


def two_characters() -> Wait:
    """Two characters of several meshes beside each other, neither picked; the first has a rig and a texture."""
    from helpers.characters import dressed, rig
    from helpers.skins import add_image_material

    bpy.ops.wm.read_homefile(use_factory_startup=False)
    yield 0.5
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    source, target = dressed(), dressed("new ", 5.0)
    rig("rig", source)
    root = bpy.data.objects.new("root", None)
    bpy.context.scene.collection.objects.link(root)
    for obj in target.values():
        obj.parent = root
    for obj in source.values():
        add_image_material(obj, bpy.data.images.new("skin", 64, 64))
    settings = bpy.context.scene.meshkin
    settings.features, settings.kinds = "geometric", {"texture", "weights", "armature"}
    window, area, region = view()
    area.spaces.active.show_region_ui = False  # it would cover what is clicked
    bpy.ops.object.select_all(action="DESELECT")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_all()
    yield 1.0


def click(place: Any, shift: bool = False) -> Wait:
    """Click a point of the world."""
    from bpy_extras import view3d_utils

    window, area, region = view()
    spot = view3d_utils.location_3d_to_region_2d(region, area.spaces.active.region_3d, place)
    at = {"x": int(region.x + spot.x), "y": int(region.y + spot.y)}
    window.event_simulate(type="MOUSEMOVE", value="NOTHING", **at)
    yield 0.3
    for value in ("PRESS", "RELEASE"):
        window.event_simulate(type="LEFTMOUSE", value=value, shift=shift, **at)
        yield 0.2


def one_press_from_two_selected_characters() -> Wait:
    """A click on each character, on any mesh, then one on the button: a rigged and textured target, every mesh of it,
    in one undo step. Nothing is picked by hand, and the mouse does it all."""
    yield from two_characters()
    yield from click((0, -1, 0))
    yield from click((5.22, -0.62, 1.02), shift=True)
    selected = {obj.name for obj in bpy.context.selected_objects}
    assert bpy.context.view_layer.objects.active.name == "new eye.L", (selected, bpy.context.view_layer.objects.active)
    assert len(selected) == 2, selected
    yield from show_sidebar()
    picture("two-selected")
    yield from click_button("transfer")
    assert driver.running is not None, "one click starts it"
    yield from ended()
    yield 0.5
    picture("two-transferred")
    assert not driver.outcome.failed, driver.outcome
    names = ("new body", "new coat", "new eye.L", "new eye.R")
    for name in names:
        obj = bpy.data.objects[name]
        assert obj.parent.type == "ARMATURE", name
        assert len(obj.material_slots) == 1, name
        assert "head" in obj.vertex_groups, name
    press("Z", ctrl=True)
    yield 1.0
    for name in names:
        obj = bpy.data.objects[name]
        assert obj.parent.name == "root", name
        assert (len(obj.vertex_groups), len(obj.material_slots)) == (0, 0), name


def buttons_are_clicked() -> Wait:
    """The mouse picks, swaps, matches, cancels, transfers, looks, updates, discards and closes the report."""
    yield from real_pair(subdivisions=5)  # the job has to go on until the mouse has found Cancel
    settings = bpy.context.scene.meshkin
    settings.kinds = {"weights"}
    source, target = (bpy.data.objects[name] for name in ("body", "twin"))
    settings.source = settings.target = None
    for obj, active in ((target, False), (source, True)):
        obj.select_set(True)
        if active:
            bpy.context.view_layer.objects.active = obj
    yield from show_sidebar()
    yield from click_button("pick")
    assert (settings.source.name, settings.target.name) == ("twin", "body")
    yield from click_button("swap")
    assert (settings.source.name, settings.target.name) == ("body", "twin")
    yield from click_button("match")
    assert driver.running is not None
    yield from click_button("cancel")
    assert driver.running is None
    assert "cancelled" in driver.outcome.title
    yield from click_button("dismiss")
    assert driver.outcome is None
    yield from click_button("transfer")
    yield from ended()
    yield 0.5
    assert written()["groups"] == ["upper", "lower"], (written(), driver.outcome)
    yield from click_button("before_after")
    assert written()["groups"] == []
    yield from click_button("before_after")
    assert written()["groups"] == ["upper", "lower"]
    yield from click_button("show_match")
    assert importlib.import_module("meshkin.scene.display.viewport").is_shown()
    yield from click_button("show_match")
    yield from click_button("update")
    assert driver.running is not None
    yield from ended()
    yield 0.5
    assert not driver.outcome.failed, driver.outcome
    meshes = written()["meshes"]
    yield from click_button("discard_before")
    assert written()["meshes"] == [name for name in meshes if name != "twin before"]
    press("Z", ctrl=True)
    yield 1.0
    assert written()["meshes"] == meshes
    picture("clicked")


def undo_in_the_middle_of_an_update() -> Wait:
    """What is undone stays undone: the update ends with a sentence, or on what is there; nothing is left over."""
    yield from real_pair()
    before = written()
    for name, settings in (("transfer", {"kinds": {"texture", "weights"}}), ("transfer", {"kinds": {"armature"}})):
        assert button(name, **settings) == {"RUNNING_MODAL"}
        yield from ended()
        yield 0.5
        assert not driver.outcome.failed, driver.outcome
    first = {"texture", "weights"}
    assert button("update") == {"RUNNING_MODAL"}
    yield 0.5
    press("Z", ctrl=True)  # takes the armature away, that the update would replace
    yield 0.5
    yield from ended()
    yield 0.5
    picture("undone in an update")
    same = ("objects", "groups", "slots", "attributes", "modifiers", "meshes", "mesh")
    for _ in range(3):  # the update, if it came to its end, and the transfers
        if (left := written()) and [left[name] for name in same] == [before[name] for name in same]:
            break
        press("Z", ctrl=True)
        yield 1.0
    left = written()
    assert [left[name] for name in same] == [before[name] for name in same], (left, before, driver.outcome)
    assert button("transfer", kinds=first) == {"RUNNING_MODAL"}  # and the next job works
    yield from ended()
    yield 0.5
    assert not driver.outcome.failed, driver.outcome
    assert written()["slots"] == ["skin on twin"]


def search_finds_what_artists_call_it() -> Wait:
    """F3 and a few letters, and Enter starts it."""
    yield from two_characters()
    settings = bpy.context.scene.meshkin
    settings.source, settings.target = bpy.data.objects["body"], bpy.data.objects["new body"]
    yield 0.5
    for words, title in (
        ("transfer rig", "Armature"),
        ("copy weights", "Weights"),
        ("copy skin", "Weights"),
        ("transfer texture", "Texture"),
        ("meshkin match source", "Match"),
    ):
        press("F3")
        yield 0.7
        window, area, _ = view()
        at = {"x": area.x + area.width // 2, "y": area.y + area.height // 2}
        for letter in words:
            kind = "SPACE" if letter == " " else letter.upper()
            window.event_simulate(type=kind, value="PRESS", unicode=letter, **at)
            window.event_simulate(type=kind, value="RELEASE", **at)
            yield 0.05
        yield 0.5
        picture(f"search {words}")
        window.event_simulate(type="RET", value="PRESS", **at)
        window.event_simulate(type="RET", value="RELEASE", **at)
        yield 0.5
        assert driver.running is not None, (words, driver.outcome)
        assert driver.running.title == title, (words, driver.running.title)
        driver.cancel()
        yield 0.5


WITH_WORKER = (
    one_press_from_two_selected_characters,
    buttons_are_clicked,
    undo_in_the_middle_of_an_update,
    search_finds_what_artists_call_it,
    escape_in_the_middle_of_each_job,
    transferred_undone_saved_and_opened_again,
)
"""Checks that need the worker."""
CHECKS = (
    point_pairs_are_clicked,
    comparing_leaves_no_trace,
    pins_are_set_on_what_is_compared,
    before_and_after_with_one_key,
    the_view_jumps_to_doubtful_places,
    to_the_end_and_undone,
    escape_cancels,
    the_button_cancels,
    other_events_pass_through,
    undo_during_a_job,
    deleted_during_a_job,
    errors_end_the_job,
    a_new_file_cancels,
    disabling_cancels,
)


def everything() -> Wait:
    """All checks, one after the other."""
    worker = os.environ.get("MESHKIN_WORKER_PYTHON")
    if worker:
        bpy.context.preferences.addons["blender_addon"].preferences.worker_python = worker
    chosen = os.environ.get("MESHKIN_WINDOW_CHECKS", "").split()
    for check in (*(WITH_WORKER if worker else ()), *CHECKS):
        if chosen and check.__name__ not in chosen:
            continue
        yield from check()
        print(f"ok      {check.__name__}", flush=True)


def step() -> float | None:
    """Advance the checks; leave Blender at their end."""
    try:
        return next(running)
    except StopIteration:
        print("ALL OK", flush=True)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


running = everything()
bpy.app.timers.register(step, first_interval=2, persistent=True)
