"""A video that a character follows: escaped, gone on with, undone, and its outline over the character."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from .hands import Wait, button, driver, ended, picture, press, show_sidebar, until, view
from .scenes import real_pair, written

FRAMES = 3


def a_video_is_followed_and_its_outline_shown() -> Wait:
    """Esc leaves the file as it was; the job goes on with the next frame; one undo takes the action away again."""
    from helpers import tiny_vision
    from meshkin.scene.display import outlines

    with tempfile.TemporaryDirectory() as folder:
        model = tiny_vision.save(Path(folder) / "model")
        _write_frames(Path(folder))
        yield from real_pair()
        preferences = bpy.context.preferences.addons["blender_addon"].preferences
        before_model, preferences.model = preferences.model, model
        settings = bpy.context.scene.meshkin
        settings.target, settings.features = bpy.data.objects["body"], "dinov2"
        settings.layers, settings.views, settings.resolution = "1", 8, 224
        settings.video, settings.video_mask = f"{folder}/frames/0001.png", f"{folder}/masks/0001.png"
        bpy.ops.ed.undo_push(message="Video")
        before = _written()
        assert button("fit_video") == {"RUNNING_MODAL"}
        yield 0.3
        press("ESC")
        yield 0.5
        assert driver.running is None
        assert "cancelled" in driver.outcome.title, driver.outcome
        assert _written() == before
        assert button("fit_video") == {"RUNNING_MODAL"}
        yield from ended()
        yield 0.5
        assert not driver.outcome.failed, driver.outcome
        after = _written()
        assert after != before
        for window in bpy.context.window_manager.windows[1:]:  # the contact sheet's
            with bpy.context.temp_override(window=window):
                bpy.ops.wm.window_close()
        yield 0.5
        yield from show_sidebar()
        space = view()[1].spaces.active
        seen = space.region_3d.view_perspective, space.use_local_camera
        assert button("show_outline") == {"FINISHED"}
        yield 1.0
        assert space.region_3d.view_perspective == "CAMERA"
        for frame in (1, FRAMES):
            bpy.context.scene.frame_set(frame)
            yield 1.0
            picture(f"outline {frame}")
        assert button("show_outline") == {"FINISHED"}
        yield 0.5
        assert (space.region_3d.view_perspective, space.use_local_camera) == seen
        assert not outlines.is_shown()
        press("Z", ctrl=True)
        yield from until(lambda: _written() == before)
        assert _written() == before, (_written(), before)
        press("Z", ctrl=True, shift=True)
        yield from until(lambda: _written() == after)
        assert _written() == after, (_written(), after)
        preferences.model = before_model


def _written() -> dict[str, Any]:
    """What jobs write, and what the armature plays."""
    playing = bpy.data.objects["rig"].animation_data
    return {
        **written(),
        "cameras": sorted(each.name for each in bpy.data.cameras),
        "plays": playing.action.name if playing and playing.action else "",
        "scores": bpy.data.objects["rig"].get("Video Fit") is not None,
    }


def _write_frames(folder: Path) -> None:
    """A bright ellipse that leans over, before darkness, and its masks."""
    from meshkin.base.png import write_png

    rows, columns = np.mgrid[:120, :160]
    for kind in ("frames", "masks"):
        (folder / kind).mkdir()
    for frame in range(FRAMES):
        x, y = columns - 80 - 0.2 * frame * (60 - rows), rows - 60
        inside = (x / 25) ** 2 + (y / 45) ** 2 < 1
        noise = np.random.default_rng(frame).integers(0, 40, inside.shape)
        shown = np.where(inside, 200, 20) + noise
        for kind, values in (("frames", shown), ("masks", inside * 255)):
            pixels = np.repeat(values[..., None].astype(np.uint8), 3, axis=-1)
            write_png(folder / kind / f"{frame + 1:04d}.png", pixels)


CHECKS = (a_video_is_followed_and_its_outline_shown,)
"""In the order in which they are run."""
