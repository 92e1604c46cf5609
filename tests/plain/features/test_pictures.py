"""Passes become the pictures that networks look at."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from meshkin.base.errors import InputError
from meshkin.features import pictures
from meshkin.features.extractor import PictureLook
from meshkin.features.view_data import ViewImages


def flat(normal: tuple[float, float, float], resolution: int = 32) -> ViewImages:
    """Two views of a plane that fills the picture but for its lower half, with one normal."""
    normals = np.zeros((2, resolution, resolution, 3), np.float16)
    normals[:, : resolution // 2] = normal
    depth = np.full((2, resolution, resolution), np.inf, np.float32)
    depth[:, : resolution // 2] = 3
    return ViewImages(normals, depth)


def test_normals_become_colors_on_the_background() -> None:
    made = pictures.make(flat((0.6, 0.0, 0.8)), slice(0, 2), PictureLook("normal", 1.0, 32))
    assert made.shape == (2, 3, 32, 32)
    assert made.dtype == torch.float32
    torch.testing.assert_close(made[1, :, 0, 0], torch.tensor([0.8, 0.5, 0.9]), atol=1e-3, rtol=0)
    torch.testing.assert_close(made[1, :, 31, 31], torch.ones(3))


def test_a_zero_normal_on_the_object_is_not_background() -> None:
    made = pictures.make(flat((0, 0, 0)), slice(0, 1), PictureLook("normal", 1.0, 32))
    torch.testing.assert_close(made[0, :, 0, 0], torch.full((3,), 0.5))


def test_shading_is_gray_brightest_toward_the_light_and_the_same_left_and_right() -> None:
    def shade(*normal: float) -> torch.Tensor:
        length = np.linalg.norm(normal)
        plane, look = flat(tuple(np.array(normal) / length)), PictureLook("shading", 0.0, 32)
        return pictures.make(plane, slice(0, 1), look)[0, :, 0, 0]

    front, above, below, left, right = (
        shade(0, 0, 1), shade(0, 0.4, 1), shade(0, -0.4, 1), shade(-1, 0.1, 0.3), shade(1, 0.1, 0.3),
    )  # fmt: skip
    assert front.min() == front.max()
    assert above[0] > front[0] > below[0] > left[0] > 0.1
    torch.testing.assert_close(left, right)
    assert above[0] == pytest.approx(0.85, abs=2e-3)


def test_only_the_views_asked_for() -> None:
    images = flat((0, 0, 1))
    images.normal[1, 0, 0] = (1, 0, 0)
    made = pictures.make(images, slice(1, 2), PictureLook("normal", 1.0, 32))
    assert len(made) == 1
    torch.testing.assert_close(made[0, :, 0, 0], torch.tensor([1.0, 0.5, 0.5]))


@pytest.mark.parametrize("resolution", [16, 48, 64])
def test_resizing_keeps_brightness_and_place(resolution: int) -> None:
    images = flat((0, 0, 1), 32)
    made = pictures.make(images, slice(0, 1), PictureLook("shading", 0.0, resolution))
    exact = pictures.make(images, slice(0, 1), PictureLook("shading", 0.0, 32))
    assert made.shape == (1, 3, resolution, resolution)
    assert made.mean() == pytest.approx(exact.mean().item(), rel=0.02)
    middle = torch.arange(resolution) + 0.5
    for axis in (1, 2):
        line = made[0, 0].mean(dim=2 - axis)
        expected = (exact[0, 0].mean(dim=2 - axis) * (torch.arange(32) + 0.5)).sum() / exact[0, 0].mean(
            dim=2 - axis
        ).sum()
        assert (line * middle).sum() / line.sum() / resolution == pytest.approx(expected.item() / 32, abs=0.01)


def test_read_only_passes_are_left_as_they_are() -> None:
    images = flat((0, 0, 1))
    images.normal.flags.writeable = False
    before = images.normal.copy()
    pictures.make(images, slice(0, 2), PictureLook("normal", 1.0, 16))
    np.testing.assert_array_equal(images.normal, before)


def test_standardized_with_the_statistics_given() -> None:
    values = pictures.standardize(torch.full((1, 3, 2, 2), 0.5), ((0.5, 0.25, 0.0), (1.0, 0.5, 0.25)))
    torch.testing.assert_close(values[0, :, 0, 0], torch.tensor([0.0, 0.5, 2.0]))


def test_textured_pictures_show_the_colors_a_little_shaded() -> None:
    images = flat((0, 0, 1))
    with pytest.raises(InputError, match="color"):
        pictures.make(images, slice(0, 1), PictureLook("textured", 1.0, 32))
    color = np.zeros((2, 32, 32, 3), np.uint8)
    color[...] = (255, 128, 0)

    def textured(normal: tuple[float, float, float]) -> torch.Tensor:
        lit = ViewImages(flat(normal).normal, images.depth, color)
        return pictures.make(lit, slice(0, 1), PictureLook("textured", 1.0, 32))[0]

    photo = textured((0, 0, 0))
    torch.testing.assert_close(photo[:, 0, 0], torch.tensor([1.0, 128 / 255, 0.0]))
    torch.testing.assert_close(photo[:, 31, 31], torch.ones(3))
    front, side = textured((0, 0, 1))[:, 0, 0], textured((1, 0, 0))[:, 0, 0]
    assert 0.95 < float(front[0]) <= 1
    assert 0.6 < float(side[0]) < 0.8
    torch.testing.assert_close(side[1] / side[0], front[1] / front[0])


def test_unknown_style() -> None:
    with pytest.raises(InputError, match="normal or shading") as caught:
        pictures.make(flat((0, 0, 1)), slice(0, 1), PictureLook("toon", 1.0, 32))  # type: ignore[arg-type]
    assert caught.value.code == "features-option"


@pytest.mark.parametrize("resolution", [10, 20, 40])
def test_where_the_object_shows_at_any_resolution(resolution: int) -> None:
    depth = np.full((2, 20, 20), np.inf, np.float32)
    depth[1, 4, 13] = 3
    images = ViewImages(np.zeros((2, 20, 20, 3), np.float16), depth)
    seen = pictures.object_pixels(images, slice(0, 2), resolution)
    assert seen.shape == (2, resolution, resolution)
    assert not seen[0].any()
    row, column = 4 * resolution // 20, 13 * resolution // 20
    assert seen[1, row, column]
    assert not seen[1, row + 3 :].any()
    assert not seen[1, :, : column - 2].any()
