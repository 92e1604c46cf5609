"""What to compute, decided and checked before anything is rendered."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import recipes, shapes, small_models
from meshkin.base.errors import InputError, MeshKinError, ModelError
from meshkin.base.progress import silent
from meshkin.base.storage import models_folder
from meshkin.data.recipe import Recipe, ViewPlacement
from meshkin.data.views import of_recipe
from meshkin.features import recipe
from meshkin.features.building import build
from meshkin.models import checking


@pytest.fixture(autouse=True)
def no_hub(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that reaches nothing."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


@pytest.fixture
def vit() -> Path:
    """DINOv2's default model in the model cache."""
    small_models.dinov2(models_folder() / "facebook--dinov2-small")
    return models_folder() / "facebook--dinov2-small"


@pytest.fixture
def lite() -> Path:
    """EfficientNet's default model in the model cache."""
    small_models.efficientnet(models_folder() / "efficientnet-lite0")
    return models_folder() / "efficientnet-lite0"


def code_of(error: type[MeshKinError], *arguments: Any, **choice: Any) -> str:
    with pytest.raises(error) as caught:
        recipes.resolve(*arguments, **choice)
    assert caught.value.fix
    return str(caught.value.code)


def extractors(found: Recipe) -> list[str]:
    return [part.extractor for part in found.parts]


@pytest.mark.parametrize("online", [False, True])
def test_without_a_model_the_shape_alone_serves(online: bool) -> None:
    found = recipes.resolve("auto", online=online)
    assert extractors(found) == ["geometric"]
    assert found.name == "geometric"
    assert found.views is None
    assert not found.parts[0].models


def test_auto_takes_every_model_that_is_there(vit: Path) -> None:
    assert recipes.resolve().name == "dinov2+geometric"
    small_models.efficientnet(models_folder() / "efficientnet-lite0")
    found = recipes.resolve("auto")
    assert found.name == "dinov2+efficientnet+geometric"
    assert found.views == ViewPlacement("fibonacci", 24)
    assert found.resolution == 448
    assert found.parts[0].models["model"].checksum == checking.sha256(vit / checking.WEIGHTS_FILE)
    assert Recipe.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_damaged_model_is_not_passed_over(vit: Path) -> None:
    (vit / checking.WEIGHTS_FILE).write_bytes(b"damaged")
    assert code_of(ModelError, "auto") == "model-damaged"


def test_a_model_asked_for_that_is_not_there(tmp_path: Path) -> None:
    assert code_of(ModelError, "dinov2") == "model-missing"
    assert code_of(ModelError, "dinov2+geometric") == "model-missing"
    assert code_of(ModelError, "auto", model=str(tmp_path / "none")) == "model-missing"
    assert code_of(ModelError, "dinov2", online=True) == "model-download-failed"


def test_a_users_model_and_its_layers(tmp_path: Path, lite: Path) -> None:
    small_models.dinov2(tmp_path / "mine", seed=1)
    found = recipes.resolve("dinov2+efficientnet", model=str(tmp_path / "mine"), layers=[1, 3])
    part, other = found.parts
    model = part.models["model"]
    assert (model.name, model.folder, part.settings["layers"]) == ("mine", str(tmp_path / "mine"), [1, 3])
    assert (other.models["model"].folder, other.settings["stages"]) == (str(lite), [2, 4])
    assert recipes.resolve("dinov2", model=str(tmp_path / "mine")).parts[0].settings["layers"] == [3]
    assert recipes.resolve("efficientnet", layers=[0, 6]).parts[0].settings["stages"] == [0, 6]
    assert code_of(ModelError, "dinov2", model=str(lite)) == "model-wrong"


@pytest.mark.parametrize(
    ("resolution", "dinov2", "efficientnet"), [(512, 504, 512), (224, 224, 224), (100, 98, 96), (20, 14, 16)]
)
def test_parts_share_pictures_and_use_what_they_can_of_them(
    vit: Path, lite: Path, resolution: int, dinov2: int, efficientnet: int
) -> None:
    found = recipes.resolve("dinov2+efficientnet", resolution=resolution)
    assert found.resolution == resolution
    assert [part.settings["resolution"] for part in found.parts] == [dinov2, efficientnet]


@pytest.mark.parametrize(("name", "patch"), [("dinov3", 16), ("dino", 8), ("dinov2_with_registers", 14)])
def test_other_vision_transformers(tmp_path: Path, name: str, patch: int) -> None:
    small_models.transformer(tmp_path / "mine", name)
    found = recipes.resolve("dinov2", model=str(tmp_path / "mine"), resolution=100)
    assert found.parts[0].settings["resolution"] == 100 // patch * patch
    assert found.parts[0].settings["layers"] == [3]
    (grids,) = build(found.parts[0], "cpu").extract(small_models.views(2, 100), silent)
    assert grids.maps[0].shape == (2, 48, 100 // patch, 100 // patch)


def test_the_default_resolution_suits_the_patches(tmp_path: Path) -> None:
    small_models.transformer(tmp_path / "mine", "dinov3")
    file = tmp_path / "mine" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "patch_size": 10}))
    assert recipes.resolve("dinov2", model=str(tmp_path / "mine")).parts[0].settings["resolution"] == 440


def test_views_and_rings(vit: Path) -> None:
    assert recipes.resolve("dinov2", views=6).views == ViewPlacement("fibonacci", 6)
    assert recipes.resolve("dinov2", rings=[(0, 8), (45, 4)]).views == ViewPlacement("rings", rings=((0, 8), (45, 4)))


@pytest.mark.parametrize("name", ["", "dino", "dinov2+", "dinov2+magic", "geometric+geometric", "auto+dinov2"])
def test_unknown_features_name_what_there_is(name: str) -> None:
    with pytest.raises(InputError, match="dinov2, efficientnet, geometric") as caught:
        recipes.resolve(name)
    assert caught.value.code == "features-unknown"


@pytest.mark.parametrize(
    "choice",
    [
        {"views": 0},
        {"views": 2.5},
        {"views": -3},
        {"rings": [(120, 4)]},
        {"rings": [(0, 0)]},
        {"rings": [(0,)]},
        {"resolution": 5},
        {"resolution": 100_000},
        {"layers": [4]},
        {"layers": [1, 1]},
    ],
)
def test_options_that_cannot_be(vit: Path, choice: dict[str, Any]) -> None:
    assert code_of(InputError, "dinov2", **choice) == "features-option"


def test_the_shape_alone_has_no_layers() -> None:
    assert code_of(InputError, "geometric", layers=[3]) == "features-option"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weight", 0),
        ("weight", "much"),
        ("style", "toon"),
        ("background", 2),
        ("resolution", 100),
        ("layers", [9]),
        ("layers", [1.5]),
        ("layers", 1),
        ("color", 1),
        ("extractor", "magic"),
    ],
)
def test_a_recipe_edited_by_hand_is_checked(vit: Path, name: str, value: Any) -> None:
    found = recipes.with_part(recipes.resolve("dinov2"), **{name: value})
    with pytest.raises(InputError):
        recipe.check(found)
    with pytest.raises(InputError):
        build(found.parts[0])


def test_a_parameter_left_out(vit: Path) -> None:
    found = recipes.resolve("dinov2")
    part = found.parts[0]
    for lacking in (
        replace(part, settings={name: value for name, value in part.settings.items() if name != "layers"}),
        replace(part, models={}),
    ):
        with pytest.raises(InputError, match=r"layers|model"):
            recipe.check(replace(found, parts=(lacking,)))


@pytest.mark.parametrize(
    "views",
    [
        None,
        ViewPlacement("fibonacci", 0),
        ViewPlacement("fibonacci", 4, distance=0.4, angle=90),
        ViewPlacement("fibonacci", 4, distance=2.0),
        ViewPlacement("fibonacci", 4, distance=2.0, angle=180),
        ViewPlacement("rings"),
        ViewPlacement("rings", rings=((100.0, 4),)),
        ViewPlacement("grid", 4, without=(5,)),
        ViewPlacement("fibonacci", 4, without=(2, 1)),
    ],
)
def test_cameras_that_cannot_stand_so(vit: Path, views: ViewPlacement | None) -> None:
    with pytest.raises(InputError) as caught:
        recipe.check(replace(recipes.resolve("dinov2"), views=views))
    assert caught.value.code == "features-option"


def test_a_part_builds_its_reader(vit: Path, lite: Path) -> None:
    found = recipes.resolve("dinov2+efficientnet+geometric", layers=[1, 2], resolution=70)
    built = [build(part, "cpu") for part in found.parts[:2]]
    assert [one.channels for one in built] == [(48, 48), (12, 24)]
    assert [look.resolution for look in recipe.looks(found.parts)] == [70, 64]
    for one in built:
        grids = list(one.extract(small_models.views(3), silent))
        assert [tuple(values.shape[1:]) for values in grids[0].maps] in ([(48, 5, 5)] * 2, [(12, 8, 8), (24, 4, 4)])
    assert build(found.parts[0], "cpu") is build(Recipe.from_json(found.to_json()).parts[0], "cpu")


def test_the_key_holds_all_that_changes_the_features_and_nothing_else(vit: Path, tmp_path: Path) -> None:
    found = recipes.resolve("dinov2+geometric", resolution=140)
    keys = {recipe.key(found, "shape"), recipe.key(found, "other shape")}
    for change in (
        {"views": 6},
        {"rings": [(0, 4)]},
        {"resolution": 112},
        {"layers": [1]},
    ):
        keys.add(recipe.key(recipes.resolve("dinov2+geometric", **{"resolution": 140, **change}), "shape"))
    for name, value in (("weight", 0.4), ("style", "shading"), ("background", 0.5)):
        keys.add(recipe.key(recipes.with_part(found, **{name: value}), "shape"))
    other = replace(found.parts[0].models["model"], checksum="0" * 64)
    keys.add(recipe.key(recipes.with_part(found, models={"model": other}), "shape"))
    keys.add(recipe.key(recipes.resolve("geometric"), "shape"))
    assert len(keys) == 11
    moved = tmp_path / "moved"
    vit.rename(moved)
    same = recipes.resolve("dinov2+geometric", model=str(moved), resolution=140)
    assert recipe.key(same, "shape") == recipe.key(found, "shape")
    assert len(recipe.key(same, "shape")) == 32


def test_the_look_counts_only_where_color_is_wanted(vit: Path, lite: Path) -> None:
    plain = recipes.resolve("dinov2+efficientnet")
    textured = recipes.resolve("dinov2+efficientnet", style="textured", background=0.5)
    assert [part.settings["style"] for part in textured.parts] == ["textured"] * 2
    assert [part.settings["background"] for part in textured.parts] == [0.5] * 2
    assert (recipe.wants_color(plain), recipe.wants_color(textured)) == (False, True)
    assert recipe.key(plain, "shape", "one look") == recipe.key(plain, "shape", "other look")
    assert recipe.key(textured, "shape", "one look") != recipe.key(textured, "shape", "other look")


def test_views_left_out_are_no_cameras_but_part_of_the_key(vit: Path) -> None:
    shape = shapes.sphere(8, 6)
    for chosen in ({"views": 5}, {"rings": [(0, 3), (40, 2)]}):
        full = recipes.resolve("dinov2", **chosen)
        less = recipes.resolve("dinov2", without=[3, 1, 3], **chosen)
        assert less.views is not None
        assert less.views.without == (1, 3)
        one, two = (of_recipe(shape, each) for each in (full, less))
        np.testing.assert_array_equal(two.rotation, one.rotation[[0, 2, 4]])
        assert recipe.key(full, "shape") != recipe.key(less, "shape")
        for wrong in ([5], [-1], [0, 1, 2, 3, 4]):
            assert code_of(InputError, "dinov2", without=wrong, **chosen) == "features-option"
    assert recipes.resolve("geometric", without=[1]) == recipes.resolve("geometric")
