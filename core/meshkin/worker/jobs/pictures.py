"""Jobs about the maps that are read from pictures."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from ...base.errors import ModelError, StorageError
from ...base.progress import ProgressCallback
from ...base.storage import bring, read_arrays, write_arrays
from ...data.photo_map import PhotoMap
from ...data.snapshot import Snapshot
from ...pictures.models import MapModel
from ..requests.arrays import save_array
from ..requests.pictures import DepthScale, FindMapModels, FindMapModelsResult, MapPicture, MapPictureResult
from .files import keyed_map_path


def find_map_models(request: FindMapModels, report: ProgressCallback) -> FindMapModelsResult:
    """Say which models read maps from pictures."""
    from ...pictures.models import find_models

    missing = ""
    welcome = request.welcome
    if welcome:
        try:
            find_models(welcome, request.model)
        except ModelError as error:
            if request.model or error.code != "model-missing":
                raise
            missing, welcome = f"{error.message} {error.fix}", ()
    what = [*request.what, *welcome]
    models = find_models(what, request.model, request.online, report) if what else []
    return FindMapModelsResult(tuple(models), missing)


def map_picture(request: MapPicture, report: ProgressCallback) -> MapPictureResult:
    """Read maps from a photograph."""
    from ...pictures.depth_fitting import fit_to_match
    from ...pictures.mean_color import with_mean_of

    photo_map = PhotoMap.load(request.match) if request.match else None
    pixels, mask = _picture(request) if photo_map is None else (photo_map.photo, photo_map.mask)
    maps: dict[str, NDArray[np.floating]] = {}
    for model in request.models:
        maps |= _read(request, model, pixels, mask, report)
    if "albedo" in maps:
        maps["albedo"] = with_mean_of(maps["albedo"].astype(np.float32), pixels, mask)
    fit = None
    if "depth" in maps and photo_map is not None and request.shape:
        fit = fit_to_match(maps["depth"], photo_map, Snapshot.load(request.shape).vertices)
        if fit:
            maps["depth"] = (fit.scale * maps["depth"] + fit.shift).astype(np.float32)
    files = {name: save_array(request.folder / f"{name}.npy", values) for name, values in maps.items()}
    return MapPictureResult(files, DepthScale(**asdict(fit)) if fit else None)


def _picture(request: MapPicture) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """The pixels (H, W, 3) and the mask (H, W) of the request's files."""
    from ...matching.photo.photograph import load_photograph

    assert request.photo is not None
    photo = load_photograph(request.photo, request.mask)
    return photo.pixels, photo.mask


def _read(
    request: MapPicture,
    model: MapModel,
    pixels: NDArray[np.uint8],
    mask: NDArray[np.bool_] | None,
    report: ProgressCallback,
) -> dict[str, NDArray[np.floating]]:
    """The maps that are wanted of a model: out of the cache, or read into it."""
    from ...pictures import reading

    settings = (request.seed, request.steps, request.resolution)
    seen = [array.tobytes() for array in (pixels, mask) if array is not None]
    content = [hashlib.blake2b(data, digest_size=16).hexdigest() for data in seen]
    path = keyed_map_path("picture", reading.VERSION, model.checksum, list(pixels.shape), *content, *settings)
    bring(path)
    maps: dict[str, NDArray[np.floating]] = {}
    with contextlib.suppress(StorageError):
        maps = read_arrays(path, "The maps in", "Read them again.")
    if not all(name in maps and maps[name].shape[:2] == pixels.shape[:2] for name in model.maps):
        maps = dict(reading.read_maps(model, pixels, mask, settings, request.device, report))
        write_arrays(path, maps, compressed=True)
    return {name: maps[name] for name in model.maps}
