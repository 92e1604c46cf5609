"""Each test starts with an empty file, the first from Blender's factory settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

import meshkin
from helpers import tiny_vision
from helpers.blender_exit import pytest_sessionfinish, pytest_unconfigure  # noqa: F401 - pytest's hooks
from helpers.empty_file import open_empty_file
from meshkin.worker import client


@pytest.fixture(scope="session", autouse=True)
def factory_settings() -> None:
    """Nothing of the user's preferences."""
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture(autouse=True)
def empty_file() -> Iterator[None]:
    """Throw away what the test before left.

    In Blender 4.2 the context would belong to a scene that is gone then, if a test has read its tool settings: writing
    to its window, as the exporter of glTF does, goes to freed memory, and Blender crashes some tests later.
    """
    open_empty_file()
    yield
    assert bpy.context.id_data is None, "something has read the tool settings of the context, not of the scene"


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """MeshKin's folders for a module: nothing of the user's is read or written.

    The worker is that of the module before: where the folders are goes with each job.
    """
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHKIN_CACHE", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def own_home(home: Path) -> Iterator[Path]:
    """All of MeshKin's folders for a module, its models too, also for the processes that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHKIN_HOME", str(home))
        for name in ("MESHKIN_CACHE", "MESHKIN_MODELS", "MESHKIN_BLENDER"):
            patch.delenv(name, raising=False)
        patch.setenv("PYTHONPATH", str(Path(meshkin.__file__).parents[1]))
        client.stop()
        yield home
        client.stop()


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A randomly initialized DINOv2 of the real architecture, saved as transformers saves it."""
    return tiny_vision.save(tmp_path_factory.mktemp("models") / "model")


@pytest.fixture(scope="module")
def small_model(home: Path, saved_model: str) -> str:
    """A module's own copy of that model."""
    return str(shutil.copytree(saved_model, home / "model"))


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """Take back what a test made of the environment variables: the add-on's preferences set some."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
