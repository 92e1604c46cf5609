"""Painted views as a finished texture, and which views are painted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers.paint_oracle import known_texture, psnr
from helpers.shapes import bumpy, sphere, uvs_of
from helpers.textured import split
from meshkin.data.snapshot import Snapshot
from meshkin.paint.cameras import front, neighbors, rig, side_in_words
from meshkin.paint.finishing import bake_views, covered_with_margin, fill_unseen, join_seams
from meshkin.paint.layout import TextureLayout, texture_layout
from meshkin.paint.view_maps import view_maps
from meshkin.transfer.texture.seams import seam_spots

VIEW = 96


def islands(shape: Snapshot) -> Snapshot:
    """Every two neighbors apart: all edges are seams."""
    return replace(shape, uvs=split(len(shape.faces)).astype(np.float32))


def two_tiles(shape: Snapshot) -> Snapshot:
    """The layout over two tiles."""
    return replace(shape, uvs=(uvs_of(shape) * (2, 1)).astype(np.float32))


def mirrored(shape: Snapshot) -> Snapshot:
    """Both halves of the layout over each other."""
    uvs = uvs_of(shape).copy()
    uvs[..., 0] = 1 - np.abs(2 * uvs[..., 0] - 1)
    return replace(shape, uvs=uvs.astype(np.float32))


def finished(layout: TextureLayout, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A known texture rendered, baked and finished, and what was seen of it."""
    views = rig(layout.shape, 8, VIEW)
    maps = view_maps(layout, views, VIEW)
    values, seen = bake_views(layout, views, maps.pixels.render(torch.from_numpy(known)))
    return join_seams(layout, fill_unseen(layout, values, seen)), seen


@pytest.mark.parametrize("layout_of", [islands, two_tiles, bumpy])
def test_a_rendered_texture_comes_back(layout_of: Callable[[Snapshot], Snapshot]) -> None:
    coarse = bumpy(sphere(24, 12))  # whose middle is a border between its faces, too
    layout = texture_layout(layout_of(coarse), 192, ((0, 0), (1, 0)) if layout_of is two_tiles else None)
    known = known_texture(layout, 3)
    pictures, seen = finished(layout, known)
    assert psnr(layout.values_of(pictures)[seen], known[seen]) > 35
    assert psnr(layout.values_of(pictures), known) > 20  # what is not seen goes on smoothly


def test_mirrored_halves_share_what_is_the_same_on_both() -> None:
    shape = mirrored(sphere(32, 16))
    layout = texture_layout(shape, 96)
    height = layout.positions[:, 2:] * 0.4 + 0.5
    pictures, seen = finished(layout, np.repeat(height, 3, axis=1).astype(np.float32))
    assert psnr(layout.values_of(pictures)[seen], np.repeat(height, 3, axis=1)[seen]) > 35


def test_seams_are_joined() -> None:
    layout = texture_layout(bumpy(sphere(32, 16)), 64)
    assert layout.shape.uvs is not None
    known = known_texture(layout, 3)
    known[layout.texel % 64 < 4] *= 0.9  # another color on one side of the seam
    spots = seam_spots(layout.shape.vertices, layout.shape.faces, layout.shape.uvs, 64, None, False)
    before = np.abs(spots.steps(layout.picture(known).reshape(-1, 3)))
    after = np.abs(spots.steps(join_seams(layout, known).reshape(-1, 3)))
    assert before.mean() > 0.01
    assert after.mean() < before.mean() / 5
    fixed = np.ones(len(known), bool)
    assert np.array_equal(join_seams(layout, known, fixed), layout.picture(known))


def test_margins_reach_as_far_as_they_should() -> None:
    shape = replace(sphere(16, 8), uvs=(uvs_of(sphere(16, 8)) * 0.5 + 0.25).astype(np.float32))
    none, wide = (covered_with_margin(texture_layout(shape, 64), margin).sum() for margin in (0, 6))
    assert none == pytest.approx(32 * 32, abs=200)
    assert wide == pytest.approx(44 * 44, abs=200)


def test_views_stand_around_and_know_what_they_show() -> None:
    views = rig(sphere(16, 8), 8, 64)
    assert len(views) == 10
    words = [side_in_words(direction) for direction in views.rotation[:, 2]]
    assert words[:8] == ["front view", *["side view"] * 3, "back view", *["side view"] * 3]
    assert front(views) == 0
    around = neighbors(views)
    assert set(around[1]) == {0, 1, 2}
    assert all(own == number for number, (own, *_) in enumerate(around))
    assert len(rig(sphere(16, 8), 8, 64, [np.array((0, -1.0, 0))])) == 11
