"""Maps as files: what is saved is loaded again; damage is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

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


def rewritten(path: Path, **changed: NDArray[Any] | None) -> None:
    """The map is written anew with some arrays changed, or left out, as another program would."""
    with np.load(path) as data:
        arrays = {**dict(data.items()), **changed}
    np.savez(path, **{name: values for name, values in arrays.items() if values is not None})


@pytest.mark.parametrize(
    "changed",
    [
        {"notes": np.array("{", np.str_)},
        {"notes": None},
        {"meshkin_seal": None},
        {"face": np.ones(3, np.int32)},
        {"face": np.zeros(2, np.int32)},
        {"barycentric": np.full((3, 3), np.nan, np.float32)},
        {"confidence": None},
        {"source_faces": TRIANGLE + 1},
    ],
    ids=str,
)
def test_a_changed_map_is_damaged(tmp_path: Path, changed: dict[str, NDArray[Any] | None]) -> None:
    path = tmp_path / "map.npz"
    whole().save(path)
    rewritten(path, **changed)
    with pytest.raises(StorageError) as raised:
        Match.load(path)
    assert raised.value.code == "file-damaged"


@pytest.mark.parametrize(
    "change",
    [
        {"face": np.array([0, 0, 1], np.int32)},
        {"face": np.array([0, 0, -1], np.int32)},
        {"face": np.zeros(3)},
        {"vertex": np.array([0, 1, 3], np.int32)},
        {"barycentric": np.full((3, 3), np.inf, np.float32)},
        {"barycentric": np.eye(2, dtype=np.float32)},
        {"confidence": np.full(3, np.nan, np.float32)},
        {"confidence": np.ones(2, np.float32)},
    ],
    ids=str,
)
def test_a_map_to_where_nothing_is_is_damaged(tmp_path: Path, change: dict[str, NDArray[Any]]) -> None:
    path = tmp_path / "map.npz"
    wrong = replace(whole().to_source, **change)
    right = whole().to_source
    for match in (Match(wrong, right, TRIANGLE, TRIANGLE), Match(right, wrong, TRIANGLE, TRIANGLE)):
        match.save(path)
        with pytest.raises(StorageError):
            Match.load(path)


def test_the_map_of_some_vertices() -> None:
    chosen = whole().to_source.at(np.array([2, 0, 2]))
    np.testing.assert_array_equal(chosen.vertex, [2, 0, 2])
    np.testing.assert_array_equal(chosen.pull(np.array([5.0, 6.0, 7.0]), TRIANGLE), [7, 5, 7])
