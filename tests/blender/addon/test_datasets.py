"""The buttons of data sets: gray until there is a collection and a folder, then pictures, a check and a filter."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import bpy

from helpers.creatures import symmetric_creature


def test_the_buttons_make_check_and_filter(addon: ModuleType, tmp_path: Path) -> None:
    settings = bpy.context.scene.meshkin
    buttons = bpy.ops.meshkin
    assert not buttons.make_dataset.poll()
    collection = bpy.data.collections.new("Creatures")
    bpy.context.scene.collection.children.link(collection)
    settings.dataset_collection = collection
    settings.dataset_folder = str(tmp_path)
    assert not buttons.make_dataset.poll()  # the collection is empty
    collection.objects.link(symmetric_creature("Creature.001"))
    assert buttons.make_dataset.poll()
    assert not buttons.check_dataset.poll()  # nothing is there yet
    settings.dataset_count, settings.dataset_resolution, settings.dataset_samples = 2, 32, 1
    settings.dataset_formats = {"coco", "nerf"}
    assert buttons.make_dataset() == {"FINISHED"}
    annotations = json.loads((tmp_path / "annotations.json").read_text(encoding="utf-8"))
    assert [category["name"] for category in annotations["categories"]] == ["Creature"]
    assert len(annotations["images"]) == 2
    (tmp_path / "sheet.png").unlink()
    settings.dataset_formats = {"yolo"}
    assert buttons.check_dataset() == {"FINISHED"}
    assert (tmp_path / "sheet.png").is_file()
    assert (tmp_path / "yolo" / "data.yaml").is_file()
    assert buttons.filter_dataset() == {"FINISHED"}  # there are too few objects to judge
    assert json.loads((tmp_path / "dropped.json").read_text(encoding="utf-8")) == []
