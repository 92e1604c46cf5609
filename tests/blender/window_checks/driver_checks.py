"""The driver of jobs: ended, cancelled, undone, interrupted. The job here writes to the scene as a transfer does."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from typing import Any

import bpy

from meshkin.base.errors import InputError
from meshkin.base.progress import Progress
from meshkin.scene.objects import Handle
from meshkin.workflow import Report

from .hands import Wait, driver, press, until

addon_utils = importlib.import_module("addon_utils")

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


def start() -> Wait:
    """Start the job as its button does."""
    log.clear()
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        assert bpy.ops.meshkin.window_job("INVOKE_DEFAULT") == {"RUNNING_MODAL"}
    assert driver.running is not None
    yield from until(lambda: driver.running is None or driver.running.fraction > 0)
    assert driver.running is not None
    assert driver.running.fraction < 1, "the timer advances the job"
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
    bpy.ops.wm.read_homefile(use_factory_startup=False)  # without what other checks have left
    yield 0.5
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


CHECKS = (
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
"""In the order in which they are run."""
