"""Snapshots made from plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from helpers import shapes
from meshkin.base.errors import InputError
from meshkin.data.snapshot import Snapshot

TETRAHEDRON = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float64)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def test_plain_arrays_make_a_whole_snapshot() -> None:
    shape = Snapshot.from_arrays(TETRAHEDRON.tolist(), FACES.astype(np.uint16), "tent")
    expected = shapes.snapshot(TETRAHEDRON, FACES, name="tent")
    for name in Snapshot.__dataclass_fields__:
        value, other = getattr(shape, name), getattr(expected, name)
        np.testing.assert_array_equal(value, other, err_msg=name)
        assert getattr(value, "dtype", None) == getattr(other, "dtype", None), name
    assert shape.key == expected.key


def test_parts_and_loose_vertices_are_counted() -> None:
    two = np.concatenate((TETRAHEDRON, TETRAHEDRON + 3, [[9, 9, 9]]))
    shape = Snapshot.from_arrays(two, np.concatenate((FACES, FACES + 4)))
    np.testing.assert_array_equal(shape.parts, [0, 0, 0, 0, 1, 1, 1, 1, 2])


@pytest.mark.parametrize(
    ("vertices", "faces", "code"),
    [
        (TETRAHEDRON[:, :2], FACES, "mesh-arrays"),
        (TETRAHEDRON, FACES[:, :2], "mesh-arrays"),
        (TETRAHEDRON, FACES.astype(float), "mesh-arrays"),
        (TETRAHEDRON, [[0, 1, 2], [0, 1]], "mesh-arrays"),
        ([["a", "b", "c"]], FACES, "mesh-arrays"),
        (TETRAHEDRON, FACES + 1, "mesh-faces"),
        (TETRAHEDRON, FACES - 1, "mesh-faces"),
        (np.empty((0, 3)), np.empty((0, 3)), "mesh-empty"),
        (TETRAHEDRON, np.empty((0, 3), int), "mesh-empty"),
        (TETRAHEDRON * np.nan, FACES, "mesh-nan"),
        (TETRAHEDRON * 0, FACES, "mesh-no-area"),
    ],
)
def test_arrays_that_are_no_mesh_are_refused(vertices: Any, faces: Any, code: str) -> None:
    with pytest.raises(InputError) as caught:
        Snapshot.from_arrays(vertices, faces, "tent")
    assert caught.value.code == code
    assert "tent" in caught.value.message
