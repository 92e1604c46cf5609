"""Pairs varied while they are learned from stay true, and maps as numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers import picture_pairs
from meshkin.pictures.learning import measures, values, varying
from meshkin.pictures.learning.options import TARGETS

SIZE = 64


def dome(size: int = SIZE) -> picture_pairs.Bytes:
    """The normals of a dome in the middle of a picture, which tell its place in it; black around it."""
    across = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(across, -across)
    normal = np.stack((x, y, np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))), axis=-1)
    shown = ((normal + 1) * 127.5).round().astype(np.uint8)
    shown[x**2 + y**2 > 0.8] = 0
    return shown


def test_mirrored_normals_are_those_of_the_mirrored_ball() -> None:
    _, turned = varying.mirrored(dome(), dome(), "normal")
    assert np.abs(turned.astype(int) - dome()).max() <= 1  # this surface is its own mirror image


@pytest.mark.parametrize("target", [choice.value for choice in TARGETS])
def test_a_varied_picture_still_belongs_to_its_map(target: str) -> None:
    """The picture shows the map itself, so that both can be compared after what has been done to them."""
    shown, changed = dome(), 0
    for seed in range(20):
        picture, found = varying.varied(shown, shown, target, np.random.default_rng(seed))
        again = varying.varied(shown, shown, target, np.random.default_rng(seed))
        assert all(np.array_equal(one, other) for one, other in zip((picture, found), again, strict=True))
        assert picture.shape == found.shape == shown.shape
        there = found.any(axis=-1)
        changed += not np.array_equal(picture, shown)
        assert there.mean() > 0.3
        if target in ("depth", "parts"):  # nothing is mixed at the border
            assert {tuple(color) for color in found[there]} <= {tuple(color) for color in shown[shown.any(axis=-1)]}
        if target == "normal":
            assert np.abs(np.linalg.norm(found[there] / 127.5 - 1, axis=-1) - 1).max() < 0.03
            rows, columns = np.nonzero(there)  # on a dome, a normal's components grow with the place
            assert np.corrcoef(columns, found[there][:, 0])[0, 1] > 0.99
            assert np.corrcoef(rows, found[there][:, 1])[0, 1] < -0.99
        if target == "albedo":
            inner = there & (np.abs(found.astype(int) - picture).max(axis=-1) <= 8)
            assert inner.sum() > 0.9 * there.sum()
    assert changed == 20


def test_numbers_and_maps_are_each_others_inverse() -> None:
    shown = dome()
    for target in ("normal", "depth"):
        numbers = values.map_tensor([shown], target, "cpu")
        assert np.abs(values.map_pixels(numbers, target)[0].astype(int) - shown).max() <= 1
    background = values.map_tensor([shown], "normal", "cpu")[0, :, 0, 0]
    assert torch.equal(background, torch.zeros(3))


def test_a_doubt_whether_something_is_there_does_not_turn_a_normal() -> None:
    numbers = values.map_tensor([dome()], "normal", "cpu")
    found = values.map_pixels(0.5 * numbers, "normal")  # the mean of the map and of nothing
    assert measures.error(found, dome()[None], "normal") < 1
    assert not values.map_pixels(0.1 * numbers, "normal").any()
