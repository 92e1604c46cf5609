"""Each fault happens in a place of its own: home, cache and temporary files, of which nothing may be left behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

import helpers.outcomes
import meshkin
from helpers import tiny_vision
from helpers.blender_exit import pytest_sessionfinish, pytest_unconfigure  # noqa: F401 - pytest's hooks
from helpers.empty_file import open_empty_file
from helpers.outcomes import Outcomes
from helpers.places import Place
from meshkin.worker import client

TABLE = Path(__file__).with_name("outcomes.txt")
"""The table of a run by hand."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--by-hand`` runs every case, and writes the table; that takes about an hour."""
    parser.addoption("--by-hand", action="store_true", help=f"run every case, and write {TABLE.name}")


def pytest_configure(config: pytest.Config) -> None:
    """Tell the modules which cases to collect."""
    helpers.outcomes.by_hand = config.getoption("--by-hand")


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> Iterator[Outcomes]:
    """What comes of each case."""
    made = Outcomes()
    yield made
    if request.config.getoption("--by-hand"):
        made.write(TABLE)


@pytest.fixture(autouse=True)
def empty_file() -> None:
    """Throw away what the test before left in Blender."""
    open_empty_file()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """MeshKin's folders for a test, also for the processes that it starts; temporary files are gone in the end."""
    made = Place(tmp_path / "home", tmp_path / "temporary", tmp_path / "work")
    for folder in (made.home, made.temporary, made.work):
        folder.mkdir()
    monkeypatch.setenv("MESHKIN_HOME", str(made.home))
    monkeypatch.setenv("PYTHONPATH", str(Path(meshkin.__file__).parents[1]))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("TMPDIR", str(made.temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    for name in ("MESHKIN_CACHE", "MESHKIN_MODELS", "MESHKIN_BLENDER"):
        monkeypatch.delenv(name, raising=False)
    client.stop()
    yield made
    client.stop()
    own = Path(bpy.app.tempdir)  # this process's, if a test has begun a new file
    assert not [left for left in made.temporary.iterdir() if left != own], "temporary files are left"


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A randomly initialized DINOv2."""
    return tiny_vision.save(tmp_path_factory.mktemp("models") / "model")
