"""Recipes of Diff3F: what counts for the key, which values cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers import recipes, small_diffusion
from helpers.painting import Resolve
from meshkin.base.errors import InputError
from meshkin.features import recipe

pytestmark = pytest.mark.usefixtures("home")


def test_the_key_holds_everything(resolve: Resolve, folders: dict[str, str], tmp_path: Path) -> None:
    small_diffusion.base(tmp_path / "other", seed=9)
    plain = resolve()
    changes: list[dict[str, Any]] = [
        {"prompt": "zebra"}, {"negative": "blur"}, {"template": "{}"}, {"profile": "reference"}, {"views": 5},
        {"taps": {"s3": 1.0}}, {"taps": {"up1": 2.0}}, {"layers": [2]}, {"fusion": 0.4}, {"share": 0.5},
        {"step_weights": [1.0, 1.0]}, {"steps": 12}, {"strength": 0.7}, {"eta": 0.5}, {"controls": [0.8, 0.7]},
        {"guidance": 3.0}, {"seed": 1}, {"noise": "shared"}, {"encoder": "sampled"}, {"conditioning": "published"},
        {"lifting": "published"}, {"finish": True}, {"base": str(tmp_path / "other")}, {"weight": 2.0},
        {"resolution": 128}, {"dino_resolution": 84}, {"normal": folders["depth"]}, {"tolerance": 0.02},
    ]  # fmt: skip
    keys = [recipe.key(resolve(**change), "shape") for change in changes]
    assert len({recipe.key(plain, "shape"), recipe.key(plain, "other shape"), *keys}) == len(changes) + 2
    assert recipe.key(resolve(compiled=True), "shape") == recipe.key(plain, "shape")


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 0}, {"steps": 2.5}, {"strength": 0.0}, {"strength": 0.01}, {"eta": 2}, {"guidance": 0.5},
        {"guidance": 1.0, "read": "negative"}, {"read": "both"}, {"taps": {}}, {"taps": {"up9": 1.0}}, {"taps": "up1"},
        {"taps": {"up1": 0.0}}, {"controls": [1.0]}, {"controls": 1.0}, {"share": 0}, {"fusion": 1.5},
        {"step_weights": [0, 0]}, {"layers": [9]}, {"layers": "1"}, {"dino_resolution": 71}, {"resolution": 100},
        {"template": "no place"}, {"prompt": 3}, {"seed": -1}, {"noise": "none"}, {"conditioning": ""},
        {"lifting": "high"}, {"tolerance": 0}, {"finish": 1}, {"color": "red"}, {"weight": 0},
    ],
)  # fmt: skip
def test_values_that_cannot_be(resolve: Resolve, settings: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        resolve(**settings)
    assert caught.value.code == "features-option"


def test_settings_without_diff3f() -> None:
    options: list[dict[str, Any]] = [
        {"profile": "fast"},
        {"settings": {"steps": 3}},
        {"seed": 1},
        {"negative_prompt": "x"},
    ]
    for more in options:
        with pytest.raises(InputError, match="no profile and no settings"):
            recipes.resolve("geometric", **more)
    with pytest.raises(InputError):
        recipes.resolve("diff3f", profile="slow")
