"""The buttons that read maps from a photo: one undo step each, and nothing is left of what did not end well."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
import pytest

from helpers import tiny_vision
from meshkin.base.png import write_png
from meshkin.models.known import MARIGOLD, folder_of

pytestmark = pytest.mark.slow


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    row, column = np.mgrid[:40, :60]
    pixels = np.stack((row * 6, column * 4, 255 - row * 5), axis=-1).astype(np.uint8)
    write_png(tmp_path / "toy.png", pixels)
    bpy.context.scene.meshkin.photo = str(tmp_path / "toy.png")
    return tmp_path / "toy.png"


def images() -> list[str]:
    return sorted(image.name for image in bpy.data.images)


def test_the_buttons(addon: ModuleType, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHKIN_MODELS", str(tmp_path / "models"))
    preferences = bpy.context.preferences.addons["blender_addon"].preferences
    preferences.models_folder = str(tmp_path / "models")
    preferences.device = "cpu"
    bpy.ops.ed.undo_push(message="Before")
    before = images()
    with pytest.raises(RuntimeError, match="models get"):
        bpy.ops.meshkin.remove_light("EXEC_DEFAULT")
    assert images() == before
    folders = tiny_vision.save_marigold(tmp_path / "small")
    (tmp_path / "models").mkdir(exist_ok=True)
    for kind, name in MARIGOLD.items():
        Path(folders[kind]).rename(folder_of(name))
    bpy.ops.meshkin.remove_light("EXEC_DEFAULT", True)
    assert images() == [*before, "toy albedo"]
    bpy.ops.meshkin.depth_and_normals("EXEC_DEFAULT", True)
    assert images() == sorted([*before, "toy albedo", "toy depth", "toy normal"])
    bpy.ops.ed.undo()
    assert images() == [*before, "toy albedo"]
    bpy.ops.ed.undo()
    assert images() == before
    bpy.context.scene.meshkin.maps_model = str(folder_of(MARIGOLD["marigold-depth"]))
    with pytest.raises(RuntimeError, match="gives depth, not albedo"):
        bpy.ops.meshkin.remove_light("EXEC_DEFAULT")
    assert images() == before


def test_without_a_photo_they_say_so(addon: ModuleType) -> None:
    assert not bpy.ops.meshkin.remove_light.poll()
    assert not bpy.ops.meshkin.depth_and_normals.poll()
