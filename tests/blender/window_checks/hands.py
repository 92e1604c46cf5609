"""What a hand does in a window: keys, the mouse, buttons of the sidebar; and what an eye sees."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import bpy

driver = importlib.import_module("blender_addon.base.driver")

Wait = Generator[float, None, None]
"""A check: it yields how many seconds Blender has to itself."""

SCAN = 11
"""Pixels at scale 1 between the lines in which buttons are looked for. Chosen: about half a button's height."""
SCREENS = 3
"""How often the sidebar is scrolled by half of it to find a button. Chosen: to its end."""
ACROSS = (0.5, 0.84, 0.25)
"""Where buttons are looked for in a line, shares of the sidebar's width. Chosen: large ones, icons, and halves."""
places: dict[str, tuple[int, int]] = {}
"""Where operators' buttons were found."""


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


def view() -> tuple[bpy.types.Window, bpy.types.Area, bpy.types.Region]:
    """The window, its 3D view, and the region of that."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return window, area, next(region for region in area.regions if region.type == "WINDOW")


def button(name: str, /, **settings: Any) -> set[str]:
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


def until(holds: Callable[[], bool], seconds: float = 20) -> Wait:
    """Wait until something holds; views take their time."""
    for _ in range(round(seconds / 0.2)):
        if holds():
            return
        yield 0.2


def ended() -> Wait:
    """Wait for the end of a real job."""
    for _ in range(600):
        if driver.running is None:
            return
        yield 0.2
    raise AssertionError("the job did not end")
