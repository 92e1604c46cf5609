"""Recipes: what a user asks for, resolved to extractors, settings and models; checked; named in the cache.

Models are located here, but neither loaded nor is any heavy library imported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..base.errors import InputError, ModelError
from ..base.json_data import Json, to_json
from ..base.progress import ProgressCallback, silent
from ..data.recipe import FeatureChoice, Part, PartModel, Recipe, ViewPlacement
from ..data.views import RESOLUTIONS, placed_count
from ..models import locating
from . import derived, registry
from .extractor import DerivedExtractor, Extractor, PictureExtractor, PictureLook, Profile, SettingsType
from .registry import AnyExtractor
from .settings import Settings, read, require

CODE = 3
"""Raised whenever the same recipe would give other features for a reason that no extractor's own ``code_version``
tells."""

VIEWS = 24
"""Views of a shape, by default. Chosen: every place of a body is seen by several of them."""
MOST_VIEWS = 1000
"""Views of one object (chosen: twenty times what the published methods use)."""
RESOLUTION = 448
"""Pixels along a picture where no extractor looks at pictures. Chosen: 32 patches of 14 px, 14 cells of 32 px."""


def resolve(choice: FeatureChoice, report: ProgressCallback = silent) -> Recipe:
    """The full recipe for what a user asks for; models are located and checked here, before anything is rendered.

    Args:
        choice: what the user asks for.
        report: told about a download; may raise Cancelled.

    Raises:
        InputError: ``features-unknown`` for an unknown extractor, ``features-option`` for a value that is not allowed,
            ``photo-features`` where a photograph is to be described and cannot be.
        ModelError: as :func:`meshkin.models.locate`.
    """
    members = _for_photos(choice) if choice.photo else registry.find_all(choice.name)
    main = registry.main_of(members)
    _check_options(choice, members, main)
    parts = []
    placement: ViewPlacement | None = None
    for extractor in members:
        try:
            part, own_placement = _resolve_part(extractor, choice, extractor is main, report)
        except ModelError as error:
            absent = error.code in ("model-missing", "model-download-failed")
            if (
                absent
                and choice.name in (registry.AUTO, registry.PICTURES)
                and not (extractor is main and choice.model)
            ):
                continue
            raise
        parts.append(part)
        placement = own_placement or placement
    if not parts:
        raise ModelError("model-missing", "No model that looks at pictures has been fetched yet.", locating.GET_FIX)
    if choice.layers and not (main and main.name in {part.extractor for part in parts}):
        raise _no_layers(choice)
    resolutions = [look.resolution for look in looks(parts)]
    recipe = Recipe(
        "+".join(part.extractor for part in parts),
        _placement(choice, placement) if resolutions else None,
        choice.resolution or max(resolutions, default=RESOLUTION),
        tuple(parts),
    )
    return check(_with_views_of_base(recipe))


def check(recipe: Recipe) -> Recipe:
    """The recipe, if every value in it is allowed.

    Raises InputError ``features-unknown``, ``features-option``; ModelError ``model-wrong`` where models do not go
    together.
    """
    require(bool(recipe.parts), "parts", recipe.parts, "at least one")
    for part in recipe.parts:
        check_part(part)
    if not looks(recipe.parts):
        return recipe
    least, most = RESOLUTIONS
    require(
        _whole(recipe.resolution) and least <= recipe.resolution <= most,
        "resolution",
        recipe.resolution,
        f"a whole number from {least} to {most}",
    )
    if recipe.views is None:
        raise InputError("features-option", "There are no views of the pictures.", "Ask for at least one.")
    _check_placement(recipe.views)
    return recipe


def check_part(part: Part) -> AnyExtractor:
    """The extractor of a part whose values are all allowed; raises as :func:`check`."""
    extractor = registry.find(part.extractor)
    _weight(part.weight)
    settings = extractor.settings_of(part)
    if isinstance(extractor, DerivedExtractor):
        require(part.base is not None, f"{extractor.name}: base", "missing", "given")
        check_base(check(part.base))  # type: ignore[arg-type]
    for role, asked in extractor.roles.items():
        needed = role in extractor.needed_roles(settings) and not asked.optional
        require(not needed or role in part.models, f"{extractor.name}: {role}", "missing", "given")
    extractor.check(settings, part.models)
    if isinstance(extractor, PictureExtractor):
        cell, resolution = extractor.cell_size(settings, part.models), extractor.look(settings).resolution
        require(resolution % cell == 0, "resolution", resolution, f"a multiple of {cell}")
    return extractor


def check_base(recipe: Recipe) -> Recipe:
    """The recipe, if other features can be made of its own; raises InputError ``family-base``."""
    derived = [part.extractor for part in recipe.parts if part.base is not None]
    if derived:
        message = f"Features “{derived[0]}” are made of others already; none are made of them."
        raise InputError("family-base", message, "Choose the features that they are made of.")
    return recipe


def wants_color(recipe: Recipe) -> bool:
    """Whether the recipe needs the objects' own colors rendered."""
    return any(look.style == "textured" for look in looks(recipe.parts))


def painter(recipe: Recipe) -> str:
    """The label of the recipe's extractor that makes pictures of its own for people to see; "" where none does."""
    for part in _seeing(recipe.parts):
        extractor = registry.find(part.extractor)
        if isinstance(extractor, PictureExtractor) and extractor.paints(extractor.settings_of(part)):
            return extractor.label or extractor.name
    return ""


def looks(parts: Iterable[Part]) -> list[PictureLook]:
    """The pictures that the parts look at, of those that do."""
    members = [(part, registry.find(part.extractor)) for part in _seeing(parts)]
    return [
        extractor.look(extractor.settings_of(part))
        for part, extractor in members
        if isinstance(extractor, PictureExtractor)
    ]


def _seeing(parts: Iterable[Part]) -> Iterator[Part]:
    """The parts, with those of their bases in place of parts that are made of others."""
    for part in parts:
        yield from (part,) if part.base is None else _seeing(part.base.parts)


def key(recipe: Recipe, shape: str, look: str = "") -> str:
    """Name in the cache of the features of a shape by a recipe, 32 hex digits.

    Everything that changes the features counts: all settings, the models' checksums, the code's version, the shape.
    Where a model lies and what it is called do not.

    Args:
        recipe: as :func:`resolve` makes it.
        shape: the mesh's :attr:`meshkin.data.snapshot.Snapshot.key`.
        look: content hash of its materials; counts only where the recipe wants color.
    """
    parts = []
    for part in recipe.parts:
        extractor = registry.find(part.extractor)
        settings = {name: value for name, value in part.settings.items() if name not in extractor.transient}
        checksums = {role: model.checksum for role, model in part.models.items()}
        parts.append([part.extractor, extractor.code_version, part.weight, settings, checksums])
        if part.base is not None:
            parts.append([key(part.base, "")])
    seen = [shape, look] if wants_color(recipe) else [shape]
    text = json.dumps([CODE, seen, to_json(recipe.views), recipe.resolution, parts], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


# What a choice means ---------------------------------------------------------------------------------------------


def _for_photos(choice: FeatureChoice) -> list[AnyExtractor]:
    """The extractors of a choice that look at pictures; raises InputError ``photo-features``."""
    members = [each for each in registry.find_all(choice.name) if isinstance(each, PictureExtractor | DerivedExtractor)]
    if not members:
        raise InputError("photo-features", "A photo cannot be compared by shape alone.", "Choose other features.")
    for extractor in members:
        if isinstance(extractor, PictureExtractor) and extractor.photo_refusal:
            able = [
                f"“{other.name}”"
                for other in registry.everything()
                if isinstance(other, PictureExtractor) and not other.photo_refusal
            ]
            raise InputError(
                "photo-features", extractor.photo_refusal, f"Choose {', '.join(able)} or “{registry.AUTO}”."
            )
    return list(members)


def _check_options(choice: FeatureChoice, members: Sequence[AnyExtractor], main: AnyExtractor | None) -> None:
    """Raise InputError ``features-option`` for options that none of the extractors takes."""
    settable = any(extractor.settable for extractor in members)
    profiles = any(extractor.profiles for extractor in members)
    taken = {role for extractor in members for role in _optional_roles(extractor)}
    if (choice.profile and not profiles) or (_named_settings(choice).keys() - taken and not settable):
        raise InputError("features-option", f"“{choice.name}” has no profile and no settings.", "Leave them out.")
    if choice.layers and not (main and main.layers_setting):
        raise _no_layers(choice)


def _no_layers(choice: FeatureChoice) -> InputError:
    return InputError("features-option", f"“{choice.name}” has no layers to choose.", "Leave them out.")


def _resolve_part(
    extractor: Extractor[SettingsType], choice: FeatureChoice, main: bool, report: ProgressCallback
) -> tuple[Part, ViewPlacement | None]:
    """An extractor's part of the recipe, and where it wants the cameras."""
    asked = _asked_of(extractor, choice, main)
    profile = _profile(extractor, choice.profile)
    settings = read(extractor.settings_type, {**_values(profile.settings), **asked.settings}, extractor.name)
    located = {}
    for role in extractor.needed_roles(settings):
        wanted = extractor.roles[role]
        name = asked.models.get(role) or wanted.default
        if name or not wanted.optional:
            model = locating.locate(wanted.kind, name, online=choice.online, bundles=registry.bundles(), report=report)
            located[role] = PartModel(model.name, str(model.folder), model.checksum, model.license)
    settings = extractor.complete(settings, located)
    if isinstance(extractor, DerivedExtractor):
        base = derived.base_of(extractor.base(located), choice, located, resolve, report)
        return Part(extractor.name, asked.weight, _values(settings), located, base), base.views
    if isinstance(extractor, PictureExtractor) and choice.resolution is not None and "resolution" not in asked.settings:
        # Every extractor shares the rendered pictures and uses the largest whole number of its cells.
        resolution = extractor.multiple_of_cell(choice.resolution, settings, located)
        settings = read(extractor.settings_type, {**_values(settings), "resolution": resolution}, extractor.name)
    return Part(extractor.name, asked.weight, _values(settings), located), profile.views


@dataclass(frozen=True)
class _Asked:
    """What a choice asks of one extractor: weight, settings by name, models by role."""

    weight: float
    settings: Mapping[str, Json] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)


def _asked_of(extractor: Extractor[SettingsType], choice: FeatureChoice, main: bool) -> _Asked:
    """What a choice asks of an extractor: options go to the settings of the same name, named settings win over them.

    Args:
        extractor: the extractor.
        choice: what the user asks for.
        main: whether ``choice.model`` and ``choice.layers`` are meant for this extractor.
    """
    style = choice.style or ("textured" if choice.photo else None)
    options: dict[str, Json] = {"prompt": choice.prompt or None, "style": style, "background": choice.background}
    fields = extractor.settings_type.__dataclass_fields__
    settings: dict[str, Json] = {name: value for name, value in options.items() if value is not None and name in fields}
    named_models: dict[str, str] = {}
    if main and choice.model:
        named_models[next(iter(extractor.roles))] = choice.model
    if main and choice.layers:
        settings[extractor.layers_setting] = list(choice.layers)
    weight: Json = extractor.weight
    named = _named_settings(choice)
    if not extractor.settable:
        named = {name: value for name, value in named.items() if name in _optional_roles(extractor)}
    for name, value in named.items():
        if name == "weight":
            weight = value
        elif name not in extractor.roles:
            settings[name] = value
        elif value:
            named_models[name] = str(value)
    return _Asked(_weight(weight), settings, named_models)


def _optional_roles(extractor: Extractor[Any]) -> list[str]:
    """The models that users may give to an extractor by name, whether or not they may set its settings."""
    return [name for name, role in extractor.roles.items() if role.optional]


def _named_settings(choice: FeatureChoice) -> dict[str, Json]:
    """The settings that a choice gives by name, its negative prompt and its seed among them."""
    options: dict[str, Json] = {"negative": choice.negative_prompt or None, "seed": choice.seed}
    return {**{name: value for name, value in options.items() if value is not None}, **choice.settings}


def _weight(weight: Json) -> float:
    """The weight of a part, if it is allowed."""
    number = weight if isinstance(weight, int | float) and not isinstance(weight, bool) else 0.0
    require(0 < number < 1000, "weight", weight, "a number above 0 and below 1000")
    return float(number)


def _profile(extractor: Extractor[SettingsType], name: str | None) -> Profile[SettingsType]:
    known = [profile.value for profile in extractor.profiles]
    if name and known and name not in known:
        raise InputError("features-option", f"There is no profile “{name}”.", f"Choose {' or '.join(known)}.")
    return extractor.profile(name or "")


def _with_views_of_base(recipe: Recipe) -> Recipe:
    """The recipe with the views and the resolution of the base that one of its parts is made of.

    Raises InputError ``family-recipe`` where two parts are made of bases with different ones.
    """
    bases = [part.base for part in recipe.parts if part.base is not None and part.base.views is not None]
    if not bases:
        return recipe
    if any((base.views, base.resolution) != (bases[0].views, bases[0].resolution) for base in bases):
        raise InputError("family-recipe", "The features were learned from different views.", "Use one of them.")
    return replace(recipe, views=bases[0].views, resolution=bases[0].resolution)


def _placement(choice: FeatureChoice, own: ViewPlacement | None) -> ViewPlacement:
    """The views asked for; ``own`` are those of an extractor, whose number and cameras hold unless told otherwise."""
    placement = own or ViewPlacement("fibonacci", VIEWS)
    if choice.rings:
        rings = tuple((elevation, count) for elevation, count in choice.rings)
        placement = replace(placement, pattern="rings", count=0, rings=rings)
    elif choice.views is not None:
        placement = replace(placement, count=choice.views)
    return replace(placement, without=tuple(sorted(set(choice.without))))


def _check_placement(views: ViewPlacement) -> None:
    """Raise InputError ``features-option`` for cameras that cannot stand so."""
    require((views.distance is None) == (views.angle is None), "distance", views.distance, "given with the angle")
    if views.distance is not None and views.angle is not None:
        require(0.5 < views.distance < 100, "distance", views.distance, "above 0.5 and below 100")
        require(1 <= views.angle < 180, "angle", views.angle, "from 1 to below 180 degrees")
    if views.pattern == "rings":
        good = [-90 <= elevation <= 90 and _whole(count) and count > 0 for elevation, count in views.rings]
        require(bool(good) and all(good), "rings", views.rings, "pairs of an elevation and a number of views")
        total = sum(count for _, count in views.rings)
        require(total <= MOST_VIEWS, "rings", views.rings, f"of {MOST_VIEWS} views at most")
    else:
        possible = _whole(views.count) and 1 <= views.count <= MOST_VIEWS
        require(possible, "views", views.count, f"from 1 to {MOST_VIEWS}")
    count = placed_count(views)
    numbers = all(_whole(view) and 0 <= view < count for view in views.without)
    ascending = list(views.without) == sorted(set(views.without))
    require(numbers and ascending and len(views.without) < count, "without", views.without, f"some of 0 to {count - 1}")


def _values(settings: Settings) -> Mapping[str, Json]:
    """Settings as JSON data by name."""
    values = to_json(settings)
    assert isinstance(values, Mapping)
    return values


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
