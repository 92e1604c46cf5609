"""Whole materials baked into files: names, depths, alpha, mask, tiles, previews."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers import baking, shapes
from helpers.baking import bake_tile, broken, channel_of
from helpers.textured import known_map, painted, unfolded
from meshkin.base.progress import silent
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match
from meshkin.transfer.texture.channels import Picture, SourceTextures
from meshkin.transfer.texture.material_files import MaterialFiles, bake_material_files
from meshkin.transfer.texture.pixels import quantized
from meshkin.transfer.texture.settings import BakeSettings, MaterialBakeSettings

SETTINGS = MaterialBakeSettings(size=128, margin=4, threshold=0, smoothing=0, tiles="auto", preview=False)


@pytest.fixture(scope="module")
def ball() -> Snapshot:
    return baking.ball()


@pytest.fixture(scope="module")
def textures(ball: Snapshot) -> SourceTextures:
    """Base color in 8 bits, alpha in 16, emission in 32."""
    picture = painted(ball, 128)
    pictures = [
        Picture(quantized(picture[..., :3], 8)),
        Picture(quantized(picture[..., :1], 16)),
        Picture(4 * picture[..., :3]),
    ]
    channels = [
        replace(channel_of(0, 3, 8), name="base_color"),
        replace(channel_of(1, 1, 16), name="alpha"),
        replace(channel_of(2, 3, 32), name="emission"),
    ]
    return SourceTextures(pictures, [shapes.uvs_of(ball)], channels)


def baked(
    textures: SourceTextures,
    ball: Snapshot,
    settings: MaterialBakeSettings,
    folder: Path,
    target: Snapshot | None = None,
    match: Match | None = None,
) -> MaterialFiles:
    target = target or ball
    return bake_material_files(textures, ball, target, match or known_map(ball, target), settings, folder, silent)


def test_files_hold_what_is_baked(textures: SourceTextures, ball: Snapshot, tmp_path: Path) -> None:
    result = baked(textures, ball, SETTINGS, tmp_path)
    assert result.alpha
    assert result.files[0] == {
        "base_color": {1001: tmp_path / "base_color.1001.png"},
        "emission": {1001: tmp_path / "emission.1001.exr"},
    }
    direct = bake_tile(list(textures.pictures), list(textures.channels), ball, ball, BakeSettings(128, 4))
    assert result.shares == direct.shares
    color = np.asarray(Image.open(result.files[0]["base_color"][1001]))
    assert color.shape == (128, 128, 4)
    np.testing.assert_array_equal(color[..., :3], direct.pictures[0])
    np.testing.assert_allclose(color[..., 3] / 255, direct.pictures[1][..., 0] / 65535, atol=0.5 / 255)
    assert result.files[0]["emission"][1001].stat().st_size > 1000


def test_what_was_filled_in_is_a_mask(textures: SourceTextures, ball: Snapshot, tmp_path: Path) -> None:
    where = np.linalg.norm(ball.vertices - ball.vertices[400], axis=1) < 0.25
    match = broken(known_map(ball, ball), where)
    result = baked(textures, ball, replace(SETTINGS, threshold=0.3), tmp_path, match=match)
    mask = np.asarray(Image.open(result.files[0]["mask"][1001]))
    assert set(np.unique(mask)) >= {0, 255}
    assert 0 < result.shares.filled < 0.2


def test_tiles_have_a_file_each(textures: SourceTextures, ball: Snapshot, tmp_path: Path) -> None:
    upper = ball.vertices[ball.faces].mean(axis=1)[:, 2] > 0
    uvs = shapes.uvs_of(unfolded(ball)) + upper[:, None, None] * np.array([1, 0])
    target = replace(ball, uvs=uvs.astype(np.float32))
    result = baked(textures, ball, SETTINGS, tmp_path, target)
    assert set(result.files[0]["base_color"]) == {1001, 1002}
    repeated = baked(textures, ball, replace(SETTINGS, tiles="one"), tmp_path, target)
    assert set(repeated.files[0]["base_color"]) == {1001}


def test_a_preview_looks_like_the_texture(textures: SourceTextures, ball: Snapshot, tmp_path: Path) -> None:
    small = replace(SETTINGS, size=32, margin=1)
    shown = [
        np.asarray(Image.open(baked(textures, ball, settings, tmp_path / name).files[0]["base_color"][1001]), float)
        for name, settings in (("full", small), ("preview", replace(small, preview=True)))
    ]
    assert np.abs(shown[0] - shown[1]).mean() < 4


def test_the_next_bake_is_the_same_whether_or_not_the_last_one_left_something(
    textures: SourceTextures, ball: Snapshot, tmp_path: Path
) -> None:
    first = baked(textures, ball, SETTINGS, tmp_path / "first")
    baked(textures, ball, SETTINGS, tmp_path / "other", unfolded(ball))  # takes the cache's only place
    again = [baked(textures, ball, SETTINGS, tmp_path / name) for name in ("again", "cached")]
    content = first.files[0]["base_color"][1001].read_bytes()
    assert [result.files[0]["base_color"][1001].read_bytes() for result in again] == [content] * 2
