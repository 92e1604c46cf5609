"""A photograph matched to an object, from end to end: truth made by rendering, real models where they are at hand."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from meshkin import cli, workflow
from meshkin.errors import InputError
from meshkin.photo_map import PhotoMap
from meshkin.progress import finish
from meshkin.scene import compat, files, passes, surface_colours
from meshkin.scene import snapshot as snapshots
from meshkin.snapshot import Snapshot
from meshkin.views import frame, ring_directions
from meshkin.worker import client

DATA = Path(os.environ.get("MESHKIN_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="module")
def options(small_model: str) -> workflow.Options:
    """A small model on few and small pictures."""
    return workflow.Options("dinov2", model=small_model, layers=(1,), views=8, resolution=224, device="cpu")


def egg(subdivisions: int = 4) -> bpy.types.Object:
    """A lopsided egg painted with its own place: every point has a colour of its own."""
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=subdivisions)
    obj = bpy.context.view_layer.objects.active
    obj.name = "egg"
    points = np.empty(3 * len(obj.data.vertices), np.float32)
    obj.data.vertices.foreach_get("co", points)
    places = points.reshape(-1, 3)
    places *= 1 + 0.3 * np.clip(places[:, :1], 0, None) + 0.2 * np.clip(places[:, 2:], 0, None)
    obj.data.vertices.foreach_set("co", places.ravel())
    colours = np.ones((len(places), 4), np.float32)
    colours[:, :3] = 0.5 + 0.5 * np.sin(4 * places)
    obj.data.color_attributes.new("paint", "FLOAT_COLOR", "POINT").data.foreach_set("color", colours.ravel())
    material = bpy.data.materials.new("paint")
    tree = compat.node_tree(material)
    node = tree.nodes.new("ShaderNodeVertexColor")
    node.layer_name = "paint"
    shader = next(one for one in tree.nodes if one.type == "BSDF_PRINCIPLED")
    tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
    obj.data.materials.append(material)
    return obj


def taken(
    obj: bpy.types.Object, folder: Path, azimuth: float = 25, size: int = 200
) -> tuple[Snapshot, NDArray[np.uint8], NDArray[np.int32], NDArray[np.float64]]:
    """A picture of an object before a background: colours, and the face and the point that each pixel shows."""
    snapshot = snapshots.take(obj)
    turn = np.radians(azimuth)
    x, y, z = ring_directions([(15, 1)])[0]
    direction = np.array((x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn), z))
    views = frame(snapshot.vertices[np.unique(snapshot.faces)], direction[None], size)
    found = finish(passes.render(snapshot, views, "auto", surface_colours.read(obj, snapshot)))
    assert found.face is not None
    assert found.colour is not None
    weights = views.barycentric(0, snapshot.vertices[snapshot.faces], found.face[0])
    seen = found.face[0] >= 0
    points = np.zeros((size, size, 3))
    points[seen] = np.einsum("pk,pkd->pd", weights, snapshot.vertices[snapshot.faces[found.face[0][seen]]])
    shade = 0.55 + 0.45 * np.clip(found.normal[0].astype(np.float32) @ (0.6, 0.5, 0.62), 0, 1)  # a lamp at the side
    lit = found.colour[0] * shade[..., None]
    wide = (size + 40, size + 120)
    rows, columns = np.mgrid[: wide[0], : wide[1]]
    picture = np.stack((90 + rows * 0.4, 120 + columns * 0.2, 160 - rows * 0.3), axis=-1)
    face, place = np.full(wide, -1, np.int32), np.zeros((*wide, 3))
    inner = (slice(25, 25 + size), slice(80, 80 + size))
    picture[inner][seen] = lit[seen]
    face[inner], place[inner] = found.face[0], points
    return snapshot, picture.clip(0, 255).astype(np.uint8), face, place


def error(found: PhotoMap, snapshot: Snapshot, face: NDArray[np.int32], place: NDArray[np.float64]) -> float:
    """Median distance to the truth over the pixels that both have, in diagonals of the bounding box."""
    both = found.mask & (face >= 0)
    points = np.zeros((*found.mask.shape, 3))
    points[found.mask] = found.pull(snapshot.vertices)
    away = np.linalg.norm(points - place, axis=-1)[both]
    return float(np.median(away) / np.linalg.norm(np.ptp(snapshot.vertices, axis=0)))


def test_a_photo_with_a_mask(options: workflow.Options, tmp_path: Path) -> None:
    obj = egg()
    snapshot, picture, face, place = taken(obj, tmp_path)
    passes.write_png(tmp_path / "photo.png", picture)
    passes.write_png(tmp_path / "mask.png", np.repeat(np.uint8(255) * (face >= 0)[..., None], 3, axis=-1))
    saved = dataclasses.replace(options, pictures=str(tmp_path / "kept"))
    report = finish(workflow.match_photo(tmp_path / "photo.png", obj, saved, str(tmp_path / "mask.png")))
    found = PhotoMap.load(Path(report.data["map"]))
    np.testing.assert_array_equal(found.mask, face >= 0)
    np.testing.assert_array_equal(found.photo, picture)
    assert (found.face[~found.mask] == -1).all()
    assert found.face.max() < len(snapshot.faces)
    np.testing.assert_allclose(found.barycentric[found.mask].sum(axis=1), 1, atol=1e-5)
    assert (found.barycentric >= 0).all()
    assert 0 < found.confidence[found.mask].mean() <= 1
    assert error(found, snapshot, face, place) < 0.06
    image = bpy.data.images[report.data["image"]]
    assert tuple(image.size) == (320, 240)
    assert image.packed_file
    assert (tmp_path / "kept" / "photo on egg.png").stat().st_size > 1000
    again = finish(workflow.match_photo(tmp_path / "photo.png", obj, options, str(tmp_path / "mask.png")))
    assert again.data["map"] == report.data["map"]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("nowhere", "photo-missing"),
        ("text", "photo-unreadable"),
        ("pixel", "photo-small"),
        ("black mask", "mask-empty"),
        ("other mask", "mask-differs"),
        ("no mask", "photo-missing"),
        ("geometric", "photo-features"),
    ],
)
def test_bad_input_is_refused_before_anything_is_computed(
    options: workflow.Options, tmp_path: Path, kind: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    obj = egg()
    photo, mask = tmp_path / "photo.png", ""
    passes.write_png(photo, np.full((60, 80, 3), 128, np.uint8))
    if kind == "nowhere":
        photo.unlink()
    elif kind == "text":
        photo.write_text("no picture")
    elif kind == "pixel":
        passes.write_png(photo, np.zeros((1, 1, 3), np.uint8))
    elif kind.endswith("mask"):
        mask = str(tmp_path / "mask.png")
        if kind != "no mask":
            passes.write_png(Path(mask), np.zeros((60, 80 if kind == "black mask" else 20, 3), np.uint8))
    chosen = workflow.Options("geometric") if kind == "geometric" else options
    monkeypatch.setattr(passes, "render", lambda *_: pytest.fail("a view was rendered"))
    images, attributes = len(bpy.data.images), len(obj.data.attributes)
    with pytest.raises(InputError) as caught:
        finish(workflow.match_photo(photo, obj, chosen, mask))
    assert caught.value.code == code
    assert caught.value.fix
    assert (len(bpy.data.images), len(obj.data.attributes)) == (images, attributes)


def test_the_command(options: workflow.Options, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    obj = egg()
    _, picture, face, _ = taken(obj, tmp_path)
    clear = bpy.data.images.new("clear", picture.shape[1], picture.shape[0], alpha=True)
    pixels = np.dstack((picture / 255, face >= 0))[::-1].astype(np.float32)
    clear.pixels.foreach_set(pixels.ravel())
    clear.filepath_raw, clear.file_format = str(tmp_path / "photo.png"), "PNG"
    clear.save()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "egg.blend"), copy=True)
    capfd.readouterr()
    arguments = ["match", str(tmp_path / "photo.png"), f"{tmp_path}/egg.blend:egg", "--features", "dinov2"]
    arguments += ["--model", options.model, "--layers", "1", "--views", "4", "--resolution", "112"]
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
    snapshot, picture, face, place = taken(obj, tmp_path, size=320)
    passes.write_png(tmp_path / "photo.png", picture)
    monkeypatch.setenv("MESHKIN_MODELS", str(models))
    client.stop()  # the next one knows the models
    options = workflow.Options(views=16, device="cpu")
    report = finish(workflow.match_photo(tmp_path / "photo.png", obj, options))
    found = PhotoMap.load(Path(report.data["map"]))
    truth = face >= 0
    assert (found.mask & truth).sum() / (found.mask | truth).sum() > 0.7
    assert error(found, snapshot, face, place) < 0.04


# What the models see


def test_contact_sheets_and_views_left_out(options: workflow.Options, tmp_path: Path) -> None:
    obj = egg()
    report = finish(workflow.pictures([obj], options))
    image = bpy.data.images[report.data["images"]["egg"]]
    assert tuple(image.size) == (4 * 256, 2 * 256)
    assert (report.data["views"], report.data["used"]) == (8, 8)
    fewer = dataclasses.replace(options, without=(2, 5), pictures=str(tmp_path))
    report = finish(workflow.pictures([obj], fewer))
    assert report.data["used"] == 6
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
        finish(workflow.pictures([obj], dataclasses.replace(options, without=(8,))))
    with pytest.raises(InputError):
        finish(workflow.pictures([obj], dataclasses.replace(options, without=tuple(range(8)))))
    with pytest.raises(InputError) as caught:
        finish(workflow.pictures([obj], workflow.Options("geometric")))
    assert caught.value.code == "pictures-none"


def test_pictures_on_the_command_line(
    options: workflow.Options, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    egg()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "egg.blend"), copy=True)
    capfd.readouterr()
    arguments = ["pictures", f"{tmp_path}/egg.blend:egg", "--features", "dinov2", "--model", options.model]
    arguments += ["--views", "4", "--resolution", "112", "--without", "1", "--style", "textured", "--json"]
    assert cli.main([*arguments, "--output", str(tmp_path / "sheet.png")]) == 0
    assert json.loads(capfd.readouterr().out)["used"] == 3
    assert (tmp_path / "sheet.png").read_bytes()[1:4] == b"PNG"


# The photo as a texture


def test_a_photo_becomes_the_texture(options: workflow.Options, tmp_path: Path) -> None:
    """What the photo shows has its colours there; the rest is filled; every texel says where it is from; a mesh without
    a UV map gets one."""
    obj = egg()
    while obj.data.uv_layers:
        obj.data.uv_layers.remove(obj.data.uv_layers[0])
    snapshot, picture, face, _ = taken(obj, tmp_path)
    passes.write_png(tmp_path / "photo.png", picture)
    passes.write_png(tmp_path / "mask.png", np.repeat(np.uint8(255) * (face >= 0)[..., None], 3, axis=-1))
    chosen = dataclasses.replace(options, texture_size=256)
    slots = [slot.name for slot in obj.material_slots]
    report = finish(workflow.texture_photo(tmp_path / "photo.png", obj, chosen, str(tmp_path / "mask.png")))
    assert [slot.name for slot in obj.material_slots][:-1] == slots
    assert [layer.name for layer in obj.data.uv_layers] == ["MeshKin"]
    assert any("had no UV map" in line for line in report.lines())
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
    found = finish(passes.render(now, views, "auto", surface_colours.read(obj, now)))
    obj.data.polygons.foreach_set("material_index", np.zeros(len(obj.data.polygons), np.int32))
    before = finish(passes.render(now, views, "auto", surface_colours.read(obj, snapshots.take(obj))))
    assert found.colour is not None
    assert before.colour is not None
    seen = np.isfinite(found.depth[0])
    away = np.abs(found.colour[0].astype(float) - before.colour[0])[seen].mean(axis=-1)
    assert np.median(away) < 60  # lit from the side in the photo
