"""Painting, which Esc may end early; small random networks are made for it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import bpy

from .hands import Wait, button, driver, ended, picture, press, until, view
from .scenes import written

TESTS = Path(__file__).resolve().parents[2]
STEPS = 200
"""Of a painting that is ended early. Chosen: it takes minutes."""
NETWORKS = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from helpers import small_diffusion
small_diffusion.everything(Path(sys.argv[1]))
"""


def _potato(folder: Path) -> Wait:
    """A file with one object, and networks in a folder."""
    from helpers.skins import blob

    command = [os.environ["MESHKIN_WORKER_PYTHON"], "-c", NETWORKS, str(folder), str(TESTS), str(TESTS.parent / "core")]
    subprocess.run(command, check=True, capture_output=True)
    bpy.ops.wm.read_homefile(use_factory_startup=False)
    yield 0.5
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    potato = blob("twin")
    bpy.context.view_layer.objects.active = potato
    settings = bpy.context.scene.meshkin
    settings.target, settings.texture_size = potato, 128
    view()[1].spaces.active.shading.type = "MATERIAL"
    bpy.ops.ed.undo_push(message="A potato")
    yield 0.5


def _painted(folder: Path, **more: Any) -> None:
    """Press the button."""
    models = ";".join(f"{role}={folder / role}" for role in ("base", "depth", "normal"))
    chosen = {"paint_prompt": "a potato", "paint_models": models, "paint_slow": True, "paint_resolution": 64, **more}
    assert button("paint", **chosen) == {"RUNNING_MODAL"}


def _shown() -> bool:
    """Whether the unfinished texture is shown."""
    return bool(driver.running is None or bpy.data.objects["twin"].data.materials)


def _undone(before: dict[str, Any]) -> Wait:
    press("Z", ctrl=True)
    yield from until(lambda: written() == before)
    assert written() == before, (written(), before)


def painting_is_undone_in_one_step() -> Wait:
    """A finished painting is one step, which comes back by a redo."""
    with tempfile.TemporaryDirectory() as place:
        yield from _potato(Path(place))
        before = written()
        _painted(Path(place), paint_steps=2, paint_views=4)
        yield from ended()
        yield 0.5
        assert not driver.outcome.failed, driver.outcome
        after = written()
        assert after["materials"] != before["materials"]
        picture("painted")
        yield from _undone(before)
        press("Z", ctrl=True, shift=True)
        yield from until(lambda: written() == after)
        assert written() == after, (written(), after)


def escape_ends_painting_with_what_is_there() -> Wait:
    """Esc finishes what is shown, in one undo step; pressed twice, or where nothing is to be kept, it leaves none."""
    with tempfile.TemporaryDirectory() as place:
        yield from _potato(Path(place))
        before = written()
        for keeps, presses in ((True, 1), (True, 2), (False, 1)):
            _painted(Path(place), paint_steps=STEPS, paint_views=4, paint_keep=keeps, paint_seed=presses)
            yield from until(_shown, 120)
            yield 1.0
            assert driver.running is not None, driver.outcome
            picture(f"painting {keeps} {presses}")
            for _ in range(presses):
                press("ESC")
                yield 0.4
            yield from ended()
            yield 0.5
            if keeps and presses == 1:
                assert not driver.outcome.failed, driver.outcome
                picture("ended early")
                images = [image for image in bpy.data.images if tuple(image.size) == (128, 128)]
                assert len(images) == 1, list(bpy.data.images)  # and not as rough as what was shown
                yield from _undone(before)
            else:
                assert "cancelled" in driver.outcome.title, driver.outcome
                assert written() == before, (written(), before)


CHECKS = (painting_is_undone_in_one_step, escape_ends_painting_with_what_is_there)
"""In the order in which they are run."""
