"""Recipes cross between processes as JSON, every field checked."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from helpers.places import CORE
from meshkin.base.errors import InputError
from meshkin.base.json_data import from_json, to_json
from meshkin.data.recipe import FeatureChoice, Part, PartModel, Recipe, ViewPlacement

MODEL = PartModel("facebook/dinov2-small", "/models/small", "0" * 64, "Apache-2.0")
RECIPE = Recipe(
    "dinov2+geometric",
    ViewPlacement("rings", rings=((0.0, 8), (30.5, 6)), distance=0.65, angle=90.0, without=(1, 3)),
    448,
    (
        Part("dinov2", 0.5, {"layers": [9, 11], "style": "normal", "taps": {"s3": 1.0}, "none": None}, {"main": MODEL}),
        Part("geometric", 1.0),
    ),
)


def test_a_recipe_survives_the_way_through_json() -> None:
    assert Recipe.from_json(json.loads(json.dumps(RECIPE.to_json()))) == RECIPE
    alone = Recipe("geometric", None, 448, (Part("geometric", 1.0),))
    assert Recipe.from_json(json.loads(json.dumps(alone.to_json()))) == alone


def test_a_choice_survives_the_way_through_json() -> None:
    choice = FeatureChoice("dinov2", layers=(3,), rings=((0.0, 8),), settings={"taps": {"s3": 1}}, photo=True)
    assert from_json(FeatureChoice, json.loads(json.dumps(to_json(choice)))) == choice
    assert from_json(FeatureChoice, {}) == FeatureChoice()


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("resolution",), "large", "Recipe.resolution must be a whole number"),
        (("resolution",), True, "Recipe.resolution must be a whole number"),
        (("resolution",), 4.5, "Recipe.resolution must be a whole number"),
        (("views",), [], "Recipe.views must be an object"),
        (("views", "pattern"), "star", "Recipe.views.pattern must be “fibonacci” or “rings” or “grid”"),
        (("views", "rings", 0), [1.0], r"Recipe.views.rings\[0\] must be a list of 2"),
        (("views", "rings", 0, 1), "many", r"Recipe.views.rings\[0\]\[1\] must be a whole number"),
        (("parts", 0, "weight"), None, r"Recipe.parts\[0\].weight must be a number"),
        (("parts", 0, "models", "main", "folder"), 3, r"Recipe.parts\[0\].models.main.folder must be a text"),
        (("parts", 0, "settings"), "none", r"Recipe.parts\[0\].settings must be an object"),
        (("parts", 1, "extra"), 1, r"Recipe.parts\[1\] has no field “extra”"),
        (("parts",), {}, "Recipe.parts must be a list"),
    ],
)
def test_a_wrong_field_is_named(path: tuple[str | int, ...], value: object, named: str) -> None:
    data: Any = json.loads(json.dumps(RECIPE.to_json()))
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(InputError, match=named) as caught:
        Recipe.from_json(data)
    assert caught.value.code == "data-invalid"
    assert caught.value.fix


def test_a_missing_field_is_named() -> None:
    data: Any = RECIPE.to_json()
    del data["parts"][1]["weight"]
    with pytest.raises(InputError, match=r"Recipe.parts\[1\] lacks the field “weight”"):
        Recipe.from_json(data)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError, match="set"):
        to_json(Part("toy", 1.0, {"names": {1, 2}}))  # type: ignore[dict-item]


def test_recipes_need_the_standard_library_alone() -> None:
    code = "import sys; import meshkin.data.recipe; print(sorted({'numpy', 'torch', 'scipy'} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env={"PYTHONPATH": str(CORE)}, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
