"""Diff3F from end to end: Blender's renders, the worker, small random models of the real architecture."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

import meshkin
from helpers.photographs import median_error, painted_egg, photograph_of
from helpers.places import TESTS
from helpers.processes import wait_for
from meshkin import cli, workflow
from meshkin.base.errors import InputError, MeshKinError, ModelError
from meshkin.base.png import write_png
from meshkin.base.progress import Progress, finish
from meshkin.base.storage import cache_folder
from meshkin.cli import doctor
from meshkin.data.photo_map import PhotoMap
from meshkin.data.recipe import Recipe, ViewPlacement
from meshkin.data.views import of_recipe
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.render import passes
from meshkin.worker import client
from meshkin.worker.requests.maintenance import LookAtCache
from meshkin.workflow.describing import words_of

pytestmark = pytest.mark.slow
SMALL: dict[str, Any] = {"resolution": 64, "dino_resolution": 70, "steps": 3}


@pytest.fixture(scope="module", autouse=True)
def home(home: Path) -> Iterator[Path]:
    """MeshKin's folders for a module, its models too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHKIN_MODELS", str(home / "models"))
        yield home


@pytest.fixture(scope="module")
def models(home: Path) -> dict[str, str]:
    code = (
        "import json, sys; from pathlib import Path; sys.path[:0] = sys.argv[2:];"
        "from helpers import small_diffusion; print(json.dumps(small_diffusion.everything(Path(sys.argv[1]))))"
    )
    core = str(Path(meshkin.__file__).parent.parent)
    python = os.environ["MESHKIN_WORKER_PYTHON"]
    command = [python, "-c", code, str(home / "small"), str(TESTS), core]
    subprocess.run(command, check=True, capture_output=True)
    return {name: str(home / "small" / name) for name in ("base", "depth", "normal", "dinov2")}


@pytest.fixture
def lion() -> Iterator[bpy.types.Object]:
    """A lopsided blob called as artists call things."""
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=3)
    obj = bpy.context.view_layer.objects.active
    obj.name = obj.data.name = "Old_Lion.003"
    points = np.empty(len(obj.data.vertices) * 3, np.float32)
    obj.data.vertices.foreach_get("co", points)
    x, y, z = points.reshape(-1, 3).T
    bumps = 1 + 0.9 * np.exp(-4 * ((x - 1) ** 2 + y**2 + z**2)) + 0.6 * np.exp(-6 * (x**2 + (y - 1) ** 2 + z**2))
    obj.data.vertices.foreach_set("co", np.stack((x * bumps, 0.6 * y * bumps, z * bumps), axis=1).ravel())
    obj.data.polygons.foreach_set("use_smooth", np.ones(len(obj.data.polygons), bool))
    yield obj
    bpy.data.meshes.remove(obj.data)


def options(models: dict[str, str], **more: Any) -> workflow.Options:
    settings = {**models, **SMALL, **more.pop("settings", {})}
    return workflow.Options().changed(
        **{"features": "diff3f", "views": 4, "device": "cpu", "settings": settings, **more}
    )


def features(report: workflow.Report) -> NDArray[np.float32]:
    """Features out of the cache file, by its format alone."""
    content = Path(report.data["features"][0]).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    entry = json.loads(content[8 : 8 + length])["features"]
    start, end = entry["data_offsets"]
    values = np.frombuffer(content[8 + length + start : 8 + length + end], np.float16)
    return values.reshape(entry["shape"]).astype(np.float32)


def test_features_and_what_the_model_saw(models: dict[str, str], lion: bpy.types.Object) -> None:
    report = finish(workflow.features([lion], options(models)))
    part = report.data["recipe"]["parts"][0]
    assert part["settings"]["prompt"] == "old lion"
    found = features(report)
    assert found.shape == (len(lion.data.vertices), 96 + 48)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=2e-3)
    pictures = sorted(path.name for path in cache_folder().glob("painted/*/*.png"))
    assert pictures == ["000.png", "001.png", "002.png", "003.png"]
    assert not list(cache_folder().glob("partial/*"))
    again = finish(workflow.features([lion], options(models)))
    assert again.data["features"] == report.data["features"]
    other = finish(workflow.features([lion], options(models, prompt="zebra")))
    assert other.data["features"] != report.data["features"]
    finish(workflow.clear_cache())
    assert not list(cache_folder().glob("painted/*/*.png"))


@pytest.mark.parametrize("profile", ["fast", "reference"])
def test_both_ways_to_render_give_the_same_features(
    profile: str, models: dict[str, str], lion: bpy.types.Object
) -> None:
    paths = passes.available_renderers()
    assert len(paths) == (2 if bpy.app.version >= (5, 2) else 1)
    found = []
    for path in paths:
        finish(workflow.clear_cache())
        found.append(features(finish(workflow.features([lion], options(models, profile=profile, render_path=path)))))
    for other in found[1:]:
        assert (np.linalg.norm(found[0] - other, axis=1) < 1e-3 * np.linalg.norm(other, axis=1)).all()


@pytest.mark.parametrize("path", passes.available_renderers())
def test_passes_of_the_reference_cameras(path: str, models: dict[str, str], lion: bpy.types.Object) -> None:
    recipe = Recipe("", ViewPlacement("grid", 9, distance=0.65, angle=90.0), 96, ())
    snapshot = snapshots.take(lion)
    views = of_recipe(snapshot, recipe)
    seen = finish(passes.render(snapshot, views, path))
    assert seen.face is not None
    for view in range(len(views)):
        rows, columns = np.nonzero(seen.face[view] >= 0)
        assert len(rows) > 500
        triangles = snapshot.vertices.astype(np.float64)[snapshot.faces[seen.face[view][rows, columns]]]
        corners = np.stack([views.to_camera(view, triangles[:, corner]) for corner in range(3)], axis=1)
        # The ray through the pixel's center meets the plane of the triangle at the depth that the pass tells.
        plane = np.stack(((columns + 0.5) / 96 - 0.5, 0.5 - (rows + 0.5) / 96), axis=1) / views.zoom[view]
        ray = np.column_stack((plane, -np.ones(len(plane))))
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        slope = (normal * ray).sum(axis=1)
        depth = (normal * corners[:, 0]).sum(axis=1) / slope
        square = np.abs(slope) / np.linalg.norm(normal, axis=1) / np.linalg.norm(ray, axis=1) > 0.2
        np.testing.assert_allclose(seen.depth[view][rows, columns][square], depth[square], rtol=2e-3)


def test_a_cancelled_job_goes_on_where_it_was(models: dict[str, str], lion: bpy.types.Object) -> None:
    finish(workflow.clear_cache())
    whole = features(finish(workflow.features([lion], options(models, seed=7, views=8))))
    finish(workflow.clear_cache())
    job = workflow.features([lion], options(models, seed=7, views=8))
    for _ in job:
        if list(cache_folder().glob("partial/*/*.safetensors")):  # cancelled when the first of eight views is kept
            break
    job.close()
    wait_for(client.running, "it did not stop after the step it was at, with its models kept")
    kept = {path: path.stat().st_mtime_ns for path in cache_folder().glob("partial/*/*.safetensors")}
    assert 1 <= len(kept) < 8
    stages = []
    resumed = finish(workflow.features([lion], options(models, seed=7, views=8)), lambda one: stages.append(one.stage))
    assert "Taking up views done before" in stages
    assert np.abs(features(resumed) - whole).max() < 1e-3 * np.abs(whole).max()
    assert not list(cache_folder().glob("partial/*"))


@pytest.mark.parametrize(
    ("more", "kind", "code"),
    [
        ({"settings": {"steps": 0}}, InputError, "features-option"),
        ({"settings": {"taps": {"up7": 1}}}, InputError, "features-option"),
        ({"settings": {"color": 1}}, InputError, "features-option"),
        ({"device": "cuda:63"}, InputError, "device-missing"),
        ({"profile": "slow"}, InputError, "features-option"),
        ({"settings": {"base": "nobody/nothing"}}, ModelError, "model-missing"),
        ({"features": "geometric", "profile": "fast"}, InputError, "features-option"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_rendered(
    more: dict[str, Any], kind: type[MeshKinError], code: str, models: dict[str, str], lion: bpy.types.Object
) -> None:
    stages = []
    with pytest.raises(kind) as caught:
        finish(workflow.features([lion], options(models, **more)), lambda one: stages.append(one.stage))
    assert caught.value.code == code
    assert "Rendering views" not in stages


def test_models_that_do_not_fit_are_found_before_anything_is_rendered(
    models: dict[str, str], lion: bpy.types.Object, tmp_path: Path
) -> None:
    """A wrong architecture, which only loading shows; a file that was cut short."""
    copy = tmp_path / "copy"
    shutil.copytree(models["depth"], copy)
    config, weights = copy / "config.json", copy / "diffusion_pytorch_model.safetensors"
    right = config.read_text()
    config.write_text(json.dumps({**json.loads(right), "layers_per_block": 3}))
    for code in ("model-wrong", "model-damaged"):
        told: list[Progress] = []
        job = workflow.features([lion], options(models, settings={"depth": str(copy)}))
        with pytest.raises(ModelError) as caught:
            finish(job, told.append)
        assert (caught.value.code, str(copy) in caught.value.message) == (code, True)
        assert "Rendering views" not in [progress.stage for progress in told]
        config.write_text(right)
        weights.write_bytes(weights.read_bytes()[:-10])


def test_a_damaged_model_is_named_by_the_doctor(
    home: Path, models: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = home / "models" / "lllyasviel--control_v11f1p_sd15_depth"
    shutil.copytree(models["depth"], folder)
    try:
        for size, whole in ((0, True), (-10, False)):
            file = folder / "diffusion_pytorch_model.safetensors"
            os.truncate(file, file.stat().st_size + size)
            (check,) = [one for one in finish(doctor.examine()) if one.name.endswith("sd15_depth")]
            assert (check.ok, bool(check.fix)) == (whole, not whole)
            capfd.readouterr()
            assert cli.main(["models", "list"]) == 0
            (line,) = [line for line in capfd.readouterr().out.splitlines() if "sd15_depth" in line]
            assert ("damaged" in line) is not whole
    finally:
        shutil.rmtree(folder)


def test_without_models_it_says_how_to_get_them(lion: bpy.types.Object) -> None:
    with pytest.raises(ModelError, match="meshkin models get diff3f"):
        finish(workflow.features([lion], workflow.Options(workflow.FeatureOptions("diff3f"))))


def test_names_become_words() -> None:
    named = {
        "Old_Lion.003": "old lion",
        "Cube.001": "object",
        "HighPolyWolf": "wolf",
        "fox-fox": "fox",
        "": "object",
        "Ëlan 2": "ëlan",
    }
    assert {name: words_of(name) for name in named} == named


def test_progress_is_told_at_each_step(models: dict[str, str], lion: bpy.types.Object) -> None:
    told: list[Progress] = []
    chosen = options(models, seed=11, views=1, settings={"steps": 12})
    finish(workflow.features([lion], chosen), told.append)
    assert len({one.fraction for one in told if one.stage == "Painting views"}) >= 3


# What the model painted, shown -----------------------------------------------------------------------------------


def pixels(image: bpy.types.Image) -> NDArray[np.float32]:
    """Its colors, row 0 at the top."""
    width, height = image.size
    return np.array(image.pixels, np.float32).reshape(height, width, 4)[::-1, :, :3]


def tile(sheet: NDArray[np.float32], view: int) -> NDArray[np.float32]:
    row, column = divmod(view, sheet.shape[1] // 256)
    return sheet[row * 256 : row * 256 + 256, column * 256 : column * 256 + 256]


def test_the_contact_sheet_shows_what_was_painted(
    models: dict[str, str], lion: bpy.types.Object, tmp_path: Path
) -> None:
    finish(workflow.clear_cache())
    chosen = options(models, pictures=str(tmp_path / "all"))
    finish(workflow.features([lion], options(models)))
    for path in cache_folder().glob("painted/*/*.png"):
        path.unlink()  # as where the cache is short of room: they are painted again
    report = finish(workflow.pictures([lion], chosen))
    assert "4 of 4 views are used, 4 of them shown as Diff3F painted them" in report.lines()[1]
    assert (report.data["views"], report.data["used"]) == ({lion.name: 4}, {lion.name: 4})
    sheet = bpy.data.images[report.data["images"][lion.name]]
    assert tuple(sheet.size) == (3 * 256, 2 * 256)
    whole = pixels(sheet)
    painted = {path.stem: path for path in cache_folder().glob("painted/*/*.png")}
    assert sorted(painted) == ["000", "001", "002", "003"]
    for view in range(4):
        picture = pixels(bpy.data.images.load(str(painted[f"{view:03d}"])))
        kept = pixels(bpy.data.images.load(str(tmp_path / "all" / lion.name / f"seen_{view:03d}.png")))
        np.testing.assert_array_equal(kept, picture)
        shown = tile(whole, view).reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
        inner = np.s_[12:-2, 2:-2]  # without the number and the frame
        assert np.abs(shown - picture)[inner].mean() < 0.02
    assert np.abs(tile(whole, 0) - tile(whole, 1)).mean() > 0.02

    fewer = options(models, pictures=str(tmp_path / "fewer"), without=(2,))
    report = finish(workflow.pictures([lion], fewer))
    assert (report.data["views"], report.data["used"]) == ({lion.name: 4}, {lion.name: 3})
    crossed = pixels(bpy.data.images[report.data["images"][lion.name]])
    for view in (0, 1, 3):  # its noise belongs to the view: what is left is painted as before
        assert np.abs(tile(crossed, view) - tile(whole, view)).max() < 0.03
    assert tile(crossed, 2).mean() < 0.7 * tile(whole, 2).mean()  # dark, with a cross
    names = sorted(path.name for path in (tmp_path / "fewer" / lion.name).iterdir())
    assert names == ["seen_000.png", "seen_001.png", "seen_003.png"]


# A photo and a mesh by SD+DINO -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["noised", "clean"])
def test_a_photo_is_matched_by_what_diffusion_sees(
    form: str, models: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    obj = painted_egg(4)
    snapshot, picture, face, place = photograph_of(obj, tmp_path, size=128)
    write_png(tmp_path / "photo.png", picture)
    write_png(tmp_path / "mask.png", np.repeat(np.uint8(255) * (face >= 0)[..., None], 3, axis=-1))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "egg.blend"), copy=True)
    settings = {"base": models["base"], "dinov2": models["dinov2"], "dino_resolution": 70, "form": form}
    settings |= {"taps": '{"s2": 1, "s3": 1}', "step": 2}  # a random network does not see through more noise
    if form == "clean":
        settings["unet"] = str(Path(models["base"]) / "unet")
    arguments = ["match", str(tmp_path / "photo.png"), f"{tmp_path}/egg.blend:egg", "--features", "sd_dino"]
    arguments += ["--photo-mask", str(tmp_path / "mask.png"), "--views", "6", "--resolution", "128"]
    arguments += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    capfd.readouterr()
    status = cli.main([*arguments, "--device", "cpu", "--json", "--output", str(tmp_path / "map.npz")])
    told = json.loads(capfd.readouterr().out)
    assert (status, told["ok"]) == (0, True)
    found = PhotoMap.load(tmp_path / "map.npz")
    np.testing.assert_array_equal(found.mask, face >= 0)
    assert found.face[found.mask].min() >= 0
    assert 0 < found.confidence[found.mask].mean() <= 1
    assert median_error(found, snapshot, face, place) < 0.2  # a chance answer is off by 0.4


def test_what_is_painted_cannot_be_compared_with_a_photo(models: dict[str, str], tmp_path: Path) -> None:
    write_png(tmp_path / "photo.png", np.full((60, 80, 3), 128, np.uint8))
    with pytest.raises(InputError) as caught:
        finish(workflow.match_photo(tmp_path / "photo.png", painted_egg(), options(models)))
    assert caught.value.code == "photo-features"


# Last, since it stops the worker ---------------------------------------------------------------------------------


def test_models_are_released_when_told_and_when_idle(
    models: dict[str, str], lion: bpy.types.Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(workflow.features([lion], options(models)))
    worker = client.shared()
    assert "released" in finish(workflow.release_memory()).title
    assert not worker.alive
    assert "No worker" in finish(workflow.release_memory()).title
    monkeypatch.setenv("MESHKIN_IDLE_SECONDS", "5")
    idle = client.shared()
    finish(idle.run(LookAtCache()))
    wait_for(lambda: not idle.alive, "the idle worker did not end")
    monkeypatch.delenv("MESHKIN_IDLE_SECONDS")
    finish(workflow.features([lion], options(models)))  # and another comes to work
    client.stop()
