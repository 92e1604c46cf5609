"""Features: what the models see of an object, computed once, shown as attributes and as pictures."""

from __future__ import annotations

import re
import shutil
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.json_data import to_json
from ..base.png import write_png
from ..base.progress import Progress
from ..data.recipe import FeatureChoice, Recipe
from ..data.snapshot import Snapshot
from ..data.views import of_recipe, placed_count
from ..scene.display import image_editor as sheets
from ..scene.mesh import attributes
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import FEATURES_PROPERTY, BlenderObject, Handle, objects_with_features
from ..scene.render import passes, surface_colors
from ..scene.render.appearance_key import appearance_key
from ..worker import client
from .files import arrays, job_folder
from .options import CHANNELS, Options, Report, Steps


def features(objects: Iterable[BlenderObject], options: Options = Options()) -> Steps:
    """Compute (or take from the cache) the features of objects and show them as attributes on their meshes.

    Raises InputError (``nothing-selected``, bad meshes), ModelError, WorkerError, StorageError.
    """
    handles = [Handle.of(obj) for obj in objects]
    if not handles:
        raise InputError("nothing-selected", "No object was given.", "Select an object with a surface.")
    for handle in handles:
        snapshots.check_writable(handle.get())
    with job_folder() as folder:
        found = []
        for index, handle in enumerate(handles):
            found.append((yield from describe(handle, options, folder / f"object{index}")))
        colors = yield from colors_of(found, options, folder)
        for one in found:
            snapshots.check_unchanged(one.handle.get(), one.snapshot)
        write_colors(colors)
    names = ", ".join(f"“{handle.name}”" for handle in handles)
    return Report(
        f"Features of {names} are ready.",
        [_seen_sentence(one, values) for one, values in colors if one in found],
        {"features": [str(one.features) for one in found], "recipe": to_json(found[0].recipe)},
    )


def pictures(objects: Iterable[BlenderObject], options: Options = Options()) -> Steps:
    """Show what the models see of objects: for each a contact sheet of its numbered views, as a new image.

    The painted views where an extractor paints (painted now if they are not there), else the rendered pictures. Views
    left out by ``options.features.without`` are crossed out. With ``options.features.pictures`` the pictures and the
    sheet are saved there too. ``data["images"]`` holds the names of the images, by object.

    Raises as :func:`features`, and InputError ``pictures-none`` (the features look at no pictures).
    """
    handles = [Handle.of(obj) for obj in objects]
    if not handles:
        raise InputError("nothing-selected", "No object was given.", "Select an object with a surface.")
    made, said = [], []
    with job_folder() as folder:
        for number, handle in enumerate(handles):
            snapshot = yield from read(handle)
            plan = yield from plan_of(handle.get(), snapshot, options)
            recipe = Recipe.from_json(plan["recipe"])
            if recipe.views is None:
                raise InputError("pictures-none", f"“{recipe.name}” looks at no pictures.", "Choose other features.")
            used = placed_count(recipe.views) - len(recipe.views.without)
            painter = plan["painter"]
            if painter:
                plain, gone = options.changed(pictures=""), plan["painted"] < used
                yield from describe(handle, plain, folder / f"features{number}", snapshot, afresh=gone)
            every = replace(recipe, views=replace(recipe.views, without=()))
            colors = surface_colors.read(handle.get(), snapshot) if plan["wants_color"] else None
            seen = yield from passes.render(snapshot, of_recipe(snapshot, every), options.features.render_path, colors)
            seen.save(folder / f"passes{number}")
            arguments = {"passes": str(folder / f"passes{number}"), "recipe": plan["recipe"], "key": plan["key"]}
            arguments |= {
                "keep": str(Path(options.features.pictures) / handle.name) if options.features.pictures else ""
            }
            result = yield from client.shared().run("sheet", {**arguments, "output": str(folder / f"{number}.npy")})
            picture = np.load(result["output"], allow_pickle=False)
            if options.features.pictures:
                write_png(Path(options.features.pictures) / f"{handle.name} views.png", picture)
            made.append((handle, picture))
            what = f"as {painter} painted them" if painter else "as rendered"
            shown = result["painted"] if painter else used
            said.append(
                f"“{handle.name}”: {used} of {len(seen.depth)} views are used, {shown} of them shown {what};"
                " leave others out by their numbers."
            )
        images = {handle.name: sheets.show(picture, f"{handle.name} views").name for handle, picture in made}
    names = ", ".join(f"“{name}”" for name in images.values())
    data = {"images": images, "views": len(seen.depth), "used": used, "painted": shown if painter else 0}
    return Report(f"The pictures are in {names}.", said, data)


FeatureColors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class DescribedObject:
    """One object with its snapshot and the cache file of its features."""

    handle: Handle
    snapshot: Snapshot
    key: str
    features: Path
    recipe: Recipe | None


def describe(
    handle: Handle,
    options: Options,
    folder: Path,
    snapshot: Snapshot | None = None,
    afresh: bool = False,
    photo: bool = False,
) -> Generator[Progress, None, DescribedObject]:
    """The object's features in the cache, computed if they are not there, or in any case ``afresh``.

    With ``photo`` they are features that a photograph has too.
    """
    snapshot = snapshot or (yield from read(handle))
    plan = yield from plan_of(handle.get(), snapshot, options, photo)
    recipe = Recipe.from_json(plan["recipe"])
    path = None if afresh else plan["features"]
    if path is None:
        yield from client.shared().run("prepare", {"recipe": plan["recipe"], "device": options.worker.device})
    if path is None or (options.features.pictures and recipe.views):
        snapshot.save(folder / "snapshot.npz")
        if recipe.views:
            colors = surface_colors.read(handle.get(), snapshot) if plan["wants_color"] else None
            seen = yield from passes.render(snapshot, of_recipe(snapshot, recipe), options.features.render_path, colors)
            seen.save(folder / "passes")
            if options.features.pictures:
                passes.save_pictures(seen, Path(options.features.pictures) / handle.name)
    if path is None:
        arguments = {
            "snapshot": str(folder / "snapshot.npz"),
            "passes": str(folder / "passes") if recipe.views else None,
            "recipe": plan["recipe"],
            "key": plan["key"],
            "device": options.worker.device,
        }
        path = (yield from client.shared().run("features", arguments))["features"]
    shutil.rmtree(folder, ignore_errors=True)
    return DescribedObject(handle, snapshot, plan["key"], Path(path), recipe)


def read(handle: Handle) -> Generator[Progress, None, Snapshot]:
    """The object as it is now."""
    yield Progress("Reading the mesh", 0)
    return snapshots.take(handle.get()).check()


def plan_of(
    obj: BlenderObject, snapshot: Snapshot, options: Options, photo: bool = False
) -> Generator[Progress, None, dict[str, Any]]:
    """What has to be computed: the answer of the job ``plan``; with ``photo``, what a photograph has too."""
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
        prompt=chosen.prompt or words_of(snapshot.name),
        negative_prompt=chosen.negative_prompt,
        seed=chosen.seed,
        settings=chosen.settings,
        online=options.worker.online,
        photo=photo,
    )
    arguments = {"shape": snapshot.key, "choice": to_json(choice), "device": options.worker.device}
    plan = yield from client.shared().run("plan", arguments)
    if plan["wants_color"]:
        plan = yield from client.shared().run("plan", {**arguments, "look": appearance_key(obj)})
    return plan


_NAMELESS = {"mesh", "object", "obj", "geo", "cube", "sphere", "icosphere", "plane", "cylinder", "low", "high", "poly"}
"""Words in objects' names that do not say what they are."""


def words_of(name: str) -> str:
    """What an object is, from its name ("Old_Lion.003": "old lion"); "object" where the name does not say."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    return " ".join(word for word in dict.fromkeys(words) if word not in _NAMELESS) or "object"


def colors_of(
    found: list[DescribedObject], options: Options, folder: Path, photo: bool = False
) -> Generator[Progress, None, list[tuple[DescribedObject, FeatureColors]]]:
    """PCA colors of these objects and of all others in the file that show the same kind of features, in one basis."""
    group = list(found)
    for obj in objects_with_features([one.handle for one in found]):
        snapshot = snapshots.take(obj)
        plan = yield from plan_of(obj, snapshot, options, photo)
        if plan["key"] == obj[FEATURES_PROPERTY] and plan["features"]:
            recipe = Recipe.from_json(plan["recipe"])
            group.append(DescribedObject(Handle.of(obj), snapshot, plan["key"], Path(plan["features"]), recipe))
    arguments = {"features": [str(one.features) for one in group], "folder": str(folder), "channels": CHANNELS}
    result = yield from client.shared().run("colors", arguments)
    return [(one, arrays(Path(path))) for one, path in zip(group, result["arrays"], strict=True)]


def write_colors(colors: list[tuple[DescribedObject, FeatureColors]]) -> None:
    """Show the features on every object of the group that can be written to (a linked source cannot)."""
    for one, values in colors:
        obj, rows = one.handle.get(), one.snapshot.original
        if not snapshots.is_writable(obj):
            continue
        attributes.write_features(
            obj, values["colors"][rows], values["channels"][rows], values["seen"][rows], values["confidence"][rows]
        )
        obj[FEATURES_PROPERTY] = one.key


def _seen_sentence(one: DescribedObject, values: FeatureColors) -> str:
    if one.recipe is None or one.recipe.views is None:
        return f"“{one.handle.name}”: {len(one.snapshot.vertices)} vertices described without pictures."
    share = float((values["seen"] > 0).mean())
    return f"“{one.handle.name}”: {share:.1%} of {len(one.snapshot.vertices)} vertices were seen, the rest filled in."


def undescribed(handle: Handle) -> DescribedObject:
    """An object whose features are not needed."""
    return DescribedObject(handle, snapshots.take(handle.get()).check(), "", Path(), None)
