"""The recipe of the features that others are made of: found again where its models lie now, and no other accepted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from ..base.errors import InputError
from ..base.json_data import Json
from ..base.progress import ProgressCallback
from ..data.recipe import FeatureChoice, Part, PartModel, Recipe
from ..models import locating
from . import registry

Resolve = Callable[[FeatureChoice, ProgressCallback], Recipe]
"""Finds the recipe of a choice: :func:`meshkin.features.recipe.resolve`."""


def base_of(
    base: Recipe | FeatureChoice,
    choice: FeatureChoice,
    models: Mapping[str, PartModel],
    resolve: Resolve,
    report: ProgressCallback,
) -> Recipe:
    """The recipe of the features that those of an extractor are made of.

    Args:
        base: what the extractor says of it.
        choice: what the user asks for: nothing else than this recipe, whose prompt alone may differ.
        models: of the extractor; the error calls the first one by its name.
        resolve: finds the recipe where only a choice is known.
        report: told about a download; may raise Cancelled.

    Raises InputError ``family-recipe``, ModelError as :func:`meshkin.models.locate`.
    """
    name = next(iter(models.values())).name
    if isinstance(base, FeatureChoice):
        asked = replace(choice, name=base.name, profile=choice.profile or base.profile, settings={}, photo=False)
        return resolve(asked, report)
    for option, value, own in _asked(choice, base):
        if value != own:
            raise _other_recipe(name, base, f"{option} {_shown(value)}, not {_shown(own)}")
    return replace(base, parts=tuple(_moved(part, name, base, choice, report) for part in base.parts))


def _moved(part: Part, name: str, base: Recipe, choice: FeatureChoice, report: ProgressCallback) -> Part:
    """A part of a base with its models where they lie now, and the prompt that is asked for."""
    extractor = registry.find(part.extractor)
    models = {}
    for role, noted in part.models.items():
        kind = extractor.roles[role].kind
        place = noted.folder if Path(noted.folder).is_dir() else noted.name
        found = locating.locate(kind, place, online=choice.online, report=report, bundles=registry.bundles())
        if found.checksum != noted.checksum:
            raise _other_recipe(name, base, f"the model “{noted.name}” has other weights here")
        models[role] = replace(noted, folder=str(found.folder))
    settings = dict(part.settings)
    if choice.prompt and "prompt" in settings:
        settings["prompt"] = choice.prompt
    return replace(part, models=models, settings=settings)


def _asked(choice: FeatureChoice, base: Recipe) -> list[tuple[str, Json | object, Json | object]]:
    """What a choice asks for that its base settles: option, value, and the value of the base."""
    views = base.views
    settings = base.parts[0].settings
    asked: list[tuple[str, object, object]] = []
    if choice.views is not None:
        asked.append(("views", choice.views, views.count if views else 0))
    if choice.rings:
        asked.append(("rings", tuple(choice.rings), views.rings if views else ()))
    if choice.without:
        asked.append(("views to leave out", tuple(sorted(set(choice.without))), views.without if views else ()))
    if choice.resolution is not None:
        asked.append(("resolution", choice.resolution, base.resolution))
    style = choice.style or ("textured" if choice.photo else None)
    for option, value in (("style", style), ("background", choice.background)):
        if value is not None and option in settings:
            asked.append((option, value, settings[option]))
    return asked


def _other_recipe(name: str, base: Recipe, difference: str) -> InputError:
    """The error that other features are asked for than those that a family was learned from."""
    return InputError(
        "family-recipe",
        f"The family “{name}” was learned from features “{base.name}” that were made otherwise: {difference}.",
        "Leave that option at its default, or learn a family from the features that you want.",
    )


def _shown(value: object) -> str:
    return ", ".join(str(each) for each in value) if isinstance(value, tuple) else f"“{value}”"
