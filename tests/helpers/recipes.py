"""Recipes for tests, and the readers they describe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from meshkin.base.json_data import Json
from meshkin.data.recipe import FeatureChoice, Part, Recipe
from meshkin.features import recipe, registry
from meshkin.features.extractor import PictureExtractor
from meshkin.features.settings import Settings, read


def resolve(name: str = "auto", **options: Any) -> Recipe:
    """The recipe of a choice, whose options are checked as where they come from Blender."""
    return recipe.resolve(read(FeatureChoice, {"name": name, **options}, "choice"))


def with_part(found: Recipe, **changes: Any) -> Recipe:
    """The recipe with its first part changed: its fields, or settings by name."""
    part = found.parts[0]
    fields = {name: value for name, value in changes.items() if name in Part.__dataclass_fields__}
    settings = {**part.settings, **{name: value for name, value in changes.items() if name not in fields}}
    return replace(found, parts=(replace(part, **{"settings": settings, **fields}), *found.parts[1:]))


def settings_of(part: Part) -> Any:
    """The settings of a part, of its extractor's own class."""
    settings: Settings = registry.find(part.extractor).settings_of(part)
    return settings


def picture_extractor(name: str) -> PictureExtractor[Any]:
    """A registered extractor that looks at pictures."""
    extractor = registry.find(name)
    assert isinstance(extractor, PictureExtractor)
    return extractor


def setting(part: Part, name: str) -> Json:
    """One setting of a part, as JSON."""
    return part.settings[name]
