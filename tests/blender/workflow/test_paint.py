"""Painting from end to end: Blender, the worker, small random networks of the real architecture."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

import meshkin
from helpers.main_job import refused
from helpers.photographs import painted_egg, photograph_of
from helpers.places import TESTS
from helpers.skins import add_image_material, blob, data_block_names, new_image, new_material_parts, pixels_of, waves
from meshkin import workflow
from meshkin.base.errors import Enough, InputError, ModelError, OptionError
from meshkin.base.png import write_png
from meshkin.base.progress import finish

pytestmark = pytest.mark.slow
SIZE = 64
MAPS = ("marigold-intrinsics", "marigold-normals")
"""Models that read maps from pictures."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    code = (
        "import json, sys; from pathlib import Path; sys.path[:0] = sys.argv[2:4];"
        "from helpers import small_diffusion; folder = Path(sys.argv[1]); small_diffusion.everything(folder);"
        "[small_diffusion.marigold(folder / name, name) for name in sys.argv[4:]]"
    )
    core = str(Path(meshkin.__file__).parent.parent)
    command = [os.environ["MESHKIN_WORKER_PYTHON"], "-c", code, str(folder), str(TESTS), core, *MAPS]
    subprocess.run(command, check=True, capture_output=True)
    return {role: str(folder / role) for role in ("base", "depth", "normal", *MAPS)}


@pytest.fixture
def potato() -> bpy.types.Object:
    return blob("potato")


def options(folders: dict[str, str], **more: Any) -> workflow.Options:
    chosen = {"prompt": "a potato", "views": 4, "resolution": 64, "steps": 2, "slow": True, **more}
    chosen.setdefault("models", {role: folders[role] for role in ("base", "depth", "normal")})
    return workflow.Options(
        paint=workflow.PaintOptions(**chosen),
        texture=workflow.TextureOptions(size=SIZE, margin=2),
        worker=workflow.WorkerOptions(device="cpu"),
    )


def test_a_new_material_in_a_new_slot(models: dict[str, str], potato: bpy.types.Object) -> None:
    add_image_material(potato, new_image("skin", waves()))
    before = [slot.material for slot in potato.material_slots]
    report = finish(workflow.paint(potato, options(models, resolution=256)))
    assert [slot.material for slot in potato.material_slots][: len(before)] == before
    material, images = new_material_parts(potato)
    assert report.data["materials"] == [material.name]
    assert tuple(images["Base Color"].size) == (SIZE, SIZE)
    assert images["Base Color"].packed_file
    assert 0.5 < report.data["seen"] <= 1
    assert {polygon.material_index for polygon in potato.data.polygons} == {len(potato.material_slots) - 1}


def test_a_mesh_without_uvs_gets_some(models: dict[str, str]) -> None:
    potato = blob("bare", uvs=False)
    report = finish(workflow.paint(potato, options(models, resolution=256)))
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


def test_cancelled_it_leaves_the_scene_as_it_was(models: dict[str, str], potato: bpy.types.Object) -> None:
    before = data_block_names()
    job = workflow.paint(potato, options(models, steps=40))
    for _ in job:
        if potato.data.materials:
            break
    assert potato.data.materials
    job.close()
    assert not potato.data.materials
    assert data_block_names() == before


def test_what_is_there_is_finished_and_gone_on_with(models: dict[str, str], potato: bpy.types.Object) -> None:
    job = workflow.paint(potato, options(models, steps=40))
    for _ in job:
        if potato.data.materials:
            break
    job.throw(Enough())
    report = finish(job)
    assert 5 <= report.data["steps"] < 40
    assert [warning.code for warning in report.warnings] == ["paint-unfinished"]
    assert len(potato.data.materials) == 1
    image = new_material_parts(potato)[1]["Base Color"]
    assert tuple(image.size) == (SIZE, SIZE)  # and not as rough as what was shown
    assert np.isfinite(pixels_of(image)).all()
    again = finish(workflow.paint(potato, options(models, steps=40)))
    assert again.data["steps"] == 40
    assert any(f"after step {report.data['steps']}" in line for line in again.details)
    job = workflow.paint(potato, options(models, seed=1))
    next(job)
    with pytest.raises(Enough):  # nothing is there yet
        job.throw(Enough())
    assert len(potato.data.materials) == 2


def test_the_material_gets_roughness_and_metallic_where_the_model_is_there(
    models: dict[str, str], potato: bpy.types.Object
) -> None:
    chosen = options(models)
    report = finish(workflow.paint(potato, chosen))
    assert any("no roughness and metallic" in line for line in report.details)
    assert set(new_material_parts(potato)[1]) == {"Base Color"}
    maps = workflow.PictureOptions(model=models["marigold-intrinsics"], steps=1, resolution=256)
    report = finish(workflow.paint(potato, replace(chosen, maps=maps)))
    material, images = new_material_parts(potato)
    assert set(images) == {"Base Color", "Roughness", "Metallic"}
    assert len(report.data["images"]) == 3
    for name in ("Roughness", "Metallic"):
        assert images[name].colorspace_settings.name == "Non-Color"
        values = pixels_of(images[name])[..., :3]
        assert values.std() > 0.01
        assert np.array_equal(values[..., 0], values[..., 1])
    slot = len(potato.material_slots) - 1
    assert potato.material_slots[slot].material == material
    without = replace(chosen, maps=maps, paint=replace(chosen.paint, surface=False))
    assert len(finish(workflow.paint(potato, without)).data["images"]) == 1


def test_a_subject_is_learned_and_painted(models: dict[str, str], potato: bpy.types.Object, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    write_png(tmp_path / "owl.png", pixels)
    chosen = options(models)
    subject = workflow.SubjectOptions("owl", steps=4, size=64, own=0)
    told = workflow.Options(paint=chosen.paint, subject=subject, worker=chosen.worker)
    file = tmp_path / "owl.safetensors"
    report = finish(workflow.learn_subject(tmp_path / "owl.png", file, told))
    assert report.data["output"] == str(file)
    assert len(report.data["losses"]) == 4
    plain = pixels_of(_painted(potato, options(models, refine=2)))
    shown = pixels_of(_painted(potato, options(models, refine=2, subject=str(file))))
    assert not np.array_equal(plain, shown)
    assert np.array_equal(plain, pixels_of(_painted(potato, options(models, refine=2))))
    slow = replace(told, paint=replace(told.paint, slow=False))
    refused(workflow.learn_subject(tmp_path / "owl.png", file, slow), InputError, "paint-slow")
    nameless = replace(told, subject=replace(subject, name=" "))
    refused(workflow.learn_subject(tmp_path / "owl.png", file, nameless), InputError, "subject-unnamed")
    refused(workflow.learn_subject(tmp_path / "owl.png", tmp_path / "owl.txt", told), InputError, "output-type")
    refused(workflow.learn_subject(tmp_path / "no.png", file, told), InputError, "photo-missing")
    missing = options(models, subject=str(tmp_path / "no.safetensors"))
    refused(workflow.paint(potato, missing), ModelError, "model-missing")
    file.write_bytes(b"no tensors")
    refused(workflow.paint(potato, options(models, subject=str(file))), ModelError, "model-damaged")


def _painted(obj: bpy.types.Object, chosen: workflow.Options) -> bpy.types.Image:
    finish(workflow.paint(obj, chosen))
    image: bpy.types.Image = new_material_parts(obj)[1]["Base Color"]
    return image


def test_a_shape_key_follows_the_painted_views(models: dict[str, str], potato: bpy.types.Object) -> None:
    """Where no view fits, as may be with random networks, that is told."""
    chosen = replace(
        options(models, shape=True, surface=False),
        maps=workflow.PictureOptions(model=models["marigold-normals"], steps=1, resolution=256),
    )
    before = vertices_of(potato)
    report = finish(workflow.paint(potato, chosen))
    key = potato.data.shape_keys
    if key is None:
        assert [warning.code for warning in report.warnings] == ["shape-unseen"]
    else:
        assert "shape-start" in [warning.code for warning in report.warnings]
        assert len(key.key_blocks) == 2
    assert np.array_equal(vertices_of(potato), before)


def vertices_of(obj: bpy.types.Object) -> np.ndarray:
    values = np.empty(3 * len(obj.data.vertices), np.float32)
    obj.data.vertices.foreach_get("co", values)
    return values


def test_what_a_photo_shows_is_matched_and_stays(models: dict[str, str], small_model: str, tmp_path: Path) -> None:
    """Beside the texture that is made of the same photo alone."""
    textured, painted = painted_egg(), painted_egg()
    _, picture, face, _ = photograph_of(textured, tmp_path)
    write_png(tmp_path / "photo.png", picture)
    write_png(tmp_path / "mask.png", np.repeat(np.uint8(255) * (face >= 0)[..., None], 3, axis=-1))
    seeing = {"features": "dinov2", "model": small_model, "layers": (1,), "views": 8, "resolution": 224}
    chosen = options(models, surface=False).changed(**seeing, remove_light=False)
    photo = tmp_path / "photo.png", str(tmp_path / "mask.png")
    made = finish(workflow.texture_photo(photo[0], textured, chosen, photo[1]))
    report = finish(workflow.paint(painted, chosen, *photo))
    assert 0.1 < report.data["given"] < 0.7
    doubts = {"view-unsure", "low-confidence"}  # a photo that is matched badly is told as it is where it is the texture
    assert [each for each in report.warnings if each.code in doubts] == [
        each for each in made.warnings if each.code in doubts
    ]
    _, images = new_material_parts(painted)
    ours = pixels_of(images["Base Color"])[..., :3]
    theirs, origin = (pixels_of(bpy.data.images[made.data[name]])[..., :3] for name in ("texture", "image"))
    from_photo = origin[..., 0] > 0.999
    assert from_photo.mean() > 0.05
    away = np.abs(ours - theirs).max(axis=-1)
    assert np.quantile(away[from_photo], 0.95) < 3 / 255
    assert np.median(away[origin[..., 2] > 0.999]) > 0.1  # the rest is painted
    refused(workflow.paint(painted, chosen, tmp_path / "no.png"), InputError, "photo-missing")
    blind = chosen.changed(features="geometric")
    refused(workflow.paint(painted, blind, *photo), InputError, "photo-features")
    assert len(painted.material_slots) == 2


def test_what_cannot_be_painted_is_refused_before_anything_is_done(
    models: dict[str, str], potato: bpy.types.Object
) -> None:
    refused(workflow.paint(potato, options(models, prompt=" ")), InputError, "prompt-empty")
    refused(workflow.paint(potato, options(models, slow=False)), InputError, "paint-slow")
    refused(workflow.paint(potato, options(models, mask="/nowhere.png")), InputError, "mask-missing")
    refused(workflow.paint(potato, options(models, resolution=100)), InputError, "option-invalid")
    refused(workflow.paint(potato, options(models, models={"eye": "x"})), InputError, "option-invalid")
    with pytest.raises(OptionError):
        options(models, steps=0)


def test_a_mesh_whose_uvs_lie_at_one_point_gets_others(models: dict[str, str], potato: bpy.types.Object) -> None:
    layer = potato.data.uv_layers.active
    layer.uv.foreach_set("vector", np.zeros(len(potato.data.loops) * 2, np.float32))
    report = finish(workflow.paint(potato, options(models, resolution=256)))
    assert [warning.code for warning in report.warnings] == ["uvs-replaced"]


def test_a_mesh_that_is_closed_to_all_views_is_refused(models: dict[str, str], potato: bpy.types.Object) -> None:
    """A potato in a shell whose own part of the UV map is tiny."""
    shell = blob("shell")
    layer = shell.data.uv_layers.active
    places = np.empty(2 * len(shell.data.loops), np.float32)
    layer.uv.foreach_get("vector", places)
    layer.uv.foreach_set("vector", 0.05 * places)
    shell.scale = (2, 2, 2)
    bpy.ops.object.select_all(action="DESELECT")
    for obj in (shell, potato):
        obj.select_set(True)
    bpy.context.view_layer.objects.active = potato
    bpy.ops.object.join()
    before = data_block_names()
    refused(workflow.paint(potato, options(models, resolution=256)), InputError, "nothing-seen")
    assert data_block_names() == before
    assert not potato.material_slots


def test_many_materials_over_each_other(models: dict[str, str], potato: bpy.types.Object) -> None:
    slots = 64
    for number in range(slots):
        potato.data.materials.append(bpy.data.materials.new(f"m{number}"))
    index = np.arange(len(potato.data.polygons)) % slots
    potato.data.polygons.foreach_set("material_index", index.astype(np.int32))
    report = finish(workflow.paint(potato, options(models, resolution=256)))
    assert len(report.data["materials"]) == 1
    assert json.dumps(report.data)
