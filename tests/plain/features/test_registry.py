"""Extractors are found: MeshKin's own, those in users' folders, those registered by a call. Nothing else names one."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import recipes, shapes
from helpers.places import CORE, ROOT
from helpers.rays import passes as cast_passes
from meshkin.base.errors import InputError, ModelError
from meshkin.base.progress import silent
from meshkin.data.views import of_recipe
from meshkin.features import photo, recipe, registry
from meshkin.features.compute import compute
from meshkin.features.extractor import PictureExtractor, SurfaceExtractor
from meshkin.features.joint import join
from meshkin.models import fetching

SURFACE = """
import numpy as np
from meshkin.features.extractor import SurfaceExtractor


class Toy(SurfaceExtractor):
    name, label = "toy", "Toy"

    def describe(self, snapshot, settings, report):
        return np.column_stack((snapshot.vertices, np.ones(len(snapshot.vertices))))


EXTRACTOR = Toy()
"""
PICTURES = '''
from dataclasses import dataclass
from meshkin.features.extractor import PictureExtractor, PictureLook, PictureReader
from meshkin.features.settings import Settings, number


@dataclass(frozen=True)
class ColorSettings(Settings):
    cells: int = number(8, 2, 64)
    resolution: int = number(64, 16, 1024)


class Colors(PictureExtractor):
    """What color each place of a picture has."""

    name, settings_type, auto = "colors", ColorSettings, 9

    def look(self, settings):
        return PictureLook("normal", 0.0, settings.resolution)

    def build(self, settings, models, device):
        return Reader(self.look(settings), settings.cells)


class Reader(PictureReader):
    channels = (3,)

    def __init__(self, look, cells):
        self.look, self.cells = look, cells

    def extract(self, images, report):
        from meshkin.features import pictures
        from meshkin.features.view_data import Grids

        for view in range(len(images.normal)):
            shown = pictures.make(images, slice(view, view + 1), self.look)
            yield Grids([view], [pictures.resize(shown, self.cells)])


EXTRACTOR = Colors()
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the user's extractors, empty at first."""
    monkeypatch.setenv(registry.FOLDERS, str(tmp_path / "extractors"))
    monkeypatch.setenv("MESHKIN_MODELS", str(tmp_path / "models"))
    (tmp_path / "extractors").mkdir()
    return tmp_path / "extractors"


def names() -> list[str]:
    return [extractor.name for extractor in registry.everything()]


OWN = ["dinov2", "efficientnet", "geometric", "diff3f", "family", "sd_dino"]


def test_own_extractors_in_the_order_of_auto(folder: Path) -> None:
    assert names() == OWN
    for extractor in registry.everything():
        assert extractor.label
        assert extractor.description
        assert extractor.code_version >= 1
        assert (extractor.__doc__ or "").strip()


def test_what_the_panel_offers(folder: Path) -> None:
    items = registry.choices()
    offered = ["auto", "dinov2", "diff3f", "diff3f+geometric", "family", "sd_dino", "geometric"]
    assert [item.features for item in items] == offered
    painted = {item.features for item in items if item.options}
    assert painted == {"diff3f", "diff3f+geometric"}
    assert registry.choice("diff3f").options == ("prompt", "negative_prompt", "profile", "seed")
    kinds = {item.features: item.model_kind for item in items}
    assert (kinds["auto"], kinds["dinov2"], kinds["geometric"], kinds["sd_dino"]) == (
        "dinov2", "dinov2", "", "stable-diffusion",
    )  # fmt: skip
    assert [item.features for item in items if not item.pictures] == ["geometric"]
    assert registry.choice("geometric+efficientnet").pictures
    assert [profile.value for profile in registry.profiles()] == ["fast", "reference"]


def test_listing_and_resolving_load_no_library(folder: Path) -> None:
    (folder / "toy.py").write_text(SURFACE.replace("import numpy as np\n", ""))
    listing = "from meshkin.features import registry, options; registry.choices(); registry.bundles()"
    resolving = "from meshkin.features import recipe; from meshkin.data.recipe import FeatureChoice;"
    resolving += "recipe.resolve(FeatureChoice('geometric+toy'))"
    heavy = "{'torch', 'scipy', 'igl', 'transformers', 'diffusers', 'PIL', 'safetensors'}"
    for code, unwanted in ((listing, f"{heavy} | {{'numpy'}}"), (resolving, heavy)):
        command = [sys.executable, "-c", f"{code}\nimport sys; print(sorted(({unwanted}) & set(sys.modules)))"]
        environment = {**os.environ, "PYTHONPATH": str(CORE)}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == "[]"


def test_a_users_module_is_found_described_and_joined(folder: Path) -> None:
    (folder / "toy.py").write_text(SURFACE)
    assert names() == [*OWN, "toy"]
    assert [(item.features, item.label) for item in registry.choices()][-1] == ("toy", "Toy")
    shape, other = shapes.bumpy(shapes.sphere(16, 8)), shapes.sphere(12, 8)
    found = recipes.resolve("toy+geometric", settings={"weight": 2.0})
    assert [(part.extractor, part.weight) for part in found.parts] == [("toy", 2.0), ("geometric", 1.0)]
    assert recipe.key(found, shape.key) != recipe.key(recipes.resolve("toy+geometric"), shape.key)
    features = [compute(each, found, None) for each in (shape, other)]
    described = np.column_stack((shape.vertices.astype(np.float64), np.ones(len(shape.vertices))))
    expected = 2 * described / np.linalg.norm(described, axis=1, keepdims=True)
    np.testing.assert_allclose(features[0].features[:, :4].astype(np.float64), expected, atol=2e-3)
    assert features[0].origin.channels == ((4,), (100,))
    joined = join(features)
    (intrinsic,) = joined.intrinsic  # the toy's columns are none
    assert intrinsic.columns.tolist() == [False] * 4 + [True] * 100
    assert intrinsic.describe(other, silent).shape == (len(other.vertices), 100)


def test_an_extractor_of_pictures(folder: Path) -> None:
    (folder / "colors").mkdir()
    (folder / "colors" / "__init__.py").write_text(PICTURES)
    found = recipes.resolve("colors", views=5, settings={"cells": 16}, resolution=50)
    assert found.parts[0].settings == {"cells": 16, "resolution": 50}
    assert recipe.painter(found) == ""
    shape = shapes.sphere(24, 12)
    seen = cast_passes(shape, of_recipe(shape, found))
    described = compute(shape, found, seen, "cpu")
    assert described.features.shape == (len(shape.vertices), 3)
    assert (described.seen > 0).mean() > 0.9
    with pytest.raises(InputError, match="cells") as caught:
        recipes.resolve("colors", settings={"cells": 1})
    assert caught.value.code == "features-option"
    with pytest.raises(InputError, match="“size”"):
        recipes.resolve("colors", settings={"size": 1})
    # It takes part in "auto", and photographs are described by it as well as renders.
    assert recipes.resolve("auto").name == "geometric+colors"
    chosen = recipes.resolve("auto", photo=True)
    assert chosen.name == "colors"
    pixels = np.full((40, 40, 3), 128, np.uint8)
    grid = photo.describe(pixels, np.ones((40, 40), bool), (0, 0, 40), chosen, "cpu", silent, cells=4)
    assert grid.shape == (4, 4, 3)


def test_photographs_need_extractors_that_can_describe_them(folder: Path) -> None:
    for name in ("geometric", "diff3f", "diff3f+geometric"):
        with pytest.raises(InputError) as caught:
            recipes.resolve(name, photo=True)
        assert caught.value.code == "photo-features"
        assert caught.value.fix
    with pytest.raises(ModelError):
        recipes.resolve("auto", photo=True)  # no model is there


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_of_this_name\n", "nothing_of_this_name"),
        ("EXTRACTOR = 3\n", "to no extractor"),
        ("pass\n", "to no extractor"),
        (SURFACE.replace('"toy"', '"Toy Story"'), "no name for an extractor"),
        (SURFACE.replace('"toy"', '"auto"'), "no name for an extractor"),
        (SURFACE.replace('"toy"', '"geometric"'), "already"),
        ("syntax error\n", "SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_used_is_named_and_spoils_nothing(folder: Path, text: str, reason: str) -> None:
    (folder / "broken.py").write_text(text)
    assert names() == OWN
    with pytest.raises(InputError, match=r"broken\.py") as caught:
        registry.find("toy")
    assert caught.value.code == "features-unknown"
    assert reason in caught.value.message


def test_several_folders_and_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.py").write_text(SURFACE.replace('"toy"', f'"{name}"'))
    monkeypatch.setenv(registry.FOLDERS, os.pathsep.join([str(tmp_path / "one"), "", str(tmp_path / "two")]))
    assert names() == [*OWN[:5], "one", "sd_dino", "two"]
    monkeypatch.setenv(registry.FOLDERS, "")
    assert names() == OWN
    monkeypatch.delenv(registry.FOLDERS)
    monkeypatch.setenv("MESHKIN_HOME", str(tmp_path / "home"))
    (tmp_path / "one").rename(tmp_path / "moved")
    (tmp_path / "home").mkdir()
    (tmp_path / "moved").rename(tmp_path / "home" / "extractors")
    assert names() == [*OWN[:5], "one", "sd_dino"]


def test_an_extractor_is_registered_by_a_call(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Height(SurfaceExtractor[Any]):
        name = "height"

        def describe(self, snapshot: Any, settings: Any, report: Any) -> Any:
            return snapshot.vertices[:, 2:]

    class Nameless(PictureExtractor[Any]):
        pass

    monkeypatch.setattr(registry, "_registered", {})
    registry.register(Height())
    assert names() == [*OWN[:5], "height", "sd_dino"]
    assert recipes.resolve("height").name == "height"
    with pytest.raises(InputError) as caught:
        registry.register(Nameless())
    assert caught.value.code == "extractor-invalid"


def test_models_that_are_fetched_together(folder: Path) -> None:
    bundles = registry.bundles()
    assert list(bundles) == ["embedded", "marigold", "diff3f", "sd_dino"]
    assert set(bundles["sd_dino"]) < set(bundles["diff3f"])
    with pytest.raises(ModelError, match="“embedded”, “marigold”, “diff3f”, “sd_dino”"):
        fetching.get("nothing", bundles=bundles)


def test_nothing_else_names_an_extractor() -> None:
    """No code outside of the extractors compares with, or looks up, the name of one.

    Kinds of models are another matter: some share the name of the extractor that was first to read them.
    """
    allowed = {"core/meshkin/models": {"dinov2", "efficientnet"}, "blender_addon/base/options.py": {"dinov2"}}
    allowed["core/meshkin/matching/shapes.py"] = {"geometric"}  # a default that users see
    allowed["core/meshkin/families/importing.py"] = {"diff3f"}  # the one that published families read
    allowed["core/meshkin/workflow/heads.py"] = {"dinov2"}  # the one whose maps heads are learnt on
    allowed["core/meshkin/workflow/try_it.py"] = {"geometric"}  # the one that needs no model and takes no minute
    allowed["core/meshkin/worker/jobs/datasets.py"] = {"efficientnet"}  # the kind of the model that looks at crops
    for path in [*(CORE / "meshkin").rglob("*.py"), *(ROOT / "blender_addon").rglob("*.py")]:
        place = path.relative_to(ROOT).as_posix()
        if place.startswith("core/meshkin/features/extractors/"):
            continue
        named = {
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and node.value in {*OWN} - {"family"}  # what is learnt has that name, too
        }
        known = set().union(*(names for start, names in allowed.items() if place.startswith(start)))
        assert named <= known, place
