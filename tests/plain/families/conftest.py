"""Folders of MeshKin's for each test, and a family of beasts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.beasts import beast
from meshkin.data.recipe import Part, Recipe
from meshkin.families.teaching import Pupil

BASE = Recipe("geometric", None, 448, (Part("geometric", 1.0, {}),))
"""How the features of the beasts are said to be made."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESHKIN_HOME", str(tmp_path))
    for name in ("MESHKIN_MODELS", "MESHKIN_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def pupil() -> Callable[[float], Pupil]:
    """Makes a beast that is bent, whose features hardly tell its sides."""

    def make(bend: float, columns: int = 28) -> Pupil:
        shape, _, features = beast(columns, bend, 0.05)
        return Pupil(shape, features)

    return make
