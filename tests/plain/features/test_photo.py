"""Photographs: read, framed, described as renders are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from helpers import recipes, small_models
from meshkin.base.errors import InputError
from meshkin.base.progress import silent
from meshkin.data.recipe import Recipe
from meshkin.features import photo
from meshkin.features.building import build
from meshkin.features.view_data import ViewImages


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
    assert color.shape == (40, 60, 3)
    assert color.dtype == np.uint8
    assert opaque is None


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
            for grid in grids.maps:
                cells = torch.nn.functional.interpolate(grid, (20, 20), mode="bilinear", align_corners=False)
                unit = torch.nn.functional.normalize(cells, dim=1)[0].permute(1, 2, 0)
                expected.append(unit.numpy() * part.weight / np.sqrt(len(reader.channels)))
    wide = np.zeros((size + 7, size + 50, 3), np.uint8)
    wide[7:, 20 : 20 + size] = color
    shown = np.zeros(wide.shape[:2], bool)
    shown[7:, 20 : 20 + size] = inside
    features = photo.describe(wide, shown, (7, 20, size), textured, "cpu", silent, cells=20)
    np.testing.assert_allclose(features, np.concatenate(expected, axis=-1), atol=2e-4)


def test_windows_frame_as_renders_do_and_may_stand_out() -> None:
    mask = np.zeros((100, 300), bool)
    mask[:, 250:300] = True
    top, left, side = photo.window(mask)
    assert side == pytest.approx(100 / 0.9, abs=1)
    assert top + side / 2 == pytest.approx(50, abs=1)
    assert left + side / 2 == pytest.approx(275, abs=1)
