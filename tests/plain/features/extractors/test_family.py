"""Families as features: wrapped around the recipe that they were learned from, and no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers import recipes, small_models
from helpers.beasts import beast
from meshkin.base.errors import InputError
from meshkin.base.progress import silent
from meshkin.base.storage import models_folder
from meshkin.cache import store as cache
from meshkin.data.recipe import Recipe
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import of_recipe
from meshkin.families import kept, record
from meshkin.families.network import FamilyNetwork
from meshkin.features import building, photo, recipe
from meshkin.features.compute import compute
from meshkin.features.ray_casting import cast_passes

SMALL = {"views": 2, "resolution": 112}
MODEL = "facebook--dinov2-small"
WIDTH = 48
"""Channels of the small model."""


@pytest.fixture
def vit(home: Path) -> Path:
    """DINOv2's default model in the model cache."""
    building._built.cache_clear()
    small_models.dinov2(models_folder() / MODEL)
    return models_folder() / MODEL


def keep(name: str, base: Recipe, seed: int = 0, width: int = WIDTH) -> kept.Family:
    """Keep a family without sides, its network as it was initialized."""
    torch.manual_seed(seed)
    network = FamilyNetwork((width, 16, 8)).eval()
    about = record.FamilyRecord(name, "2025-01-01T00:00:00", network.widths, 0.0, base, base.name)
    family = kept.Family(about, network, None)
    kept.store(family, replace=True)
    return family


def found(name: str = "beasts", features: str = "family", **options: Any) -> Recipe:
    return recipes.resolve(features, settings={"family": name}, **options)


def test_it_takes_views_and_pictures_of_its_base(vit: Path) -> None:
    base = recipes.resolve("dinov2", **SMALL)
    keep("beasts", base)
    own = found()
    assert (own.views, own.resolution) == (base.views, base.resolution)
    assert own.parts[0].base == base
    assert Recipe.from_json(own.to_json()) == own
    both = found(features="family+geometric")
    assert (both.views, both.resolution) == (base.views, base.resolution)
    assert recipe.looks(own.parts) == recipe.looks(base.parts)
    assert found(views=2, resolution=112) == own


def test_other_recipes_are_refused_by_name(vit: Path) -> None:
    keep("beasts", recipes.resolve("dinov2", **SMALL))
    for options in ({"views": 3}, {"resolution": 224}, {"style": "shading"}, {"background": 0.0}, {"without": [0]}):
        with pytest.raises(InputError, match="“beasts” was learned from features “dinov2”") as caught:
            found(**options)
        assert caught.value.code == "family-recipe"
    with pytest.raises(InputError, match="textured"):
        found(photo=True)
    small_models.dinov2(vit, seed=5)
    with pytest.raises(InputError, match="other weights"):
        found()


def test_none_is_made_of_another(vit: Path) -> None:
    keep("beasts", recipes.resolve("dinov2", **SMALL))
    with pytest.raises(InputError) as caught:
        recipe.check_base(found())
    assert caught.value.code == "family-base"


def test_the_cache_tells_families_apart(vit: Path) -> None:
    base = recipes.resolve("dinov2", **SMALL)
    keep("beasts", base)
    key = recipe.key(found(), "shape")
    assert key == recipe.key(found(), "shape")
    assert key != recipe.key(base, "shape")
    keep("beasts", base, seed=1)
    assert recipe.key(found(), "shape") != key


def described(shape: Snapshot, asked: Recipe) -> np.ndarray:
    assert asked.views is not None
    passes = cast_passes(shape, of_recipe(shape, asked), silent)
    return compute(shape, asked, passes, "cpu").features


def test_its_features_are_made_of_the_cached_ones(vit: Path) -> None:
    base = recipes.resolve("dinov2", **SMALL)
    family = keep("beasts", base)
    shape = beast(16, 0.1, 0.0)[0]
    own = described(shape, found())
    path = cache.features_path(recipe.key(base, shape.key))
    raw = cache.read(path).features
    np.testing.assert_allclose(own, family.of_cells(raw), atol=2e-3)
    np.testing.assert_array_equal(compute(shape, found(), None, "cpu").features, own)
    joined = compute(shape, found(features="family+geometric"), None, "cpu")
    assert joined.origin.channels[0] == (8,)
    np.testing.assert_array_equal(joined.features[:, :8], own)


def test_photographs_are_described_as_shapes_are(vit: Path) -> None:
    base = recipes.resolve("dinov2", **SMALL, style="textured")
    family = keep("beasts", base)
    color = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    everywhere, window = np.ones((64, 64), bool), (0, 0, 64)
    own = photo.describe(color, everywhere, window, found(photo=True), "cpu", silent, 8)
    raw = photo.describe(color, everywhere, window, base, "cpu", silent, 8)
    expected = family.of_cells(raw.reshape(64, -1)).reshape(8, 8, -1)
    np.testing.assert_allclose(own, expected, atol=1e-5)


def test_features_of_another_width_are_refused(vit: Path) -> None:
    base = recipes.resolve("dinov2", **SMALL)
    keep("beasts", base, width=WIDTH + 1)
    with pytest.raises(InputError) as caught:
        described(beast(12, 0.0, 0.0)[0], found())
    assert caught.value.code == "family-recipe"


def test_a_recipe_without_base_is_refused(vit: Path) -> None:
    keep("beasts", recipes.resolve("dinov2", **SMALL))
    own = found()
    with pytest.raises(InputError, match="base"):
        recipe.check(replace(own, parts=(replace(own.parts[0], base=None),)))
