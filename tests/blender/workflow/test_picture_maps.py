"""Maps read from photographs, from end to end: Blender's images, the worker, small random models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers import tiny_vision
from helpers.photographs import painted_egg, photograph_of
from meshkin import cli, workflow
from meshkin.base.color import srgb_to_linear
from meshkin.base.errors import MeshKinError
from meshkin.base.png import write_png
from meshkin.base.progress import finish
from meshkin.data.views import frame
from meshkin.models.known import MARIGOLD, folder_of
from meshkin.scene import compat
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.render import passes

SMALL = {"maps_steps": 2, "maps_resolution": 256, "device": "cpu"}


@pytest.fixture(scope="module", autouse=True)
def home(home: Path) -> Iterator[Path]:
    """MeshKin's folders for a module, its models too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHKIN_MODELS", str(home / "models"))
        yield home


@pytest.fixture(scope="module")
def marigold(home: Path) -> dict[str, str]:
    return tiny_vision.save_marigold(home / "small")


@pytest.fixture
def fetched(marigold: dict[str, str]) -> Iterator[None]:
    """The small models in place of the known ones."""
    folders = [folder_of(name) for name in MARIGOLD.values()]
    for kind, folder in zip(MARIGOLD, folders, strict=True):
        shutil.copytree(marigold[kind], folder)
    yield
    for folder in folders:
        shutil.rmtree(folder)


def pixels_of(name: str) -> NDArray[np.float32]:
    image = bpy.data.images[name]
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(image.size[1], image.size[0], -1)[::-1]


def photo_of(folder: Path, obj: bpy.types.Object | None = None) -> tuple[Path, str, NDArray[np.uint8]]:
    """A photograph with its mask, and its pixels."""
    obj = obj or painted_egg()
    _, picture, face, _ = photograph_of(obj, folder)
    write_png(folder / "photo.png", picture)
    write_png(folder / "mask.png", np.repeat(np.uint8(255) * (face >= 0)[..., None], 3, axis=-1))
    return folder / "photo.png", str(folder / "mask.png"), picture


def egg_with_uvs() -> bpy.types.Object:
    obj = painted_egg()
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.uv.smart_project()
    bpy.ops.object.mode_set(mode="OBJECT")
    return obj


def test_a_rendered_sphere_faces_as_marigold_says() -> None:
    """Marigold's frame is x to the right, y up, z toward the camera: the house's."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=32)
    obj = bpy.context.view_layer.objects.active
    obj.data.shade_smooth()
    snapshot = snapshots.take(obj)
    direction = np.array(((0.6, -0.7, 0.39),))
    direction /= np.linalg.norm(direction)
    views = frame(snapshot.vertices, direction, 96)
    rendered = finish(passes.render(snapshot, views))
    normal, seen = rendered.normal[0].astype(np.float32), np.isfinite(rendered.depth[0])
    rows, columns = np.nonzero(seen)
    middle = np.array((rows.mean(), columns.mean()))
    radius = np.ptp(columns) / 2
    right, up = (columns - middle[1]) / radius, (middle[0] - rows) / radius
    away = np.hypot(right, up)
    outer = (away > 0.3) & (away < 0.95)
    x, y, z = normal[seen].T
    sideways = np.hypot(x, y)
    cosine = (x * right + y * up)[outer] / (sideways * away)[outer]
    assert cosine.min() > 0.99  # on the right it faces right, at the top up
    assert z.min() > 0
    assert z[away < 0.1].min() > 0.98
    assert np.corrcoef(sideways[outer], away[outer])[0, 1] > 0.99


@pytest.mark.slow
def test_depth_and_normals_as_images(fetched: None, small_model: str, tmp_path: Path) -> None:
    obj = painted_egg()
    photo, mask, picture = photo_of(tmp_path, obj)
    before = set(bpy.data.images)
    options = workflow.Options().changed(map_names=("normal", "depth"), pictures=str(tmp_path / "kept"), **SMALL)
    report = finish(workflow.picture_maps(photo, options, mask))
    assert list(report.data["images"]) == ["normal", "depth"]
    assert {image.name for image in set(bpy.data.images) - before} == set(report.data["images"].values())
    wanted = {"normal": "marigold-normals", "depth": "marigold-depth"}
    assert report.data["models"] == {name: folder_of(MARIGOLD[kind]).name for name, kind in wanted.items()}
    for name in report.data["images"].values():
        image = bpy.data.images[name]
        assert tuple(image.size) == picture.shape[1::-1]
        assert image.packed_file
        assert image.colorspace_settings.is_data
    vectors = pixels_of("photo normal")[..., :3] * 2 - 1
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1, atol=0.02)
    depth = pixels_of("photo depth")[..., 0]
    assert depth.min() >= 0
    assert depth.max() <= 1
    assert np.unique(depth).size > 1000  # not cut into 256 steps
    again = finish(workflow.picture_maps(photo, options, mask))
    np.testing.assert_array_equal(pixels_of(again.data["images"]["depth"]), pixels_of("photo depth"))
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["photo depth.png", "photo normal.png"]
    described = options.changed(features="dinov2", model=small_model, layers=(1,), views=8, resolution=224)
    fitted = finish(workflow.picture_maps(photo, described, mask, obj))
    assert len(fitted.data["images"]) == 2
    if fit := fitted.data["depth"]:
        found = pixels_of(fitted.data["images"]["depth"])[..., 0]
        np.testing.assert_allclose(found, fit["scale"] * depth + fit["shift"], atol=1e-4 * max(1, fit["scale"]))
    else:  # random weights may see far as near
        assert [each.code for each in fitted.warnings] == ["depth-unfitted"]


@pytest.mark.slow
def test_light_is_taken_out_of_a_photo(fetched: None, tmp_path: Path) -> None:
    photo, mask, picture = photo_of(tmp_path)
    report = finish(workflow.picture_maps(photo, workflow.Options().changed(map_names=("albedo",), **SMALL), mask))
    image = bpy.data.images[report.data["images"]["albedo"]]
    assert image.colorspace_settings.name == "sRGB"
    inside = np.array(pixels_of("photo albedo")[..., :3], np.float64)
    shown = pixels_of(bpy.data.images.load(mask).name)[..., 0] > 0.5
    wanted = srgb_to_linear(picture[shown] / 255.0).mean(axis=0)
    np.testing.assert_allclose(srgb_to_linear(inside[shown]).mean(axis=0), wanted, rtol=0.02, atol=2e-3)
    assert np.abs(inside[shown] - picture[shown] / 255).mean() > 0.02


@pytest.mark.slow
def test_a_photo_as_texture_takes_the_albedo_where_its_model_is_there(
    marigold: dict[str, str], small_model: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    obj = egg_with_uvs()
    photo, mask, _ = photo_of(tmp_path, obj)
    options = workflow.Options().changed(
        features="dinov2", model=small_model, layers=(1,), views=8, resolution=224, texture_size=128, **SMALL
    )
    plain = finish(workflow.texture_photo(photo, obj, options, mask))
    assert plain.data["light_removed"] is False
    assert any(f"meshkin models get {MARIGOLD['marigold-intrinsics']}" in line for line in plain.details)
    obj = egg_with_uvs()  # anew: a texture changes what is matched
    images, slots = len(bpy.data.images), len(obj.material_slots)
    with pytest.raises(MeshKinError) as caught:
        finish(workflow.texture_photo(photo, obj, options.changed(photo_surface=True), mask))
    assert caught.value.code == "model-missing"
    assert (len(bpy.data.images), len(obj.material_slots)) == (images, slots)
    request.getfixturevalue("fetched")
    lit = finish(workflow.texture_photo(photo, obj, options.changed(photo_surface=True), mask))
    assert lit.data["light_removed"] is True
    assert any(f"taken out by {folder_of(MARIGOLD['marigold-intrinsics']).name}" in line for line in lit.details)
    assert np.abs(pixels_of(lit.data["texture"]) - pixels_of(plain.data["texture"])).mean() > 0.01
    nodes = compat.node_tree(obj.material_slots[-1].material).nodes
    (shader,) = (node for node in nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    for channel in ("Roughness", "Metallic"):
        (link,) = shader.inputs[channel].links
        assert link.from_node.image.colorspace_settings.is_data
        assert link.from_node.image.packed_file
        assert 0 < pixels_of(link.from_node.image.name)[..., 0].max() <= 1
    off = finish(workflow.texture_photo(photo, egg_with_uvs(), options.changed(remove_light=False), mask))
    assert off.data["light_removed"] is False
    np.testing.assert_allclose(pixels_of(off.data["texture"]), pixels_of(plain.data["texture"]), atol=1e-6)


def text(path: Path) -> Path:
    path.write_text("no picture")
    return path


def gray(path: Path, height: int, width: int, channels: int = 3) -> Path:
    pixels = np.full((height, width, channels), 128, np.uint8)
    if channels == 4:
        pixels[..., 3] = 0
    write_png(path, pixels)
    return path


@pytest.mark.parametrize(
    ("photo", "mask", "code"),
    [
        (lambda folder: folder / "nowhere.png", lambda folder: "", "photo-missing"),
        (lambda folder: text(folder / "text.png"), lambda folder: "", "photo-unreadable"),
        (lambda folder: gray(folder / "pixel.png", 1, 1), lambda folder: "", "photo-small"),
        (lambda folder: gray(folder / "line.png", 16, 4096), lambda folder: "", "photo-small"),
        (lambda folder: gray(folder / "alpha.png", 60, 80, 4), lambda folder: "", "mask-empty"),
        (
            lambda folder: gray(folder / "photo.png", 60, 80),
            lambda folder: str(gray(folder / "mask.png", 60, 20)),
            "mask-differs",
        ),
        (lambda folder: gray(folder / "photo.png", 60, 80), lambda folder: "", "model-missing"),
    ],
    ids=["nowhere", "text", "pixel", "line", "alpha only", "other mask", "no model"],
)
def test_what_cannot_be_read_is_refused(
    photo: Callable[[Path], Path], mask: Callable[[Path], str], code: str, tmp_path: Path
) -> None:
    images = len(bpy.data.images)
    with pytest.raises(MeshKinError) as caught:
        finish(workflow.picture_maps(photo(tmp_path), workflow.Options().changed(**SMALL), mask(tmp_path)))
    assert caught.value.code == code
    assert caught.value.fix
    assert len(bpy.data.images) == images


def test_a_model_of_another_role(small_model: str, tmp_path: Path) -> None:
    options = workflow.Options().changed(maps_model=small_model, **SMALL)
    with pytest.raises(MeshKinError, match="dinov2") as caught:
        finish(workflow.picture_maps(gray(tmp_path / "photo.png", 60, 80), options))
    assert caught.value.code == "model-wrong"


@pytest.mark.slow
def test_the_command(fetched: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    photo, mask, picture = photo_of(tmp_path)
    capfd.readouterr()
    arguments = ["picture", "maps", str(photo), "--photo-mask", mask, "--what", "albedo,depth,roughness,metallic"]
    arguments += ["--steps", "2", "--resolution", "256", "--device", "cpu", "--seed", "3", "--json"]
    assert cli.main([*arguments, "--output", str(tmp_path / "maps")]) == 0
    told = json.loads(capfd.readouterr().out)
    assert list(told["images"]) == ["albedo", "depth", "roughness", "metallic"]
    for name in told["images"]:
        image = bpy.data.images.load(str(tmp_path / "maps" / f"photo {name}.png"))
        assert tuple(image.size) == picture.shape[1::-1]
    wrong = [*arguments[:3], "--what", "color", "--json", "--output", str(tmp_path / "none")]
    assert cli.main(wrong) != 0
    assert "option-invalid" in capfd.readouterr().out
