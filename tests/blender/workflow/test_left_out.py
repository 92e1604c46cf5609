"""Several things are asked for, and some cannot be had: the others come over, and the report says what did not."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.creatures import creature
from helpers.main_job import MATCHED, paint
from helpers.skins import OPTIONS, blob
from meshkin import workflow
from meshkin.base.progress import Progress, finish
from meshkin.workflow import transferring
from meshkin.workflow.transfers.context import Carrier, Transfer, Write


def codes(report: workflow.Report) -> set[str]:
    return {warning.code for warning in report.warnings}


def sums(obj: bpy.types.Object) -> list[float]:
    return [sum(one.weight for one in vertex.groups) for vertex in obj.data.vertices]


@pytest.mark.parametrize("swatch", [0.0, 0.1])
def test_a_target_whose_uvs_cannot_be_used_gets_others(swatch: float) -> None:
    """Faces of low-poly characters often lie on points of a palette, or over each other on its swatches."""
    source, target = creature("source", subdivisions=3), creature("target", 1.1, subdivisions=3)
    paint(source)
    uvs = np.empty(2 * len(target.data.loops), np.float32)
    target.data.uv_layers[0].uv.foreach_get("vector", uvs)
    uvs = uvs.reshape(-1, 2) % 0.3 * swatch
    target.data.uv_layers[0].uv.foreach_set("vector", uvs.ravel())
    report = finish(workflow.transfer(source, target, None, MATCHED))
    assert report.data["written"] == ["texture", "weights", "attributes"]
    assert report.data["left_out"] == {}
    assert "uvs-replaced" in codes(report)
    assert target.data.uv_layers[-1].active_render
    assert len(target.data.uv_layers) == 2
    np.testing.assert_allclose(sums(target), 1, atol=1e-5)
    assert "height" in target.data.attributes
    assert target.data.materials


def test_one_of_several_attributes_maps_and_names() -> None:
    source, target = blob("source"), blob("target", stretch=1.05)
    for name in ("warmth", "height"):
        source.data.attributes.new(name, "FLOAT", "POINT")
    source.data.uv_layers.new(name="second")
    target.vertex_groups.new(name="height")
    while len(target.data.uv_layers) < 7:
        target.data.uv_layers.new()
    report = finish(workflow.transfer(source, target, ["attributes", "uvs"], OPTIONS))
    assert codes(report) == {"attribute-taken", "uv-maps-full"}
    assert "warmth" in target.data.attributes
    assert "height" not in target.data.attributes
    assert len(target.data.uv_layers) == 8
    named = OPTIONS.changed(names=("warmth", "cold"))
    report = finish(workflow.transfer(source, target, ["attributes"], named))
    assert [warning.message for warning in report.warnings if "“cold”" in warning.message]
    assert not [warning.message for warning in report.warnings if "“warmth”" in warning.message]


def test_one_of_several_meshes_on_the_target() -> None:
    """What lies on the target and has no surface, or is deleted meanwhile, is left out."""
    source, target = creature("source", subdivisions=3), creature("target", 1.1, subdivisions=3)
    shirt, button = creature("shirt", 1.1, subdivisions=2), creature("button", 1.1, subdivisions=2)
    paint(source)
    empty = bpy.data.objects.new("nothing", bpy.data.meshes.new("nothing"))
    bpy.context.scene.collection.objects.link(empty)
    job = workflow.transfer(source, target, ["weights"], MATCHED.changed(also=(empty, shirt, button)))
    next(job)
    bpy.data.objects.remove(button)
    report = finish(job)
    assert {"mesh-empty", "object-gone"} <= codes(report)
    for obj in (target, shirt):
        np.testing.assert_allclose(sums(obj), 1, atol=1e-5)


@pytest.mark.parametrize("late", ["weights", "texture"])
def test_what_cannot_be_written_in_the_end_does_not_stop_the_rest(
    late: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder for pictures that becomes a file meanwhile; a group that is taken away before the weights are read."""
    source, target = creature("source", subdivisions=3), creature("target", 1.1, subdivisions=3)
    paint(source)
    options = MATCHED.changed(texture_size=64, texture_folder=str(tmp_path / "pictures"))
    carrier = transferring.CARRIERS[late]

    def spoiled(transfer: Transfer) -> Generator[Progress, None, Write]:
        if late == "weights":
            source.vertex_groups.clear()
        write = yield from carrier.carry(transfer)
        if late == "texture":
            (tmp_path / "pictures").rmdir()
            (tmp_path / "pictures").write_text("a file")
        return write

    monkeypatch.setitem(transferring.CARRIERS, late, Carrier(carrier.check, spoiled))
    report = finish(workflow.transfer(source, target, ["texture", "weights", "attributes"], options))
    written = [name for name in ("texture", "weights", "attributes") if name != late]
    assert report.data["written"] == written
    assert list(report.data["left_out"]) == [late]
    assert "height" in target.data.attributes
    assert bool(target.vertex_groups) == (late != "weights")
    assert bool(target.data.materials) == (late != "texture")


def test_long_new_names_are_found_again() -> None:
    """Blender cuts names of groups at 63 bytes; the second run replaces what the first one wrote."""
    source, target = creature("source", subdivisions=3), creature("target", 1.1, subdivisions=3)
    paint(source)
    long = "Bip001_" + "VeryLongExportedControllerName_" * 3
    table = (("upper", f"{long}left"), ("lower", f"{long}right"))
    for _ in range(2):
        finish(workflow.transfer(source, target, ["weights"], MATCHED.changed(rename=table)))
        assert len(target.vertex_groups) == 2
        np.testing.assert_allclose(sums(target), 1, atol=1e-5)
    for group in target.vertex_groups:
        held = [item.weight for vertex in target.data.vertices for item in vertex.groups if item.group == group.index]
        assert max(held) > 0.9


def test_names_are_cut_between_letters() -> None:
    """A name that is cut within a letter cannot be read in every Blender."""
    source, target = creature("ü" * 31, subdivisions=3), creature("target", 1.1, subdivisions=3)
    for _ in range(2):
        finish(workflow.transfer(source, target, ["detail"], MATCHED))
        assert [key.name for key in target.data.shape_keys.key_blocks] == ["Basis", "Detail of " + "ü" * 26]
