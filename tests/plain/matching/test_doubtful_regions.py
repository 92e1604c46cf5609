"""Regions of low confidence on a grid whose doubtful patches are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from meshkin import Snapshot
from meshkin.matching.doubtful_regions import MOST_REGIONS, doubtful_regions

SIDE = 41
"""Vertices along a side of the grid, which is 1 long."""


def grid() -> Snapshot:
    """A square in the XY plane, facing up."""
    x, y = np.meshgrid(np.linspace(0, 1, SIDE), np.linspace(0, 1, SIDE))
    corner = (np.arange(SIDE - 1)[:, None] * SIDE + np.arange(SIDE - 1)).ravel()
    faces = np.concatenate(
        [
            np.stack((corner, corner + 1, corner + SIDE), axis=1),
            np.stack((corner + 1, corner + SIDE + 1, corner + SIDE), 1),
        ]
    )
    return Snapshot.from_arrays(np.stack((x.ravel(), y.ravel(), np.zeros(SIDE**2)), axis=1), faces)


def disk(shape: Snapshot, center: tuple[float, float], radius: float) -> NDArray[np.bool_]:
    """The vertices within a disk."""
    inside: NDArray[np.bool_] = np.linalg.norm(shape.vertices[:, :2] - center, axis=1) < radius
    return inside


def test_patches_are_sorted_by_size_times_doubt() -> None:
    """A small patch without any hope comes before a larger one that is only a little doubtful."""
    shape = grid()
    confidence = np.ones(SIDE**2)
    large, small = disk(shape, (0.25, 0.3), 0.16), disk(shape, (0.75, 0.7), 0.14)
    confidence[large], confidence[small] = 0.45, 0.0
    first, second = doubtful_regions(shape, confidence)
    np.testing.assert_allclose(first.center, (0.75, 0.7, 0), atol=0.01)
    np.testing.assert_allclose(second.center, (0.25, 0.3, 0), atol=0.01)
    assert first.share < 0.1
    assert second.share == pytest.approx(np.pi * 0.16**2, rel=0.2)
    assert first.radius == pytest.approx(0.14, abs=0.05)
    assert first.confidence < 0.2 < 0.4 < second.confidence < 0.5
    np.testing.assert_allclose(first.normal, (0, 0, 1), atol=1e-6)
    assert set(np.flatnonzero(small)) <= set(first.vertices)


def test_a_patch_across_a_seam_is_one() -> None:
    """Vertices that an importer has doubled along a seam do not split a patch."""
    whole = grid()
    left = whole.vertices[whole.faces].mean(axis=1)[:, 0] < 0.5
    faces = whole.faces.copy()
    faces[left] += len(whole.vertices)
    shape = Snapshot.from_arrays(np.concatenate((whole.vertices, whole.vertices)), faces)
    confidence = np.where(disk(shape, (0.5, 0.5), 0.2), 0.1, 1.0)
    [region] = doubtful_regions(shape, confidence)
    np.testing.assert_allclose(region.center, (0.5, 0.5, 0), atol=0.01)


def test_specks_and_a_sure_match_are_not_listed() -> None:
    shape = grid()
    assert doubtful_regions(shape, np.full(SIDE**2, 0.6)) == []
    speck = np.ones(SIDE**2)
    speck[SIDE * 20 + 20] = 0
    assert doubtful_regions(shape, speck) == []
    spots = np.ones((SIDE, SIDE))
    spots[np.logical_and.outer(np.arange(SIDE) % 8 < 4, np.arange(SIDE) % 8 < 4)] = 0.1
    assert len(doubtful_regions(shape, spots.ravel())) == MOST_REGIONS
