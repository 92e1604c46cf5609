"""What tests of several modules start from. Libraries that few of them need are imported where they are used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from helpers.painting import Resolve
    from meshkin.data.recipe import Recipe
    from meshkin.data.snapshot import Snapshot


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test, and a pip that reaches nothing."""
    monkeypatch.setenv("MESHKIN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MESHKIN_MODELS", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return tmp_path / "home"


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders of the small random models that Diff3F needs, by role."""
    from helpers import small_diffusion

    return small_diffusion.everything(tmp_path_factory.mktemp("models"))


@pytest.fixture
def resolve(folders: dict[str, str]) -> Resolve:
    """Makes a recipe of Diff3F on the small models."""
    from helpers import recipes
    from helpers.painting import SMALL

    def make(profile: str = "fast", views: int = 4, prompt: str = "potato", **settings: Any) -> Recipe:
        chosen = {**folders, **SMALL, **settings}
        return recipes.resolve("diff3f", profile=profile, views=views, prompt=prompt, settings=chosen)

    return make


@pytest.fixture(scope="module")
def potato() -> Snapshot:
    from helpers import shapes

    return shapes.bumpy(shapes.sphere(24, 12))
