"""Maps from photographs as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meshkin.base.errors import StorageError
from meshkin.data.photo_map import PhotoMap


def test_a_photo_map_survives_saving(tmp_path: Path) -> None:
    mask = np.zeros((4, 5), bool)
    mask[1:3, 2:4] = True
    barycentric = np.zeros((4, 5, 3), np.float32)
    barycentric[mask] = (0.5, 0.25, 0.25)
    photo_map = PhotoMap(
        mask=mask,
        face=np.where(mask, 0, -1).astype(np.int32),
        barycentric=barycentric,
        confidence=mask * np.float32(0.5),
        faces=np.array([[2, 0, 1]], np.int32),
        camera=np.zeros((4, 2)),
        photo=np.zeros((4, 5, 3), np.uint8),
        poses=np.zeros((2, 5)),
    )
    photo_map.save(tmp_path / "a.npz")
    loaded = PhotoMap.load(tmp_path / "a.npz")
    for name in PhotoMap.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(photo_map, name))
    np.testing.assert_allclose(loaded.pull(np.array([1.0, 2, 4])), [0.5 * 4 + 0.25 * 1 + 0.25 * 2] * 4)
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:100])
    with pytest.raises(StorageError):
        PhotoMap.load(tmp_path / "b.npz")
