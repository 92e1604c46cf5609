"""What a worker can do: each job is a function of JSON arguments and a :data:`ProgressCallback`, and returns JSON data.

Bulk data come and go as files whose paths the arguments name. Heavy libraries are imported inside the jobs, so that a
worker is up at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.errors import StorageError
from ...base.progress import ProgressCallback
from ...base.storage import map_path, write_arrays
from ...data.photo_map import PhotoMap
from ...data.recipe import FeatureChoice, Recipe
from ...data.snapshot import Snapshot
from ...data.views import Passes

Arguments = dict[str, Any]
Result = dict[str, Any]


def plan(arguments: Arguments, report: ProgressCallback) -> Result:
    """What features of a shape need: the recipe, its cache key, and the cache file where it is there already.

    Arguments: ``shape`` (:attr:`Snapshot.key`), ``choice`` (a :class:`meshkin.data.recipe.FeatureChoice`), ``device``
    (refused here where there is no such device), ``look`` (hash of its materials, once they are known to count).
    Result: also ``wants_color``; ``painter``, what the extractor that makes pictures of its own is called ("" for
    none); and ``painted``, how many of these are kept.
    """
    from ...cache import store as cache
    from ...features import recipe
    from ...features.settings import read

    if arguments["device"] not in ("auto", "cpu"):
        from ...features.devices import choose

        choose(arguments["device"])
    chosen = recipe.resolve(read(FeatureChoice, arguments["choice"], "The choice of features"), report)
    key = recipe.key(chosen, arguments["shape"], arguments.get("look", ""))
    there = str(cache.features_path(key)) if cache.usable(key) else None
    painted = len(list(cache.painted_folder(key).glob("[0-9]*.png")))
    answer = {"recipe": chosen.to_json(), "key": key, "features": there, "painted": painted}
    return {**answer, "wants_color": recipe.wants_color(chosen), "painter": recipe.painter(chosen)}


def prepare(arguments: Arguments, report: ProgressCallback) -> Result:
    """Load the large models of a ``recipe`` on a ``device``: what is wrong with them shows before the rendering."""
    from ...features import building

    building.prepare(Recipe.from_json(arguments["recipe"]), arguments["device"], report)
    return {}


def features(arguments: Arguments, report: ProgressCallback) -> Result:
    """Compute features by a recipe into the cache.

    Arguments: ``snapshot`` (file), ``passes`` (folder or None), ``recipe``, ``key``, ``device``.
    """
    from ...cache import store as cache
    from ...features.compute import KeptViews, compute

    snapshot = Snapshot.load(Path(arguments["snapshot"]))
    passes = Passes.load(Path(arguments["passes"])) if arguments["passes"] else None
    key = arguments["key"]
    partial, painted = cache.partial_folder(key), cache.painted_folder(key)
    recipe = Recipe.from_json(arguments["recipe"])
    computed = compute(snapshot, recipe, passes, arguments["device"], report, KeptViews(partial, painted))
    path = cache.save(key, computed)
    shutil.rmtree(partial, ignore_errors=True)
    return {"features": str(path), "painted": str(painted) if painted.is_dir() else None}


def colors(arguments: Arguments, report: ProgressCallback) -> Result:
    """PCA channels and colors of several shapes in one basis.

    Arguments: ``features`` (cache files), ``folder`` (for the results), ``channels``. Result: ``arrays``, an .npz file
    for each shape with ``colors`` (V, 3) in [0, 1], ``channels`` (V, K), ``seen`` (V,), ``confidence`` (V,).
    """
    from ...cache import store as cache
    from ...features import joint, pca

    found = [cache.read(Path(path)) for path in arguments["features"]]
    report("Making colors", 0)
    reduced = joint.join(found).rows
    basis = pca.basis(reduced, max(arguments["channels"], 3))
    projected = [pca.project(basis, one) for one in reduced]
    painted = pca.colors(projected)
    paths = []
    for index, one in enumerate(found):
        path = Path(arguments["folder"]) / f"colors{index}.npz"
        channels = projected[index][:, : arguments["channels"]].astype(np.float32)
        colors = painted[index].astype(np.float32)
        write_arrays(path, {"colors": colors, "channels": channels, "seen": one.seen, "confidence": one.confidence})
        paths.append(str(path))
    return {"arrays": paths}


def sheet(arguments: Arguments, report: ProgressCallback) -> Result:
    """What the models saw of a shape, as one picture of numbered tiles: ``output``, uint8 (H, W, 3).

    Arguments: ``passes`` (folder, of all views), ``recipe``, ``key`` (of the features, whose painted views are shown
    where there are some), ``keep`` (folder for each picture as a file; "" for none), ``output`` (file).
    """
    from ...cache import store as cache
    from ...features import sheet

    passes = Passes.load(Path(arguments["passes"]))
    painted = cache.painted_folder(arguments["key"])
    keep = Path(arguments["keep"]) if arguments["keep"] else None
    pixels, found = sheet.make(Recipe.from_json(arguments["recipe"]), passes, painted, keep, report)
    np.save(arguments["output"], pixels)
    return {"output": arguments["output"], "painted": found}


def check_photo(arguments: Arguments, report: ProgressCallback) -> Result:
    """Whether ``photo`` and ``mask`` (files; "" for none) can be matched, before anything is computed."""
    from ...features import photo

    color, opaque = photo.load(Path(arguments["photo"]))
    mask = photo.load_mask(Path(arguments["mask"]), color.shape[:2]) if arguments["mask"] else opaque
    if mask is not None:
        photo.check_mask(mask, f"The mask {arguments['mask']}" if arguments["mask"] else "The photo's transparency")
    return {"size": list(color.shape[1::-1]), "masked": mask is not None}


def match_photo(arguments: Arguments, report: ProgressCallback) -> Result:
    """Match a photograph to a shape into the cache.

    Arguments: ``photo``, ``mask`` (files; "" for none: the photograph's transparency, else feature agreement),
    ``snapshot`` (file), ``features`` (cache file), ``recipe``, ``key`` (of the features), ``device``. Result: ``map``,
    the cache file of a :class:`meshkin.data.photo_map.PhotoMap`.
    """
    from ...cache import store as cache
    from ...matching.photo.photograph import load_photograph
    from ...matching.photo.pipeline import PHOTO_MATCHER_VERSION
    from ...matching.photo.pipeline import match_photo as match

    files = [Path(name) for name in (arguments["photo"], arguments["mask"]) if name]
    contents = [hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest() for file in files]
    path = _map_path("photo", PHOTO_MATCHER_VERSION, arguments["key"], *contents)
    with contextlib.suppress(StorageError):
        PhotoMap.load(path)
        return {"map": str(path)}
    found = match(
        load_photograph(files[0], files[1] if len(files) > 1 else None),
        Snapshot.load(Path(arguments["snapshot"])),
        cache.read(Path(arguments["features"])),
        Recipe.from_json(arguments["recipe"]),
        arguments["device"],
        report,
    )
    found.save(path)
    return {"map": str(path)}


JOBS: dict[str, Callable[[Arguments, ProgressCallback], Result]] = {
    "plan": plan,
    "prepare": prepare,
    "features": features,
    "colors": colors,
    "sheet": sheet,
    "check-photo": check_photo,
    "match-photo": match_photo,
}
"""Every job by the name that a RUN message calls it."""


def _map_path(*parts: Any) -> Path:
    """The cache file of the map that is made from these JSON values."""
    return map_path(hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest())


def _ends(arguments: Arguments) -> tuple[Snapshot, Snapshot]:
    return Snapshot.load(Path(arguments["source"])), Snapshot.load(Path(arguments["target"]))


def _read(path: str) -> NDArray[Any]:
    values: NDArray[Any] = np.load(path, allow_pickle=False)
    return values


def _output(arguments: Arguments, **arrays: NDArray[Any]) -> Result:
    write_arrays(Path(arguments["output"]), arrays)
    return {"output": arguments["output"]}
