"""Features of objects: computed once, kept in the cache, shown as attributes on the meshes."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import InputError
from ..base.json_data import to_json
from ..base.progress import Progress, in_step
from ..base.storage import file_name
from ..data.recipe import FeatureChoice, Recipe
from ..data.views import Passes, of_recipe
from ..features.settings import read as read_settings
from ..scene import characters
from ..scene.characters import Picked
from ..scene.mesh import attributes
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import FEATURES_PROPERTY, BlenderObject, Handle, objects_with_features
from ..scene.render import passes, surface_colors
from ..scene.render.appearance_key import appearance_key
from ..worker import client, codec
from ..worker.requests.features import (
    ColorFeatures,
    ComputeFeatures,
    FeatureColorArrays,
    LoadModels,
    PlanFeatures,
    PlanFeaturesResult,
)
from .characters import CharacterSnapshot, read
from .files import work_folder
from .options import Options, Report, Steps
from .steps import COLOR_SECONDS, COLORING, feature_costs, features_of
from .whole_job import whole_job


def features(objects: Iterable[Picked], options: Options = Options()) -> Steps:
    """Compute (or take from the cache) the features of objects and show them as attributes on their meshes.

    Each object stands for its character (:func:`meshkin.scene.characters.members`), which is described as a whole.

    Raises InputError (``nothing-selected``, bad meshes), ModelError, WorkerError, StorageError.
    """
    groups = [[Handle.of(obj) for obj in group] for group in characters.groups(list(objects))]
    if not groups:
        raise nothing_selected()
    for handle in (handle for group in groups for handle in group):
        snapshots.check_writable(handle.get())
    costs = {**feature_costs([group[0] for group in groups], options), COLORING: COLOR_SECONDS}
    return (yield from whole_job(_features(groups, options), costs))


def _features(groups: Sequence[Sequence[Handle]], options: Options) -> Steps:
    with work_folder() as folder, EarlyColors(options, folder) as early:
        described = []
        for index, group in enumerate(groups):
            character = yield from read(group)
            described.append((yield from describe(character, options, folder / f"object{index}")))
            colors = yield from early.show(described)
        for item in described:
            item.of.check_unchanged()
        write_colors(colors)
        early.keep()
    names = ", ".join(f"“{item.of.name}”" for item in described)
    return Report(
        f"Features of {names} are ready.",
        [_seen_sentence(item, shown) for item, shown in colors if item in described],
        {"features": [str(item.features) for item in described], "recipe": to_json(described[0].recipe)},
    )


def handles_of(objects: Iterable[BlenderObject]) -> list[Handle]:
    """The objects' handles; raises InputError ``nothing-selected`` if there are none."""
    handles = [Handle.of(obj) for obj in objects]
    if not handles:
        raise nothing_selected()
    return handles


def nothing_selected() -> InputError:
    """The error that no object was given."""
    return InputError("nothing-selected", "No object was given.", "Select an object with a surface.")


@dataclass(frozen=True)
class Described:
    """An object or a character whose features are in the cache.

    Attributes:
        of: the object or character.
        key: name of the features in the cache.
        features: their file.
        recipe: how they were computed.
    """

    of: CharacterSnapshot
    key: str
    features: Path
    recipe: Recipe


def describe(
    character: CharacterSnapshot, options: Options, folder: Path, afresh: bool = False, photo: bool = False
) -> Generator[Progress, None, Described]:
    """Compute the features of an object or a character into the cache, unless they are there.

    Args:
        character: what is described: its shape.
        options: of features and worker.
        folder: for bulk data, which does not stay.
        afresh: whether they are computed although they are there.
        photo: whether they are to be compared with a photograph's.
    """
    return in_step(features_of(character.handle), _describe(character, options, folder, afresh, photo))


def _describe(
    character: CharacterSnapshot, options: Options, folder: Path, afresh: bool, photo: bool
) -> Generator[Progress, None, Described]:
    plan = yield from plan_features(character, options, photo)
    path = None if afresh else plan.features
    if path is None:
        yield from client.shared().run(LoadModels(plan.recipe, options.worker.device))
    passes_folder = None
    if plan.recipe.views and ((path is None and plan.needs_views) or options.features.pictures):
        rendered = yield from render(character, plan, plan.recipe, options)
        passes_folder = folder / "passes"
        rendered.save(passes_folder)
        if options.features.pictures:
            passes.save_pictures(rendered, Path(options.features.pictures) / file_name(character.handle.name))
    if path is None:
        request = ComputeFeatures(
            character.shape.save(folder / "snapshot.npz"),
            passes_folder,
            plan.recipe,
            plan.key,
            options.worker.device,
            plan.appearance,
        )
        path = (yield from client.shared().run(request)).features
    shutil.rmtree(folder, ignore_errors=True)
    return Described(character, plan.key, path, plan.recipe)


def render(
    character: CharacterSnapshot, plan: PlanFeaturesResult, recipe: Recipe, options: Options
) -> Generator[Progress, None, Passes]:
    """The views of a recipe, rendered; in the objects' own colors if the plan wants them."""
    colors = None
    if plan.wants_color:
        colors = surface_colors.joined(
            [surface_colors.read(each.handle.get(), each.shape, each.is_at_rest) for each in character.pieces],
            [each.shape for each in character.pieces],
        )
    views = of_recipe(character.shape, recipe)
    return (yield from passes.render(character.shape, views, options.features.render_path, colors))


def plan_features(
    character: CharacterSnapshot, options: Options, photo: bool = False
) -> Generator[Progress, None, PlanFeaturesResult]:
    """What has to be computed, rendered and loaded; with ``photo``, for features to compare with a photograph's.

    Raises InputError ``features-option``, ``features-unknown``, ``device-missing``; ModelError.
    """
    choice, key = choice_of(character.name, options, photo), character.shape.key
    plan = yield from client.shared().run(PlanFeatures(key, choice, options.worker.device, ""))
    if plan.wants_color:
        appearance = "".join(appearance_key(obj) for obj in character.objects())
        plan = yield from client.shared().run(PlanFeatures(key, choice, options.worker.device, appearance))
    return plan


def choice_of(name: str, options: Options, photo: bool) -> FeatureChoice:
    """What the options ask for, of an object of this name; raises InputError ``features-option``."""
    chosen = options.features
    choice = FeatureChoice(
        name=chosen.extractor,
        model=chosen.model or None,
        layers=tuple(chosen.layers),
        views=chosen.views or None,
        rings=tuple(chosen.rings),
        without=tuple(chosen.without),
        resolution=chosen.resolution or None,
        style=chosen.style or None,
        background=None if chosen.background < 0 else chosen.background,
        profile=chosen.profile or None,
        prompt=chosen.prompt or words_of(name),
        negative_prompt=chosen.negative_prompt,
        seed=chosen.seed,
        settings=chosen.settings,
        online=options.worker.online,
        photo=photo,
    )
    fields = codec.encode(choice, "The choice of features", "features")
    return read_settings(FeatureChoice, fields, "The choice of features")


_NAMELESS = {"mesh", "object", "obj", "geo", "cube", "sphere", "icosphere", "plane", "cylinder", "low", "high", "poly"}
"""Words in objects' names that do not say what they are."""


def words_of(name: str) -> str:
    """What an object is, from its name ("Old_Lion.003": "old lion"); "object" where the name does not say."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    return " ".join(word for word in dict.fromkeys(words) if word not in _NAMELESS) or "object"


def colors_of(
    described: Sequence[Described], options: Options, folder: Path, photo: bool = False
) -> Generator[Progress, None, list[tuple[Described, FeatureColorArrays]]]:
    """PCA colors of these objects and of all others in the file that show the same kind of features, in one basis."""
    group = list(described)
    for obj in objects_with_features([handle for item in described for handle in item.of.handles]):
        alone = CharacterSnapshot.take([Handle.of(obj)], photo)
        plan = yield from plan_features(alone, options, photo)
        if plan.key == obj[FEATURES_PROPERTY] and plan.features:
            group.append(Described(alone, plan.key, plan.features, plan.recipe))
    request = ColorFeatures(tuple(item.features for item in group), attributes.PCA_CHANNELS, folder)
    colored = yield from in_step(COLORING, client.shared().run(request))
    return [
        (item, FeatureColorArrays.load(path, V=len(item.of.shape.vertices)))
        for item, path in zip(group, colored.arrays, strict=True)
    ]


class EarlyColors:
    """Features that are shown while the job that made them goes on; where it does not end well, what was before.

    ``colors`` is what is shown now.
    """

    def __init__(self, options: Options, folder: Path) -> None:
        self._options, self._folder = options, folder
        self.colors: list[tuple[Described, FeatureColorArrays]] = []
        self._before = contextlib.ExitStack()

    def __enter__(self) -> EarlyColors:
        return self

    def __exit__(self, *failure: object) -> None:
        self._before.close()

    def show(
        self, described: Sequence[Described]
    ) -> Generator[Progress, None, list[tuple[Described, FeatureColorArrays]]]:
        """Show the features of these objects now; returns their colors as :func:`colors_of`."""
        self.colors = yield from colors_of(described, self._options, self._folder)
        for item, _ in self.colors:
            for piece in item.of.pieces:
                obj = piece.handle.get()
                if snapshots.is_writable(obj):
                    snapshots.check_unchanged(obj, piece.snapshot)
                    self._before.callback(attributes.keep_features(obj))
        write_colors(self.colors)
        return self.colors

    def keep(self) -> None:
        """Let what is shown stay."""
        self._before.pop_all()


def write_colors(colors: Sequence[tuple[Described, FeatureColorArrays]]) -> None:
    """Show the features on every object of the group that can be written to (a linked source cannot)."""
    for item, shown in colors:
        for obj, rows in zip(item.of.objects(), item.of.rows(), strict=True):
            if snapshots.is_writable(obj):
                attributes.write_features(
                    obj, shown.colors[rows], shown.channels[rows], shown.seen[rows], shown.confidence[rows]
                )
                obj[FEATURES_PROPERTY] = item.key


def _seen_sentence(item: Described, shown: FeatureColorArrays) -> str:
    count = len(item.of.shape.vertices)
    if item.recipe.views is None:
        return f"“{item.of.name}”: {count} vertices described without pictures."
    share = float((shown.seen > 0).mean())
    return f"“{item.of.name}”: {share:.1%} of {count} vertices were seen, the rest filled in."
