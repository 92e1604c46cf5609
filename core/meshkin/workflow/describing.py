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
from ..base.progress import Progress, in_step, of_job
from ..base.storage import file_name
from ..data.recipe import FeatureChoice, Recipe
from ..data.snapshot import Snapshot
from ..data.views import Passes, of_recipe
from ..features.settings import read as read_settings
from ..scene.mesh import attributes, surfaces
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
from .files import work_folder
from .options import Options, Report, Steps
from .steps import COLOR_SECONDS, COLORING, feature_costs, features_of


def features(objects: Iterable[BlenderObject], options: Options = Options()) -> Steps:
    """Compute (or take from the cache) the features of objects and show them as attributes on their meshes.

    Raises InputError (``nothing-selected``, bad meshes), ModelError, WorkerError, StorageError.
    """
    handles = handles_of(objects)
    for handle in handles:
        snapshots.check_writable(handle.get())
    costs = {**feature_costs(handles, options), COLORING: COLOR_SECONDS}
    return (yield from of_job(_features(handles, options), costs))


def _features(handles: Sequence[Handle], options: Options) -> Steps:
    with work_folder() as folder, EarlyColors(options, folder) as early:
        described = []
        for index, handle in enumerate(handles):
            described.append((yield from describe(handle, options, folder / f"object{index}")))
            colors = yield from early.show(described)
        for item in described:
            snapshots.check_unchanged(item.handle.get(), item.snapshot)
        write_colors(colors)
        early.keep()
    names = ", ".join(f"“{handle.name}”" for handle in handles)
    return Report(
        f"Features of {names} are ready.",
        [_seen_sentence(item, shown) for item, shown in colors if item in described],
        {"features": [str(item.features) for item in described], "recipe": to_json(described[0].recipe)},
    )


def handles_of(objects: Iterable[BlenderObject]) -> list[Handle]:
    """The objects' handles; raises InputError ``nothing-selected`` if there are none."""
    handles = [Handle.of(obj) for obj in objects]
    if not handles:
        raise InputError("nothing-selected", "No object was given.", "Select an object with a surface.")
    return handles


@dataclass(frozen=True)
class ObjectSnapshot:
    """An object, and what it was when the work began.

    Attributes:
        handle: of the object.
        snapshot: of the object.
    """

    handle: Handle
    snapshot: Snapshot

    @staticmethod
    def take(handle: Handle) -> ObjectSnapshot:
        """The object as it is now; raises InputError for a mesh without a surface."""
        return ObjectSnapshot(handle, surfaces.take_checked(handle.get()))


@dataclass(frozen=True)
class DescribedObject(ObjectSnapshot):
    """An object whose features are in the cache.

    Attributes:
        key: name of the features in the cache.
        features: their file.
        recipe: how they were computed.
    """

    key: str
    features: Path
    recipe: Recipe


def describe(
    handle: Handle,
    options: Options,
    folder: Path,
    snapshot: Snapshot | None = None,
    afresh: bool = False,
    photo: bool = False,
) -> Generator[Progress, None, DescribedObject]:
    """Compute the object's features into the cache, unless they are there.

    Args:
        handle: of the object.
        options: of features and worker.
        folder: for bulk data, which does not stay.
        snapshot: of the object; None to read it now.
        afresh: whether they are computed although they are there.
        photo: whether they are to be compared with a photograph's.
    """
    return in_step(features_of(handle), _describe(handle, options, folder, snapshot, afresh, photo))


def _describe(
    handle: Handle, options: Options, folder: Path, snapshot: Snapshot | None, afresh: bool, photo: bool
) -> Generator[Progress, None, DescribedObject]:
    snapshot = snapshot or (yield from read(handle))
    plan = yield from plan_features(handle.get(), snapshot, options, photo)
    path = None if afresh else plan.features
    if path is None:
        yield from client.shared().run(LoadModels(plan.recipe, options.worker.device))
    passes_folder = None
    if plan.recipe.views and (path is None or options.features.pictures):
        rendered = yield from render(handle, snapshot, plan, plan.recipe, options)
        passes_folder = folder / "passes"
        rendered.save(passes_folder)
        if options.features.pictures:
            passes.save_pictures(rendered, Path(options.features.pictures) / file_name(handle.name))
    if path is None:
        request = ComputeFeatures(
            snapshot.save(folder / "snapshot.npz"), passes_folder, plan.recipe, plan.key, options.worker.device
        )
        path = (yield from client.shared().run(request)).features
    shutil.rmtree(folder, ignore_errors=True)
    return DescribedObject(handle, snapshot, plan.key, path, plan.recipe)


def read(handle: Handle) -> Generator[Progress, None, Snapshot]:
    """The object as it is now."""
    yield Progress("Reading the mesh", 0)
    return surfaces.take_checked(handle.get())


def render(
    handle: Handle, snapshot: Snapshot, plan: PlanFeaturesResult, recipe: Recipe, options: Options
) -> Generator[Progress, None, Passes]:
    """The views of a recipe, rendered; in the object's own colors if the plan wants them."""
    colors = surface_colors.read(handle.get(), snapshot) if plan.wants_color else None
    views = of_recipe(snapshot, recipe)
    return (yield from passes.render(snapshot, views, options.features.render_path, colors))


def plan_features(
    obj: BlenderObject, snapshot: Snapshot, options: Options, photo: bool = False
) -> Generator[Progress, None, PlanFeaturesResult]:
    """What has to be computed, rendered and loaded; with ``photo``, for features to compare with a photograph's.

    Raises InputError ``features-option``, ``features-unknown``, ``device-missing``; ModelError.
    """
    choice = _choice(snapshot.name, options, photo)
    plan = yield from client.shared().run(PlanFeatures(snapshot.key, choice, options.worker.device, ""))
    if plan.wants_color:
        request = PlanFeatures(snapshot.key, choice, options.worker.device, appearance_key(obj))
        plan = yield from client.shared().run(request)
    return plan


def _choice(name: str, options: Options, photo: bool) -> FeatureChoice:
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
    described: Sequence[DescribedObject], options: Options, folder: Path, photo: bool = False
) -> Generator[Progress, None, list[tuple[DescribedObject, FeatureColorArrays]]]:
    """PCA colors of these objects and of all others in the file that show the same kind of features, in one basis."""
    group = list(described)
    for obj in objects_with_features([item.handle for item in described]):
        snapshot = snapshots.take(obj)
        plan = yield from plan_features(obj, snapshot, options, photo)
        if plan.key == obj[FEATURES_PROPERTY] and plan.features:
            group.append(DescribedObject(Handle.of(obj), snapshot, plan.key, plan.features, plan.recipe))
    request = ColorFeatures(tuple(item.features for item in group), attributes.PCA_CHANNELS, folder)
    colored = yield from in_step(COLORING, client.shared().run(request))
    return [
        (item, FeatureColorArrays.load(path, V=len(item.snapshot.vertices)))
        for item, path in zip(group, colored.arrays, strict=True)
    ]


class EarlyColors:
    """Features that are shown while the job that made them goes on; where it does not end well, what was before.

    ``colors`` is what is shown now.
    """

    def __init__(self, options: Options, folder: Path) -> None:
        self._options, self._folder = options, folder
        self.colors: list[tuple[DescribedObject, FeatureColorArrays]] = []
        self._before = contextlib.ExitStack()

    def __enter__(self) -> EarlyColors:
        return self

    def __exit__(self, *failure: object) -> None:
        self._before.close()

    def show(
        self, described: Sequence[DescribedObject]
    ) -> Generator[Progress, None, list[tuple[DescribedObject, FeatureColorArrays]]]:
        """Show the features of these objects now; returns their colors as :func:`colors_of`."""
        self.colors = yield from colors_of(described, self._options, self._folder)
        for item, _ in self.colors:
            obj = item.handle.get()
            if snapshots.is_writable(obj):
                snapshots.check_unchanged(obj, item.snapshot)
                self._before.callback(attributes.keep_features(obj))
        write_colors(self.colors)
        return self.colors

    def keep(self) -> None:
        """Let what is shown stay."""
        self._before.pop_all()


def write_colors(colors: Sequence[tuple[DescribedObject, FeatureColorArrays]]) -> None:
    """Show the features on every object of the group that can be written to (a linked source cannot)."""
    for item, shown in colors:
        obj, rows = item.handle.get(), item.snapshot.original
        if not snapshots.is_writable(obj):
            continue
        attributes.write_features(
            obj, shown.colors[rows], shown.channels[rows], shown.seen[rows], shown.confidence[rows]
        )
        obj[FEATURES_PROPERTY] = item.key


def _seen_sentence(item: DescribedObject, shown: FeatureColorArrays) -> str:
    count = len(item.snapshot.vertices)
    if item.recipe.views is None:
        return f"“{item.handle.name}”: {count} vertices described without pictures."
    share = float((shown.seen > 0).mean())
    return f"“{item.handle.name}”: {share:.1%} of {count} vertices were seen, the rest filled in."
