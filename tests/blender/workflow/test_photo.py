"""A photograph matched to an object, from end to end: truth made by rendering, real models where they are at hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.photographs import median_error, painted_egg, photograph_of
from helpers.places import DATA
from meshkin import cli, workflow
from meshkin.base.errors import InputError
from meshkin.base.png import write_png
from meshkin.base.progress import finish
from meshkin.data.photo_map import PhotoMap
from meshkin.data.views import frame, ring_directions
from meshkin.scene import files
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.render import passes, surface_colors
from meshkin.worker import client


@pytest.fixture(scope="module")
def options(small_model: str) -> workflow.Options:
    """A small model on few and small pictures."""
    return workflow.Options().changed(
        features="dinov2", model=small_model, layers=(1,), views=8, resolution=224, device="cpu"
    )


@pytest.mark.slow
def test_a_photo_with_a_mask(options: workflow.Options, tmp_path: Path) -> None:
    obj = painted_egg()
    snapshot, picture, face, place = photograph_of(obj, tmp_path)
    write_png(tmp_path / "photo.png", picture)
    write_png(tmp_path / "mask.png", np.repeat(np.uint8(255) * (face >= 0)[..., None], 3, axis=-1))
    saved = options.changed(pictures=str(tmp_path / "kept"))
    report = finish(workflow.match_photo(tmp_path / "photo.png", obj, saved, str(tmp_path / "mask.png")))
    found = PhotoMap.load(Path(report.data["map"]))
    np.testing.assert_array_equal(found.mask, face >= 0)
    np.testing.assert_array_equal(found.photo, picture)
    assert (found.face[~found.mask] == -1).all()
    assert found.face.max() < len(snapshot.faces)
    np.testing.assert_allclose(found.barycentric[found.mask].sum(axis=1), 1, atol=1e-5)
    assert (found.barycentric >= 0).all()
    assert 0 < found.confidence[found.mask].mean() <= 1
    assert median_error(found, snapshot, face, place) < 0.06
    image = bpy.data.images[report.data["image"]]
    assert tuple(image.size) == (320, 240)
    assert image.packed_file
    assert (tmp_path / "kept" / "photo on egg.png").stat().st_size > 1000
    again = finish(workflow.match_photo(tmp_path / "photo.png", obj, options, str(tmp_path / "mask.png")))
    assert again.data["map"] == report.data["map"]
    assert any("shows the object from" in detail for detail in report.details)
    flipped = options.changed(flip=True)
    other = finish(workflow.match_photo(tmp_path / "photo.png", obj, flipped, str(tmp_path / "mask.png")))
    other_side = PhotoMap.load(Path(other.data["map"]))
    np.testing.assert_allclose(other_side.poses, found.poses[::-1])
    assert found.poses[0, 4] > found.poses[1, 4]
    assert (other_side.face != found.face).mean() > 0.1 * found.mask.mean()


def gray(path: Path, height: int, width: int) -> Path:
    write_png(path, np.full((height, width, 3), 128, np.uint8))
    return path


def black(path: Path, height: int, width: int) -> str:
    write_png(path, np.zeros((height, width, 3), np.uint8))
    return str(path)


def text(path: Path) -> Path:
    path.write_text("no picture")
    return path


@pytest.mark.parametrize(
    ("photo", "mask", "code"),
    [
        (lambda folder: folder / "nowhere.png", lambda folder: "", "photo-missing"),
        (lambda folder: text(folder / "text.png"), lambda folder: "", "photo-unreadable"),
        (lambda folder: gray(folder / "pixel.png", 1, 1), lambda folder: "", "photo-small"),
        (
            lambda folder: gray(folder / "photo.png", 60, 80),
            lambda folder: black(folder / "m.png", 60, 80),
            "mask-empty",
        ),
        (
            lambda folder: gray(folder / "photo.png", 60, 80),
            lambda folder: black(folder / "m.png", 60, 20),
            "mask-differs",
        ),
        (
            lambda folder: gray(folder / "photo.png", 60, 80),
            lambda folder: str(folder / "nowhere.png"),
            "photo-missing",
        ),
    ],
    ids=["nowhere", "text", "pixel", "black mask", "other mask", "no mask"],
)
def test_bad_input_is_refused_before_anything_is_computed(
    photo: Callable[[Path], Path],
    mask: Callable[[Path], str],
    code: str,
    options: workflow.Options,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passes, "render", lambda *_: pytest.fail("a view was rendered"))
    assert refusal(photo(tmp_path), options, mask(tmp_path)) == code


def test_a_photo_cannot_be_compared_by_shape_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "render", lambda *_: pytest.fail("a view was rendered"))
    geometric = workflow.Options(workflow.FeatureOptions("geometric"))
    assert refusal(gray(tmp_path / "photo.png", 60, 80), geometric) == "photo-features"


def refusal(photo: Path, options: workflow.Options, mask: str = "") -> str:
    """The code of the error that refuses a photograph. Nothing is changed."""
    obj = painted_egg()
    images, attributes = len(bpy.data.images), len(obj.data.attributes)
    with pytest.raises(InputError) as caught:
        finish(workflow.match_photo(photo, obj, options, mask))
    assert caught.value.fix
    assert (len(bpy.data.images), len(obj.data.attributes)) == (images, attributes)
    return caught.value.code


@pytest.mark.slow
def test_the_command(options: workflow.Options, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    obj = painted_egg()
    _, picture, face, _ = photograph_of(obj, tmp_path)
    clear = bpy.data.images.new("clear", picture.shape[1], picture.shape[0], alpha=True)
    pixels = np.dstack((picture / 255, face >= 0))[::-1].astype(np.float32)
    clear.pixels.foreach_set(pixels.ravel())
    clear.filepath_raw, clear.file_format = str(tmp_path / "photo.png"), "PNG"
    clear.save()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "egg.blend"), copy=True)
    capfd.readouterr()
    arguments = ["match", str(tmp_path / "photo.png"), f"{tmp_path}/egg.blend:egg", "--features", "dinov2"]
    arguments += ["--model", options.features.model, "--layers", "1", "--views", "4", "--resolution", "112"]
    status = cli.main([*arguments, "--json", "--output", str(tmp_path / "map.npz")])
    told = json.loads(capfd.readouterr().out)
    assert (status, told["ok"]) == (0, True)
    found = PhotoMap.load(tmp_path / "map.npz")
    assert (found.mask == (face >= 0)).mean() > 0.995


@pytest.mark.slow
def test_a_real_character_before_a_real_background_without_a_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the models at hand: found, cut out, and matched."""
    character, models = DATA / "characters" / "mesh2motion" / "kaiju-t-rex.glb", DATA / "models"
    if not character.exists() or not models.exists():
        pytest.skip(f"there are no characters or models in {DATA}")
    obj = files.load(character)
    snapshot, picture, face, place = photograph_of(obj, tmp_path, size=320)
    write_png(tmp_path / "photo.png", picture)
    monkeypatch.setenv("MESHKIN_MODELS", str(models))
    client.stop()  # the next one knows the models
    options = workflow.Options().changed(views=16, device="cpu")
    report = finish(workflow.match_photo(tmp_path / "photo.png", obj, options))
    found = PhotoMap.load(Path(report.data["map"]))
    truth = face >= 0
    assert (found.mask & truth).sum() / (found.mask | truth).sum() > 0.7
    assert median_error(found, snapshot, face, place) < 0.04


# What the models see


def test_contact_sheets_and_views_left_out(options: workflow.Options, tmp_path: Path) -> None:
    obj = painted_egg()
    report = finish(workflow.pictures([obj], options))
    image = bpy.data.images[report.data["images"]["egg"]]
    assert tuple(image.size) == (4 * 256, 2 * 256)
    assert (report.data["views"], report.data["used"]) == ({"egg": 8}, {"egg": 8})
    fewer = options.changed(without=(2, 5), pictures=str(tmp_path))
    report = finish(workflow.pictures([obj], fewer))
    assert report.data["used"] == {"egg": 6}
    crossed = bpy.data.images[report.data["images"]["egg"]]
    one, two = (np.array(each.pixels).reshape(512, 1024, 4)[::-1, :, :3] for each in (image, crossed))
    changed = [
        bool(np.abs(one - two)[row * 256 : row * 256 + 256, column * 256 : column * 256 + 256].max() > 0.01)
        for row in range(2)
        for column in range(4)
    ]
    assert changed == [view in (2, 5) for view in range(8)]
    kept = sorted(file.name for file in (tmp_path / "egg").iterdir())
    assert kept == [f"seen_{view:03d}.png" for view in range(8) if view not in (2, 5)]
    assert (tmp_path / "egg views.png").stat().st_size > 1000
    full, less = (Path(finish(workflow.features([obj], one)).data["features"][0]).name for one in (options, fewer))
    assert full != less
    with pytest.raises(InputError):
        finish(workflow.pictures([obj], options.changed(without=(8,))))
    with pytest.raises(InputError):
        finish(workflow.pictures([obj], options.changed(without=tuple(range(8)))))
    with pytest.raises(InputError) as caught:
        finish(workflow.pictures([obj], workflow.Options(workflow.FeatureOptions("geometric"))))
    assert caught.value.code == "pictures-none"


def test_contact_sheets_of_two_objects_count_each(options: workflow.Options) -> None:
    one, two = painted_egg(), painted_egg()
    two.name = "other"
    report = finish(workflow.pictures([one, two], options.changed(without=(1,))))
    assert list(report.data["images"]) == ["egg", "other"]
    assert report.data["views"] == {"egg": 8, "other": 8}
    assert report.data["used"] == {"egg": 7, "other": 7}
    assert report.data["painted"] == {"egg": 0, "other": 0}
    assert [detail.partition(":")[0] for detail in report.details] == ["“egg”", "“other”"]


def test_pictures_on_the_command_line(
    options: workflow.Options, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    painted_egg()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "egg.blend"), copy=True)
    capfd.readouterr()
    arguments = ["pictures", f"{tmp_path}/egg.blend:egg", "--features", "dinov2", "--model", options.features.model]
    arguments += ["--views", "4", "--resolution", "112", "--without", "1", "--style", "textured", "--json"]
    assert cli.main([*arguments, "--output", str(tmp_path / "sheet.png")]) == 0
    assert json.loads(capfd.readouterr().out)["used"] == 3
    assert (tmp_path / "sheet.png").read_bytes()[1:4] == b"PNG"


# The photo as a texture


@pytest.mark.parametrize("on_palette", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_photo_becomes_the_texture(options: workflow.Options, tmp_path: Path, on_palette: bool) -> None:
    """What the photo shows has its colors there; the rest is filled; every texel says where it is from; a mesh without
    a UV map of use gets one."""
    obj = painted_egg()
    while obj.data.uv_layers:
        obj.data.uv_layers.remove(obj.data.uv_layers[0])
    if on_palette:
        layer = obj.data.uv_layers.new(name="Palette")
        layer.uv.foreach_set("vector", np.full(2 * len(layer.uv), 0.3, np.float32))
    snapshot, picture, face, _ = photograph_of(obj, tmp_path)
    write_png(tmp_path / "photo.png", picture)
    write_png(tmp_path / "mask.png", np.repeat(np.uint8(255) * (face >= 0)[..., None], 3, axis=-1))
    chosen = options.changed(texture_size=256)
    slots = [slot.name for slot in obj.material_slots]
    report = finish(workflow.texture_photo(tmp_path / "photo.png", obj, chosen, str(tmp_path / "mask.png")))
    assert [slot.name for slot in obj.material_slots][:-1] == slots
    assert [layer.name for layer in obj.data.uv_layers][-1] == "MeshKin"
    assert [layer.name for layer in obj.data.uv_layers if layer.active_render] == ["MeshKin"]
    told = "made another one" if on_palette else "had no UV map"
    assert any(told in line for line in report.lines())
    texture, origin = (bpy.data.images[report.data[name]] for name in ("texture", "image"))
    assert tuple(texture.size) == tuple(origin.size) == (256, 256)
    pixels, shares = (np.array(one.pixels).reshape(256, 256, 4) for one in (texture, origin))
    covered = shares[..., :3].sum(axis=-1) > 0
    np.testing.assert_allclose(shares[covered][:, :3].sum(axis=1), 1, atol=0.02)
    assert (pixels[covered][:, 3] == 1).all()
    assert 0.25 < report.data["shares"][0] < 0.7
    assert report.data["overlap"] < 0.05
    views = frame(snapshot.vertices, ring_directions([(15, 1)]), 128)
    now = snapshots.take(obj)
    found = finish(passes.render(now, views, "auto", surface_colors.read(obj, now)))
    obj.data.polygons.foreach_set("material_index", np.zeros(len(obj.data.polygons), np.int32))
    before = finish(passes.render(now, views, "auto", surface_colors.read(obj, snapshots.take(obj))))
    assert found.color is not None
    assert before.color is not None
    seen = np.isfinite(found.depth[0])
    away = np.abs(found.color[0].astype(float) - before.color[0])[seen].mean(axis=-1)
    assert np.median(away) < 60  # lit from the side in the photo
