"""Data sets on the command line: made in shares by a batch, joined, checked."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import pytest

from helpers.shell import add_object, blob, check_error, json_result, run
from meshkin.dataset.record import DataFolder

pytestmark = pytest.mark.usefixtures("own_home")

MAKE = ["--objects", "Blobs", "--count", "3", "--resolution", "32", "--samples", "1", "--distance", "3"]


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A file with a collection of two blobs, and an empty collection."""
    blobs, empty = bpy.data.collections.new("Blobs"), bpy.data.collections.new("Nothing")
    for place, name in enumerate(("Blob", "Blob.001")):
        obj = add_object(name, *blob(1 + place / 3, 2))
        obj.location.x = 4 * place
        blobs.objects.link(obj)
        bpy.context.scene.collection.objects.unlink(obj)
    for collection in (blobs, empty):
        bpy.context.scene.collection.children.link(collection)
    light = bpy.data.objects.new("Light", bpy.data.lights.new("Light", "SUN"))
    bpy.context.scene.collection.objects.link(light)
    path = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


@pytest.mark.slow
def test_shares_of_a_batch_are_joined(scene: Path, tmp_path: Path) -> None:
    items = [
        {"id": f"part{share}", "verb": "dataset", "arguments": ["make", scene.name, *MAKE, "--share", f"{share}/2"]}
        for share in (1, 2)
    ]
    items.append({"id": "whole", "verb": "dataset", "arguments": ["join", "{part1}", "{part2}"]})
    manifest = tmp_path / "jobs.json"
    manifest.write_text(json.dumps(items), encoding="utf-8")
    ran = run("batch", manifest, "--output", tmp_path / "out", "--jobs", "1", "--json")
    assert ran.returncode == 0, ran.stderr
    whole = DataFolder(tmp_path / "out" / "whole")
    assert whole.numbers() == [0, 1, 2]
    assert DataFolder(tmp_path / "out" / "part2").numbers() == [1]
    ran = run("dataset", "check", whole.path, "--formats", "coco,omni3d", "--json")
    told = json_result(ran)
    assert told["pictures"] == 3
    assert told["warnings"] == []
    assert told["seen"] == {"Blob": sum(len(record.instances) for record in whole.load_all())}
    assert (whole.path / "annotations.json").is_file()
    assert (whole.path / "omni3d.json").is_file()


@pytest.mark.slow
def test_what_cannot_work_is_told(scene: Path, tmp_path: Path) -> None:
    nothing = run("dataset", "make", scene, "--objects", "Nothing", "--output", tmp_path / "set", "--json")
    check_error(nothing, 3, "dataset-empty")
    check_error(run("dataset", "make", scene, *MAKE, "--json"), 3, "dataset-output")
    check_error(run("dataset", "paint", tmp_path, "--look-slow", "--json"), 3, "no-dataset")
