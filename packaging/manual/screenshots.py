"""Take a picture of every panel: at 1x and 2x interface scale, in a narrow and in a wide sidebar.

    blender --factory-startup --python packaging/manual/screenshots.py -- OUTPUT [LANGUAGE] [NAME …]

on a screen of X11 that shows nothing but Blender, as Xvfb makes one, at least 2,000 pixels high; ``xdotool`` widens the
sidebar and ImageMagick's ``import`` takes the pictures. Each panel gets a tab of its own and is open. OUTPUT gets
``NAME-1x-narrow.png`` and so on, to be looked at: nothing may be cut off. With ``--manual``, those of 1x in a sidebar
of usual width are written to the manual's pictures, too, as ``panel-NAME.png``. LANGUAGE is one of Blender's locales,
such as ``de_DE``. Names: these panels only.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "core")]

from meshkin.base.png import write_png

Wait = Generator[float, None, None]
PICTURES = Path(__file__).parent / "pages" / "pictures"
WIDTHS = {"narrow": 240, "usual": 310, "wide": 460}
"""Widths of the sidebar with its tabs, pixels at 1x. Chosen: Blender's own is 292."""
SCALES = (1, 2)
TAB = 24
"""Width of the tabs beside the panels, pixels at 1x. Measured."""
PAUSE = 0.6
"""Seconds that Blender gets to draw. Chosen: enough with software OpenGL."""
ADDON = "blender_addon"


def main(output: Path, manual: bool, language: str, names: Sequence[str]) -> Wait:
    """Take the pictures of the panels with these names, or of all."""
    importlib.import_module("addon_utils").enable(ADDON, default_set=True)
    module = importlib.import_module(ADDON)
    bpy.context.preferences.view.show_splash = False
    if language:
        bpy.context.preferences.view.language = language
    bpy.context.preferences.system.use_region_overlap = False  # nothing shines through
    stage()
    status: Any = importlib.import_module(f"{ADDON}.base.status")
    status.ensure = status.request = lambda: None  # what is shown is what :func:`name_folders` says
    panels = [cls for cls in module.CLASSES if issubclass(cls, bpy.types.Panel) and cls.bl_region_type == "UI"]
    shown = next(cls for cls in module.CLASSES if issubclass(cls, bpy.types.AddonPreferences))
    for panel in reversed(panels):
        bpy.utils.unregister_class(panel)
    panels.append(preferences_panel(shown))
    for panel in panels:
        alone(panel)
        bpy.utils.register_class(panel)
    pictures = [(panel, panel.__name__.partition("_PT_")[2]) for panel in panels]
    pictures.append((panels[-1], "preferences_ray"))
    area = view()
    area.spaces[0].show_region_ui = True
    area.spaces[0].shading.type, area.spaces[0].overlay.show_overlays = "WIREFRAME", False  # quick to draw
    yield 3
    for scale in SCALES:
        bpy.context.preferences.view.ui_scale = scale
        yield PAUSE
        for width_name, width in WIDTHS.items():
            yield from widen(width * scale)
            for panel, name in pictures:
                usual = {"preferences": "wide", "preferences_ray": ""}.get(name, "usual")  # these are no sidebar
                if names and name not in names:
                    continue
                name_folders("ray" if name == "preferences_ray" else "own")
                sidebar().active_panel_category = panel.bl_category
                yield PAUSE
                pixels = shot(output / "window.png", sidebar(), int(TAB * scale))
                write_png(output / f"{name}-{scale}x-{width_name}.png", pixels)
                if manual and scale == 1 and width_name == usual:
                    write_png(PICTURES / f"panel-{name}.png", pixels)
            sidebar().active_panel_category = panels[0].bl_category
            for name, outcome in outcomes().items() if not names else ():
                driver().outcome = outcome
                sidebar().tag_redraw()
                yield PAUSE
                write_png(
                    output / f"{name}-{scale}x-{width_name}.png",
                    shot(output / "window.png", sidebar(), int(TAB * scale)),
                )
            driver().outcome = None
    (output / "window.png").unlink()


def name_folders(compute: str) -> None:
    """Let the preferences show the folders of anybody, and not those of who takes the pictures, and what computes."""
    bpy.context.preferences.addons[ADDON].preferences.compute = compute
    status: Any = importlib.import_module(f"{ADDON}.base.status")
    home = "/home/artist/.local/share/meshkin"
    status.known, status.worker_missing, status.model = True, "", True
    status.worker, status.models_folder = f"{home}/worker/bin/python", f"{home}/models"
    status.cache_folder, status.cache_bytes = f"{home}/cache", 120_000_000


def outcomes() -> dict[str, Any]:
    """Return ends of jobs with long sentences, by the names of their pictures."""
    told = importlib.import_module(f"{ADDON}.base.text").told
    sentence = told("“Knight of the Northern Marches” gave “Rogue” its texture, weights and armature.")
    fix = told("Unwrap it (UV > Smart UV Project), or remove that UV map: MeshKin then makes one.")
    error = told("The UV map of “Rogue” has no area: all its faces lie on a point or a line.")
    return {
        "main_report": driver().Outcome(sentence, ["Weights: 51 groups."], driver().WARNING_ICON, ["Poor."]),
        "main_error": driver().Outcome(error, [fix], driver().WARNING_ICON, failed=True),
    }


def driver() -> Any:
    """Return the add-on's module that drives jobs."""
    return importlib.import_module(f"{ADDON}.base.driver")


def preferences_panel(cls: Any) -> Any:
    """Return a panel that shows the preferences: as a checkout, the add-on is in no list of the preferences' editor."""

    class MESHKIN_PT_preferences(bpy.types.Panel):  # type: ignore[misc]  # noqa: N801
        """Stands for the preferences."""

        bl_space_type, bl_region_type, bl_label = "VIEW_3D", "UI", "Preferences"

        def draw(self, context: Any) -> None:
            cls.draw(WithLayout(context.preferences.addons[ADDON].preferences, self.layout), context)

    return MESHKIN_PT_preferences


class WithLayout:
    """Preferences that are drawn on a panel's layout."""

    def __init__(self, preferences: Any, layout: Any) -> None:
        self.preferences, self.layout = preferences, Unwrapping(layout)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.preferences, name)


class Unwrapping:
    """A layout that takes :class:`WithLayout` for the preferences themselves."""

    def __init__(self, layout: Any) -> None:
        self.__dict__["layout"] = layout

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.layout, name, value)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.layout, name)

        def called(*arguments: Any, **more: Any) -> Any:
            result = found(*(one.preferences if isinstance(one, WithLayout) else one for one in arguments), **more)
            return Unwrapping(result) if isinstance(result, bpy.types.UILayout) else result

        return called if callable(found) else found


def stage() -> None:
    """Make a scene with a source of two materials and a target, both picked, and the worker found."""
    cube = bpy.data.objects["Cube"]
    cube.name = "Knight"
    for part in ("Armor", "Skin", "Hair"):
        cube.data.materials.append(bpy.data.materials.new(part))
    other = bpy.data.objects.new("Rogue", cube.data.copy())
    bpy.context.scene.collection.objects.link(other)
    settings = bpy.context.scene.meshkin
    settings.source, settings.target = cube, other


def alone(panel: Any) -> None:
    """Give a panel a tab of its own and open it."""
    panel.bl_category = panel.bl_label
    panel.bl_options = set(getattr(panel, "bl_options", ())) - {"DEFAULT_CLOSED"}
    if hasattr(panel, "bl_parent_id"):
        del panel.bl_parent_id


def view() -> Any:
    """Return the area of the 3D viewport."""
    return next(area for area in bpy.context.window_manager.windows[0].screen.areas if area.type == "VIEW_3D")


def sidebar() -> Any:
    """Return the region of the viewport's sidebar."""
    return next(region for region in view().regions if region.type == "UI")


def widen(width: int) -> Wait:
    """Drag the sidebar's edge until it has this width, pixels."""
    window = bpy.context.window_manager.windows[0]
    for _ in range(3):
        region = sidebar()
        y = window.height - region.y - region.height // 3
        start, end = region.x, region.x + region.width - width
        if abs(start - end) <= 4:
            return
        path = [f"mousemove {start + 60} {y}", f"mousemove {start} {y}", "mousedown 1"]
        path += [f"mousemove {int(start + share * (end - start))} {y}" for share in (0.2, 0.6, 1, 1)]
        words = " sleep 0.3 ".join([*path, "mouseup 1", f"mousemove {window.width // 4} {window.height // 2}"]).split()
        program = subprocess.Popen(["xdotool", *words])
        while program.poll() is None:
            yield 0.1
        yield PAUSE


def shot(path: Path, region: Any, tabs: int) -> Any:
    """Return a region's pixels, uint8 (H, W, 3), row 0 at the top, without tabs, down to the end of what is drawn."""
    subprocess.run(["import", "-window", "root", str(path)], check=True)
    image = bpy.data.images.load(str(path))
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    pixels = pixels.reshape(height, width, 4)[::-1, :, :3]
    top = height - region.y - region.height
    part = pixels[top : top + region.height, region.x : region.x + region.width - tabs]
    drawn = np.flatnonzero(np.ptp(part[:, 8:-8], axis=1).max(axis=1) > 0.02)
    return np.round(part[: min(drawn[-1] + 8, len(part))] * 255).astype(np.uint8)


def run(steps: Wait) -> None:
    """Advance the steps by a timer, then end Blender."""

    def tick() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    bpy.app.timers.register(tick, first_interval=2)


if __name__ == "__main__":
    given = sys.argv[sys.argv.index("--") + 1 :]
    folder = Path(given[0])
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [name for name in given[1:] if name != "--manual"]
    locales = [name for name in wanted if re.fullmatch("[a-z]{2}_[A-Z]{2}", name)]
    run(main(folder, "--manual" in given, "".join(locales), [name for name in wanted if name not in locales]))
