"""Maps as files: what is saved is loaded again; damage is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meshkin.base.errors import StorageError
from meshkin.data.surface_map import Match, SurfaceMap

TRIANGLE = np.array([[0, 1, 2]], np.int32)


def whole() -> Match:
    """A triangle matched to itself, corner to corner."""
    one = SurfaceMap(
        np.zeros(3, np.int32), np.eye(3, dtype=np.float32), np.arange(3, dtype=np.int32), np.ones(3, np.float32)
    )
    notes = {"sided": True, "orientation": 0.93, "sentences": ["Left und right: “ü”."]}
    return Match(one, one, TRIANGLE, TRIANGLE, notes)


def test_notes_are_saved_with_the_map(tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    whole().save(path)
    assert Match.load(path).notes == whole().notes


def test_a_map_saved_before_there_were_notes_has_none(tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    whole().save(path)
    with np.load(path) as data:
        np.savez(path, **{name: data[name] for name in data.files if name != "notes"})
    assert Match.load(path).notes == {}


def test_damaged_notes_are_a_damaged_map(tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    whole().save(path)
    with np.load(path) as data:
        np.savez(path, **{**dict(data.items()), "notes": np.array("{", np.str_)})
    with pytest.raises(StorageError):
        Match.load(path)


def test_the_map_of_some_vertices() -> None:
    chosen = whole().to_source.at(np.array([2, 0, 2]))
    np.testing.assert_array_equal(chosen.vertex, [2, 0, 2])
    np.testing.assert_array_equal(chosen.pull(np.array([5.0, 6.0, 7.0]), TRIANGLE), [7, 5, 7])
