"""Attributes through a map: round trips, types and limits."""

from __future__ import annotations

import numpy as np
import pytest
import shapes

from meshkin.errors import InputError
from meshkin.matching import match
from meshkin.surface_map import SurfaceMap
from meshkin.transfer.attributes import transfer_attribute

POINTS, FACES = shapes.grid(6, 5)


def at_random(count: int) -> tuple[SurfaceMap, shapes.Array]:
    """A map of random points of the unit square onto the grid, and the points."""
    generator = np.random.default_rng(0)
    face = generator.integers(0, len(FACES), count).astype(np.int32)
    barycentric = generator.dirichlet((1, 1, 1), count).astype(np.float32)
    found = SurfaceMap(face, barycentric, FACES[face, 0], np.ones(count, np.float32))
    return found, np.einsum("vk,vkd->vd", barycentric, POINTS[FACES[face]])


def test_linear_fields_are_exact() -> None:
    found, places = at_random(300)
    field = np.array([[1, 2, 3, -1], [0.5, -1, 0, 2]])
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-6)):
        carried = transfer_attribute((POINTS @ field).astype(dtype), FACES, found)
        assert carried.dtype == dtype
        np.testing.assert_allclose(carried, places @ field, atol=tolerance)
    np.testing.assert_allclose(transfer_attribute(POINTS[:, 0], FACES, found), places[:, 0], atol=1e-6)


def test_there_and_back_again() -> None:
    """Colours to another mesh of the same shape and back again differ only by the interpolation."""
    source, target = (shapes.bumpy(shapes.sphere(*size)) for size in ((60, 30), (71, 33)))
    features = [shapes.smooth_features(shape.vertices) for shape in (source, target)]
    found = match(source, target, *features, *(np.ones(len(one)) for one in features))
    colours = (0.5 + 0.5 * np.sin(2 * source.vertices)).astype(np.float32)
    there = transfer_attribute(colours, found.source_faces, found.to_source)
    np.testing.assert_allclose(there, 0.5 + 0.5 * np.sin(2 * target.vertices), atol=0.06)
    back = transfer_attribute(there, found.target_faces, found.to_target)
    assert np.abs(back - colours).mean() < 0.01


def test_whole_numbers_and_truths_stay_what_they_are() -> None:
    found, places = at_random(300)
    numbers = np.rint(POINTS[:, 0] * 6).astype(np.int32)
    carried = transfer_attribute(numbers, FACES, found)
    assert carried.dtype == np.int32
    assert np.abs(carried - places[:, 0] * 6).max() <= 0.5 + 1e-4
    right = transfer_attribute(POINTS[:, 0] > 0.49, FACES, found)
    assert right.dtype == np.bool_
    assert right[places[:, 0] > 0.5].all()
    assert not right[places[:, 0] < 0.33].any()
    bytes_ = transfer_attribute(np.full((len(POINTS), 4), 255, np.uint8), FACES, found)
    assert bytes_.dtype == np.uint8
    assert (bytes_ == 255).all()


def test_limits_hold() -> None:
    found, _ = at_random(50)
    carried = transfer_attribute(POINTS * 4 - 2, FACES, found, limits=(0, 1))
    assert carried.min() == 0
    assert carried.max() == 1


def test_bad_input_is_named() -> None:
    found, _ = at_random(5)
    with pytest.raises(InputError) as failure:
        transfer_attribute(POINTS[:-1], FACES, found)
    assert failure.value.code == "attribute-size"
