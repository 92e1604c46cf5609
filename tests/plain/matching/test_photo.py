"""Photographs: read, framed, described as renders are, cut out, and put back on the surface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from helpers import recipes, small_models
from meshkin.base.errors import InputError, StorageError
from meshkin.base.progress import silent
from meshkin.data.photo_map import PhotoMap
from meshkin.data.recipe import Recipe
from meshkin.features import photo
from meshkin.features.building import build
from meshkin.features.view_data import ViewImages
from meshkin.matching.photo.camera import fit_camera
from meshkin.matching.photo.cutout import cut_out
from meshkin.matching.photo.photograph import Cells


def save(path: Path, pixels: NDArray[np.uint8]) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels)).astype(np.uint8)


def code(path: Path, mask: bool = False) -> str:
    with pytest.raises(InputError) as caught:
        photo.load_mask(path, (40, 60)) if mask else photo.load(path)
    assert caught.value.fix
    return caught.value.code


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    whole = save(tmp_path / "whole.png", noise(40, 60)).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    assert code(tmp_path / "nowhere.png") == "photo-missing"
    assert code(tmp_path) == "photo-missing"
    assert code(tmp_path / "text.png") == "photo-unreadable"
    assert code(tmp_path / "half.png") == "photo-unreadable"
    assert code(save(tmp_path / "one.png", noise(1, 1))) == "photo-small"
    assert code(save(tmp_path / "line.png", noise(300, 2))) == "photo-small"
    assert code(save(tmp_path / "mask.png", noise(40, 40)), mask=True) == "mask-differs"


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGB", "RGBA", "CMYK", "I;16"])
def test_any_kind_of_picture_is_read(tmp_path: Path, mode: str) -> None:
    ending = "jpg" if mode == "CMYK" else "png"
    Image.fromarray(noise(40, 60)).convert("L" if mode == "I;16" else mode).convert(mode).save(tmp_path / f"a.{ending}")
    color, opaque = photo.load(tmp_path / f"a.{ending}")
    assert (color.shape, color.dtype, opaque) == ((40, 60, 3), np.uint8, None)


def test_photos_are_turned_upright_and_large_ones_made_smaller(tmp_path: Path) -> None:
    pixels = np.zeros((30, 50, 3), np.uint8)
    pixels[:, :25] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held a quarter turn to the left
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    color, _ = photo.load(tmp_path / "a.png")
    assert color.shape == (50, 30, 3)
    assert (color[:25].min(), color[25:].max()) == (255, 0)
    assert photo.load(save(tmp_path / "b.png", noise(1000, 4096)))[0].shape == (500, 2048, 3)


def test_masks_are_white_or_opaque(tmp_path: Path) -> None:
    wanted = np.zeros((40, 60), bool)
    wanted[10:30, 20:50] = True
    white = np.repeat(np.where(wanted, 255, 0)[..., None], 3, axis=-1).astype(np.uint8)
    clear = np.dstack((noise(40, 60), np.where(wanted, 255, 0))).astype(np.uint8)
    np.testing.assert_array_equal(photo.load_mask(save(tmp_path / "a.png", white), (40, 60)), wanted)
    np.testing.assert_array_equal(photo.load_mask(save(tmp_path / "b.png", clear), (40, 60)), wanted)
    opaque = photo.load(tmp_path / "b.png")[1]
    assert opaque is not None
    np.testing.assert_array_equal(opaque, wanted)
    larger = photo.load_mask(tmp_path / "a.png", (80, 120))
    assert (larger[::2, ::2] == wanted).mean() > 0.95
    with pytest.raises(InputError, match="shows no object"):
        photo.check_mask(np.zeros((40, 60), bool), "The mask")


@pytest.fixture
def textured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe of two small random models on textured pictures."""
    monkeypatch.setenv("MESHKIN_MODELS", str(tmp_path / "models"))
    small_models.dinov2(tmp_path / "models" / "vit")
    small_models.efficientnet(tmp_path / "models" / "efficientnet-lite0")
    folder = str(tmp_path / "models" / "vit")
    return recipes.resolve("dinov2+efficientnet", model=folder, layers=[2, 3], resolution=140, style="textured")


def test_a_photo_is_described_as_a_render_of_the_same_colors(textured: Recipe) -> None:
    """The square of a photo that shows what a textured render shows has the render's feature maps."""
    size = 140
    color = noise(size, size)
    inside = np.zeros((size, size), bool)
    inside[20:120, 30:100] = True
    depth = np.where(inside, np.float32(3), np.float32(np.inf))[None]
    expected = []
    for part in textured.parts:
        images = ViewImages(np.zeros((1, size, size, 3), np.float16), depth, color[None])
        reader = build(part, "cpu")
        for grids in reader.extract(images, silent):
            for one in grids.maps:
                cells = torch.nn.functional.interpolate(one, (20, 20), mode="bilinear", align_corners=False)
                unit = torch.nn.functional.normalize(cells, dim=1)[0].permute(1, 2, 0)
                expected.append(unit.numpy() * part.weight / np.sqrt(len(reader.channels)))
    wide = np.zeros((size + 7, size + 50, 3), np.uint8)
    wide[7:, 20 : 20 + size] = color
    shown = np.zeros(wide.shape[:2], bool)
    shown[7:, 20 : 20 + size] = inside
    found = photo.describe(wide, shown, (7, 20, size), textured, "cpu", silent, cells=20)
    np.testing.assert_allclose(found, np.concatenate(expected, axis=-1), atol=2e-4)


def test_windows_frame_as_renders_do_and_may_stand_out() -> None:
    mask = np.zeros((100, 300), bool)
    mask[:, 250:300] = True
    top, left, side = photo.window(mask)
    assert side == pytest.approx(100 / 0.9, abs=1)
    assert (top + side / 2, left + side / 2) == (pytest.approx(50, abs=1), pytest.approx(275, abs=1))
    cells = Cells(top, left, side, 100)
    inside = cells.inside(mask)
    assert inside.sum() == pytest.approx(100 * 100 * 0.9 * 0.45, rel=0.05)
    rows, columns = cells.at_pixels((100, 300))
    assert rows[0, 0] == pytest.approx((0.5 - top) / side * 100 - 0.5)
    assert columns[0, 299] == pytest.approx((299.5 - left) / side * 100 - 0.5)


def test_a_camera_is_found_among_wrong_answers_and_not_mirrored() -> None:
    random = np.random.default_rng(1)
    normals = random.normal(size=(600, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points = 5 + 2 * normals * (1, 0.5, 1.5)
    right, down, forwards = np.array((1.0, 0, 0)), np.array((0, 0, -1.0)), np.array((0, 1.0, 0))
    seen = normals @ forwards < 0
    homogeneous = np.column_stack((points, np.ones(600)))
    true = np.vstack((np.column_stack((right, down)) * 0.2, (-0.5, 1.5)))
    places = homogeneous @ true
    given = homogeneous[seen].copy()
    wrong = random.random(len(given)) < 0.4
    given[wrong] = homogeneous[seen][random.permutation(len(given))][wrong]
    camera = fit_camera(given, normals[seen], places[seen], np.ones(len(given)))
    assert camera is not None
    np.testing.assert_allclose(homogeneous @ camera, places, atol=0.03)
    lost = fit_camera(given[random.permutation(len(given))], normals[seen], places[seen], np.ones(len(given)))
    assert lost is None


def test_the_object_is_cut_out_where_it_agrees_with_the_surface() -> None:
    random = np.random.default_rng(2)
    truth = np.zeros((120, 160), bool)
    truth[30:90, 50:110] = True
    truth[50:70, 70:80] = False  # a hole is filled
    picture = np.where(truth[..., None], (200, 60, 40), (60, 90, 120)).astype(np.uint8)
    cells = Cells(-20, 0, 160, 40)
    inside = cells.inside(truth)
    object_, background = random.normal(size=(2, 30))
    grid = np.where(inside[..., None], object_, background) + 0.6 * random.normal(size=(40, 40, 30))
    references = object_ + 0.6 * random.normal(size=(50, 30))
    references /= np.linalg.norm(references, axis=1, keepdims=True)
    found = cut_out(grid.astype(np.float32), cells, references.astype(np.float32), picture)
    truth[50:70, 70:80] = True
    assert (found & truth).sum() / (found | truth).sum() > 0.95


def test_a_photo_map_survives_saving(tmp_path: Path) -> None:
    mask = np.zeros((4, 5), bool)
    mask[1:3, 2:4] = True
    face = np.where(mask, 0, -1).astype(np.int32)
    barycentric = np.zeros((4, 5, 3), np.float32)
    barycentric[mask] = (0.5, 0.25, 0.25)
    found = PhotoMap(
        mask, face, barycentric, mask * np.float32(0.5), np.array([[2, 0, 1]], np.int32), np.zeros((4, 2)),
        np.zeros((4, 5, 3), np.uint8),
    )  # fmt: skip
    found.save(tmp_path / "a.npz")
    again = PhotoMap.load(tmp_path / "a.npz")
    for name in PhotoMap.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    np.testing.assert_allclose(again.pull(np.array([1.0, 2, 4])), [0.5 * 4 + 0.25 * 1 + 0.25 * 2] * 4)
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:100])
    with pytest.raises(StorageError):
        PhotoMap.load(tmp_path / "b.npz")
