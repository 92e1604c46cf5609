"""Files of point pairs: every form is read; what cannot be meant is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meshkin.base.errors import InputError
from meshkin.data.point_pairs import checked, read


@pytest.mark.parametrize(
    ("name", "text", "pairs"),
    [
        ("a.json", "[[1, 2], [3, 4]]", [(1, 2), (3, 4)]),
        ("a.json", '{"source": [1, 3], "target": [[0, 0.5, -1], 4]}', [(1, (0, 0.5, -1)), (3, 4)]),
        ("a.csv", "source,target\n1,2\n3,4\n", [(1, 2), (3, 4)]),
        ("a.csv", "\ufeff1;2\r\n3;4\r\n", [(1, 2), (3, 4)]),
        ("a.txt", "# kin\n0 0 1e-3  1 1 1\n", [((0, 0, 1e-3), (1, 1, 1))]),
        ("a.JSON", "[]", []),
        ("a.csv", "", []),
    ],
)
def test_every_form_is_read(tmp_path: Path, name: str, text: str, pairs: object) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert read(path) == pairs


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("a.json", '{"source": [1, 2], "target": [3]}', "pairs-count"),
        ("a.json", '{"source": [1, 2]}', "pairs-unreadable"),
        ("a.json", "[[1, 2, 3]]", "pairs-invalid"),
        ("a.json", "[[1, NaN]]", "pairs-invalid"),
        ("a.json", "[[1, [0, 0, Infinity]]]", "pairs-invalid"),
        ("a.json", "[[1, -1]]", "pairs-invalid"),
        ("a.json", "[[1, true]]", "pairs-invalid"),
        ("a.json", '[[1, "2"]]', "pairs-invalid"),
        ("a.json", "[[1, [0, 0]]]", "pairs-invalid"),
        ("a.json", "[" * 100_000, "pairs-unreadable"),
        ("a.json", "7", "pairs-unreadable"),
        ("a.csv", "1,2\n3\n", "pairs-unreadable"),
        ("a.csv", "1,2\nthree,4\n", "pairs-unreadable"),
        ("a.csv", "1.5,2\n", "pairs-invalid"),
        ("a.csv", "nan,2\n", "pairs-invalid"),
        ("a.csv", "0,0,0,nan,0,0\n", "pairs-invalid"),
        ("a.csv", "nothing here\n", "pairs-unreadable"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path: Path, name: str, text: str, code: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.code == code
    assert caught.value.fix


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.code == "pairs-unreadable"
    with pytest.raises(InputError) as caught:
        read(tmp_path / "b.csv")
    assert caught.value.code == "file-missing"


def test_numbers_of_arrays_are_numbers() -> None:
    pairs = checked(np.array([[1, 2], [3, 4]], np.int32))
    assert pairs == [(1, 2), (3, 4)]
    assert all(type(end) is int for pair in pairs for end in pair)
    assert checked([(np.zeros(3), 5)]) == [((0.0, 0.0, 0.0), 5)]
