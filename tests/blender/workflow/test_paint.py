"""Painting from end to end: Blender, the worker, small random networks of the real architecture."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

import meshkin
from helpers.main_job import refused
from helpers.places import TESTS
from helpers.skins import add_image_material, blob, data_block_names, new_image, new_material_parts, pixels_of, waves
from meshkin import workflow
from meshkin.base.errors import InputError, OptionError
from meshkin.base.png import write_png
from meshkin.base.progress import finish

pytestmark = pytest.mark.slow
SIZE = 64


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    code = (
        "import json, sys; from pathlib import Path; sys.path[:0] = sys.argv[2:];"
        "from helpers import small_diffusion; print(json.dumps(small_diffusion.everything(Path(sys.argv[1]))))"
    )
    core = str(Path(meshkin.__file__).parent.parent)
    command = [os.environ["MESHKIN_WORKER_PYTHON"], "-c", code, str(folder), str(TESTS), core]
    subprocess.run(command, check=True, capture_output=True)
    return {role: str(folder / role) for role in ("base", "depth", "normal")}


@pytest.fixture
def potato() -> bpy.types.Object:
    return blob("potato")


def options(models: dict[str, str], **more: Any) -> workflow.Options:
    chosen = {"prompt": "a potato", "views": 4, "resolution": 64, "steps": 2, "slow": True, "models": models, **more}
    return workflow.Options(
        paint=workflow.PaintOptions(**chosen),
        texture=workflow.TextureOptions(size=SIZE, margin=2),
        worker=workflow.WorkerOptions(device="cpu"),
    )


def test_a_new_material_in_a_new_slot(models: dict[str, str], potato: bpy.types.Object) -> None:
    add_image_material(potato, new_image("skin", waves()))
    before = [slot.material for slot in potato.material_slots]
    report = finish(workflow.paint(potato, options(models)))
    assert [slot.material for slot in potato.material_slots][: len(before)] == before
    material, images = new_material_parts(potato)
    assert report.data["materials"] == [material.name]
    assert tuple(images["Base Color"].size) == (SIZE, SIZE)
    assert images["Base Color"].packed_file
    assert 0.5 < report.data["seen"] <= 1
    assert {polygon.material_index for polygon in potato.data.polygons} == {len(potato.material_slots) - 1}


def test_a_mesh_without_uvs_gets_some(models: dict[str, str]) -> None:
    potato = blob("bare", uvs=False)
    report = finish(workflow.paint(potato, options(models)))
    assert len(potato.data.uv_layers) == 1
    assert any("had no UV map" in line for line in report.details)


def test_only_what_the_mask_shows_is_painted_anew(
    models: dict[str, str], potato: bpy.types.Object, tmp_path: Path
) -> None:
    add_image_material(potato, new_image("skin", waves()))
    _, images = new_material_parts(potato)
    mask = np.zeros((SIZE, SIZE, 3), np.uint8)
    mask[:, SIZE // 2 :] = 255
    write_png(tmp_path / "mask.png", mask)
    report = finish(workflow.paint(potato, options(models, mask=str(tmp_path / "mask.png"))))
    assert 0.3 < report.data["given"] < 0.7
    _, painted = new_material_parts(potato)
    assert painted["Base Color"] != images["Base Color"]


def test_cancelled_it_leaves_the_scene_or_what_is_there(models: dict[str, str], potato: bpy.types.Object) -> None:
    for keep in (False, True):
        before = data_block_names()
        job = workflow.paint(potato, options(models, steps=40, seed=int(keep), keep=keep))
        shown = False
        for _ in job:
            if shown := bool(potato.data.materials):
                break
        assert shown
        job.close()
        assert bool(potato.data.materials) == keep
        assert (data_block_names() == before) != keep
    assert np.isfinite(pixels_of(new_material_parts(potato)[1]["Base Color"])).all()


def test_what_cannot_be_painted_is_refused_before_anything_is_done(
    models: dict[str, str], potato: bpy.types.Object
) -> None:
    refused(workflow.paint(potato, options(models, prompt=" ")), InputError, "prompt-empty")
    refused(workflow.paint(potato, options(models, slow=False)), InputError, "paint-slow")
    refused(workflow.paint(potato, options(models, mask="/nowhere.png")), InputError, "mask-missing")
    refused(workflow.paint(potato, options(models, resolution=100)), InputError, "option-invalid")
    refused(workflow.paint(potato, options({**models, "eye": "x"})), InputError, "option-invalid")
    with pytest.raises(OptionError):
        options(models, steps=0)


def test_a_mesh_whose_uvs_lie_at_one_point_gets_others(models: dict[str, str], potato: bpy.types.Object) -> None:
    layer = potato.data.uv_layers.active
    layer.uv.foreach_set("vector", np.zeros(len(potato.data.loops) * 2, np.float32))
    report = finish(workflow.paint(potato, options(models)))
    assert [warning.code for warning in report.warnings] == ["uvs-replaced"]


def test_many_materials_over_each_other(models: dict[str, str], potato: bpy.types.Object) -> None:
    slots = 64
    for number in range(slots):
        potato.data.materials.append(bpy.data.materials.new(f"m{number}"))
    index = np.arange(len(potato.data.polygons)) % slots
    potato.data.polygons.foreach_set("material_index", index.astype(np.int32))
    report = finish(workflow.paint(potato, options(models)))
    assert len(report.data["materials"]) == 1
    assert json.dumps(report.data)
