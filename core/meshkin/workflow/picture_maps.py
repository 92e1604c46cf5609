"""Maps that are read from a photograph: its colors without light, depth, normals, roughness, metallic."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.errors import OptionError
from ..base.png import write_png
from ..base.progress import Progress, in_step
from ..base.storage import file_name
from ..pictures.options import MAPS
from ..scene.display import image_editor
from ..scene.objects import BlenderObject, Handle
from ..worker import client
from ..worker.requests.arrays import load_array
from ..worker.requests.pictures import DepthScale, FindMapModels, FindMapModelsResult, MapPicture, MapPictureResult
from .files import work_folder
from .options import Options, Remark, Report, ResultWarning, Steps
from .photo_matching import check_photo, match
from .steps import PHOTO, PHOTO_SECONDS, PICTURE_MAP_SECONDS, PICTURE_MAPS, feature_costs
from .whole_job import whole_job

BYTE, SHORT = 255, 65_535
"""Largest values of images of 8 and 16 bits."""


def picture_maps(
    photo: str | Path, options: Options = Options(), mask: str = "", target: BlenderObject | None = None
) -> Steps:
    """Read maps from a photograph, each a new packed image: ``options.maps.what`` names them.

    With ``options.features.pictures`` they are saved there, too, as PNG files, the depth of 16 bits from its least
    (black) to its largest value.

    Args:
        photo: an image file.
        options: ``maps`` says what is read, and how; ``features`` count where a target is matched.
        mask: an image file, white where the object is; "" for the photograph's transparency, if it has one.
        target: a mesh that the photograph shows: it is matched, and the depth is fitted to it, in its units, counted
            from its nearest point. None for depth in [0, 1], which is known up to scale and shift.

    ``data["images"]`` has the images' names by map, ``data["depth"]`` scale, shift and error of the fit.

    Raises OptionError ``option-invalid``, InputError as :func:`meshkin.workflow.match_photo`, ModelError where a model
    is missing or another one.
    """
    handle = None if target is None else Handle.of(target)
    costs = {PICTURE_MAPS: PICTURE_MAP_SECONDS}
    if handle:
        costs = {**feature_costs([handle], options), PHOTO: PHOTO_SECONDS, **costs}
    return (yield from whole_job(_picture_maps(photo, options, mask, handle), costs))


def _picture_maps(photo: str | Path, options: Options, mask: str, handle: Handle | None) -> Steps:
    what = options.maps.what
    if not what or not set(what) <= set(MAPS):
        fix = f"Choose of {', '.join(MAPS)}."
        raise OptionError("option-invalid", f"“{', '.join(what)}” is not what is read.", fix)
    photo_file, mask_file = yield from check_photo(photo, mask)
    found = yield from find_models(what, (), options)
    with work_folder() as folder:
        map_file = shape = None
        if handle and "depth" in what:
            described, map_file = yield from match(photo, handle.get(), options, mask, folder)
            shape = described.of.shape.save(folder / "shape.npz")
        request = map_request(found, options, folder, map_file, shape)
        if map_file is None:
            request = replace(request, photo=photo_file, mask=mask_file)
        read = yield from in_step(PICTURE_MAPS, client.shared().run(request))
        maps = load_maps(read, what)
        if options.features.pictures:
            for name, values in maps.items():
                title = file_name(f"{photo_file.stem} {name}")
                write_png(Path(options.features.pictures) / f"{title}.png", _png_values(name, values))
        images = {name: _show(name, values, f"{photo_file.stem} {name}") for name, values in maps.items()}
    data = {
        "images": images,
        "models": {name: model.name for model in found.models for name in model.maps},
        "depth": None if read.fit is None else asdict(read.fit),
    }
    remarks: list[Remark] = [f"{name.capitalize()}: image “{image}”." for name, image in images.items()]
    remarks += [f"Read by {model.name}: {', '.join(model.maps)}." for model in found.models]
    if handle and "depth" in what:
        remarks.append(_fit_remark(read.fit, handle.name))
    return Report.of(f"Read from {photo_file.name}: {', '.join(images)}.", remarks, data)


def find_models(
    what: Sequence[str], welcome: Sequence[str], options: Options
) -> Generator[Progress, None, FindMapModelsResult]:
    """The models that read these maps, those that are ``welcome`` only where their models are there."""
    request = FindMapModels(tuple(what), tuple(welcome), options.maps.model, options.worker.online)
    return (yield from client.shared().run(request))


def map_request(
    found: FindMapModelsResult, options: Options, folder: Path, match: Path | None, shape: Path | None
) -> MapPicture:
    """The request that reads maps from a matched photograph."""
    chosen = options.maps
    return MapPicture(
        photo=None,
        mask=None,
        match=match,
        shape=shape,
        models=found.models,
        seed=chosen.seed,
        steps=chosen.steps,
        resolution=chosen.resolution,
        device=options.worker.device,
        folder=folder,
    )


def load_maps(read: MapPictureResult, what: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """The maps, in this order, float32 (H, W) or (H, W, 3)."""
    layouts = {name: "HW3" if name in ("albedo", "normal") else "HW" for name in what}
    return {name: load_array(read.maps[name], layout).astype(np.float32) for name, layout in layouts.items()}


def colored(name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map's values as those of an image, in [0, 1]: normals from [-1, 1], depth from its least to its largest."""
    if name == "normal":
        return (values + np.float32(1)) / np.float32(2)
    if name == "depth":
        return (values - values.min()) / np.float32(max(float(np.ptp(values)), 1e-12))
    return values


def _show(name: str, values: NDArray[np.float32], title: str) -> str:
    """Show a map as a new image, and return its name; the depth keeps its values."""
    if name == "depth":
        return str(image_editor.show(values, title, data=True).name)
    pixels = (np.clip(colored(name, values), 0, 1) * BYTE).round().astype(np.uint8)
    return str(image_editor.show(pixels, title, data=name != "albedo").name)


def _png_values(name: str, values: NDArray[np.float32]) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The pixels (H, W, C) of a map's file: of 16 bits where steps of 8 would show."""
    pixels = np.clip(colored(name, values), 0, 1).reshape(*values.shape[:2], -1)
    if name in ("depth", "normal"):
        return (pixels * SHORT).round().astype(np.uint16)
    return (pixels * BYTE).round().astype(np.uint8)


def _fit_remark(fit: DepthScale | None, name: str) -> Remark:
    if fit is None:
        text = f"The depth could not be fitted to “{name}”: it is from 0 to 1, near to far."
        return ResultWarning("depth-unfitted", text)
    return f"The depth is in the units of “{name}”, from its nearest point; median error {fit.error:.3g}."
