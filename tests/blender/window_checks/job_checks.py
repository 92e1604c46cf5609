"""Real jobs, which need the worker: started by clicks, escaped, undone, saved and opened again."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

from .hands import Wait, button, click, click_button, driver, ended, picture, press, show_sidebar, until, view
from .scenes import real_pair, two_characters, written

ALL = {"texture", "weights", "armature", "motion", "attributes"}
WITHOUT_ESCAPE = {
    *("set_up", "get_model", "release_memory", "clear_cache"),  # they are no business of the scene
    *("show_pictures", "match_photo", "texture_photo", "remove_light", "depth_and_normals"),  # a model
    "paint",  # Esc may keep what is there: painting_checks.py
    "learn_subject",  # it needs a model
    "fit_video",  # it has a check of its own, in video_checks
    "carry_parts",  # it needs two objects that were cut into parts
    *("make_dataset", "check_dataset", "filter_dataset"),  # they need a folder, and write nothing to the scene
    "learn_family",  # it needs a collection; stopping is tested in tests/plain/families/test_teaching.py
}
"""Jobs that :func:`escape_in_the_middle_of_each_job` does not start."""


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
    assert not left, left


def _escaped(name: str, settings: dict[str, Any]) -> Generator[float, None, bool]:
    """Start a job and press Esc after a moment, at once where it is over by then; whether there was time for it."""
    for wait in (0.3, 0.0):
        before = written()
        bpy.ops.ed.undo_push(message=f"Before {name}")
        assert button(name, **settings) == {"RUNNING_MODAL"}, name
        if wait:
            yield wait
        if driver.running is None:
            yield from _undone(before)
            continue
        press("ESC")
        yield 0.4
        assert driver.running is None, name
        assert "cancelled" in driver.outcome.title, driver.outcome
        assert written() == before, (name, written(), before)
        return True
    return False


def _undone(before: dict[str, Any]) -> Wait:
    """One undo, after which everything is as it was before."""
    press("Z", ctrl=True)
    yield from until(lambda: written() == before)
    assert written() == before, (written(), before)


ROUNDS = 10
"""How often short jobs are undone. Measured: a job that was over at once, without an undo step of its own, crashed
Blender 5.2.2 at the 4th to 12th."""


def short_jobs_are_undone() -> Wait:
    """Jobs that are over within a tick have an undo step of their own, also if a script has pressed the button."""
    yield from real_pair()
    assert button("transfer", kinds=ALL) == {"RUNNING_MODAL"}
    yield from ended()
    bpy.ops.ed.undo_push(message="Transferred")
    before = written()
    for number in range(ROUNDS):
        for name in ("compare", "build_armature"):
            assert button(name) == {"RUNNING_MODAL"}, (number, name)
            yield from ended()
            assert not driver.outcome.failed, (number, name, driver.outcome)
            assert written() != before, (number, name)
            yield from _undone(before)


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


def undo_while_a_preview_is_shown() -> Wait:
    """An undo in the middle of a job takes away what it only shows, and so does one to a step that was made then."""
    yield from real_pair()
    light = bpy.data.objects["Light"].name
    for x in (10, 20):
        before = written()
        bpy.data.objects[light].location.x = x
        bpy.ops.ed.undo_push(message="Moved")
    yield from _preview_shown()
    press("Z", ctrl=True)
    yield from until(lambda: bpy.data.objects[light].location.x == 10)
    assert driver.running is not None, "the job goes on"
    assert written() == before, (written(), before)
    yield from ended()
    yield 0.5
    assert not driver.outcome.failed, driver.outcome
    assert written()["slots"] == ["skin on twin"]
    yield from _undone(before)
    yield from _preview_shown()
    bpy.ops.ed.undo_push(message="Moved meanwhile")
    yield from ended()
    yield 0.5
    assert written()["slots"] == ["skin on twin"]
    yield from _undone(before)


def _preview_shown() -> Wait:
    """Start a texture of a size that shows a preview first, and wait for this."""
    assert button("transfer_texture", texture_size=4096) == {"RUNNING_MODAL"}
    for _ in range(1200):
        if driver.running is None or written()["slots"]:
            break
        yield 0.05
    assert driver.running is not None, "the preview is shown while the job runs"


def undo_in_the_middle_of_try_it() -> Wait:
    """The two characters are gone, with a sentence; the user's own scene is there."""
    yield from real_pair()
    bpy.ops.ed.undo_push(message="Before")
    scenes = [scene.name for scene in bpy.data.scenes]
    assert button("try_it") == {"RUNNING_MODAL"}
    yield from until(lambda: len(bpy.data.scenes) > len(scenes))
    yield 1.0
    press("Z", ctrl=True)
    yield from until(lambda: driver.running is None, 60)
    assert [scene.name for scene in bpy.data.scenes] == scenes, list(bpy.data.scenes)
    assert driver.outcome.failed, driver.outcome
    press("ESC")  # the error's popup
    yield 0.5
    assert button("match") == {"RUNNING_MODAL"}
    yield from ended()
    assert not driver.outcome.failed, driver.outcome


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


CHECKS = (
    one_press_from_two_selected_characters,
    buttons_are_clicked,
    undo_in_the_middle_of_an_update,
    undo_while_a_preview_is_shown,
    undo_in_the_middle_of_try_it,
    search_finds_what_artists_call_it,
    escape_in_the_middle_of_each_job,
    short_jobs_are_undone,
    transferred_undone_saved_and_opened_again,
)
"""In the order in which they are run."""
