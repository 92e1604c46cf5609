"""Jobs about painting."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...base.progress import ProgressCallback
from ...base.storage import cache_folder, make_folder
from ...data.photo_map import PhotoMap
from ...data.snapshot import Snapshot
from ..requests.arrays import load_array, save_array
from ..requests.painting import (
    ENOUGH_FILE,
    PaintShape,
    PaintShapeResult,
    PlanPainting,
    PlanPaintingResult,
    ShapedViews,
    write_rough,
)
from . import diffusion

if TYPE_CHECKING:
    from ...geometry.arrays import Singles
    from ...paint.painting import Painted, References
    from ...paint.synchronized import PaintState
    from ...pictures.models import MapModel
    from ...transfer.texture.uv_layers import UvLayers

NORMAL = "normal"
"""The map that is not baked, but shapes."""
ROUGH_TIMES = 8
"""How often rough pictures of an unfinished texture are written. Chosen."""


def plan_painting(request: PlanPainting, report: ProgressCallback) -> PlanPaintingResult:
    """Check whether something can be painted, before anything is done."""
    from ...models import devices
    from ...models.known import DEPTH_CONTROL, NORMAL_CONTROL, STABLE_DIFFUSION
    from ...paint import duration, subjects
    from ...paint.painting import check_settings

    check_settings(request.settings)
    known = {"base": STABLE_DIFFUSION, "depth": DEPTH_CONTROL, "normal": NORMAL_CONTROL}
    models = diffusion.find_networks(known, request.models, request.online, report)
    if request.subject:
        subjects.read(request.subject, models["base"])
    device = devices.choose(request.device)
    if device.type == "cpu" and not request.slow:
        seconds = duration.seconds(request.settings, device)
        diffusion.refuse_slow(seconds, "--paint-slow", "paint fewer and smaller views in fewer steps")
    return PlanPaintingResult(models)


def paint_shape(request: PaintShape, report: ProgressCallback) -> PaintShapeResult:
    """Paint a texture into files."""
    from ...features.diffusion import stable_diffusion
    from ...features.diffusion.joint import JointDiffusion
    from ...paint import kept_state, subjects
    from ...paint.painting import paint

    report("Loading Stable Diffusion", 0)
    stable_diffusion.load.cache_clear()  # the memory has room for one
    roles = [role for role in stable_diffusion.CONTROLS if role in request.models]
    folders = [Path(request.models[role].folder) for role in roles]
    networks = JointDiffusion(Path(request.models["base"].folder), folders, request.device)
    settings = request.settings
    if request.subject:
        subject = subjects.read(request.subject, request.models["base"])
        networks.adapt(subject.tensors, str(subject.file))
        settings = replace(settings, prompt=subject.in_prompt(settings.prompt))
    kept = make_folder(cache_folder() / "paint") / f"{_key(request)}.npz"
    state = kept_state.read(kept, networks.device)
    every = max(1, request.settings.steps // ROUGH_TIMES)

    def watch(state: PaintState, layers: UvLayers, rough: Callable[[], NDArray[np.float32]]) -> None:
        kept_state.write(kept, state)
        if state.index % every == 0:
            folder = make_folder(request.folder / str(state.index))
            write_rough(folder, _write("base_color", rough(), layers, folder), layers.layer_of_slot)

    painted = paint(
        Snapshot.load(request.shape),
        networks,
        roles,
        settings,
        _references(request),
        report,
        watch,
        state,
        (request.folder / ENOUGH_FILE).is_file,
    )
    networks.rest()
    maps = _view_maps(request, painted, report)
    surface, shaped = _surface(request, painted, maps, report), _shaped(request, painted, maps, report)
    report("Saving the texture", 0)
    files = _write("base_color", painted.pictures, painted.layers, request.folder)
    if painted.steps == settings.steps:
        kept.unlink(missing_ok=True)
    resumed = state.index if state else 0
    layers = painted.layers
    return PaintShapeResult(
        files,
        layers.layer_of_slot,
        layers.overlap,
        painted.seen,
        painted.given,
        resumed,
        painted.steps,
        surface,
        shaped,
    )


def _references(request: PaintShape) -> References:
    from ...features.photo import load
    from ...paint.painting import References

    photo = PhotoMap.load(request.photo) if request.photo else None
    if request.mask is None:
        return References(photo)
    repaint = load(request.mask)[0].mean(axis=2) / np.float32(255)
    present = tuple(load_array(path, "HWC")[..., :3] for path in request.present)
    return References(photo, present, repaint)


def _view_maps(request: PaintShape, painted: Painted, report: ProgressCallback) -> dict[str, Singles]:
    """The maps that models read from the painted views, (N, H, W) or (N, H, W, 3) each."""
    from ...features.ray_casting import cast_passes
    from ...paint.surface_maps import read_views
    from ...pictures import reading

    found: dict[str, Singles] = {}
    views = painted.views
    for model in request.maps:
        face = cast_passes(views.layout.shape, views.views, report).face
        assert face is not None

        def read(picture: NDArray[np.uint8], inside: NDArray[np.bool_], model: MapModel = model) -> dict[str, Singles]:
            maps = reading.read_maps(model, picture, inside, request.reading, request.device)
            return {name: maps[name] for name in model.maps}

        found |= read_views(views, face >= 0, read, report)
    return found


def _surface(
    request: PaintShape, painted: Painted, maps: Mapping[str, Singles], report: ProgressCallback
) -> dict[str, tuple[dict[int, Path], ...]]:
    """Files of the textures of the maps that are numbers, by map."""
    from ...paint.surface_maps import baked

    names = [name for name in maps if name != NORMAL]
    textures = baked(painted.views, maps, names, report) if names else {}
    return {name: _write(name, pictures, painted.layers, request.folder) for name, pictures in textures.items()}


def _shaped(
    request: PaintShape, painted: Painted, maps: Mapping[str, Singles], report: ProgressCallback
) -> ShapedViews | None:
    """The shape that follows the normals of the finished views."""
    from ...paint.shaping import follow_normals

    if NORMAL not in maps or painted.steps < request.settings.steps:
        return None
    shaped = follow_normals(painted.views.layout.shape, painted.views.views, maps[NORMAL], report)
    offsets = save_array(request.folder / "offsets.npy", shaped.offsets.astype(np.float32))
    return ShapedViews(offsets, shaped.accepted, shaped.turned)


def _write(name: str, pictures: NDArray[np.floating], layers: UvLayers, folder: Path) -> tuple[dict[int, Path], ...]:
    """Write pictures (tiles, S, S, C) of a channel, and return the files of each layer by UDIM number."""
    from ...base.udim import tile_number
    from ...transfer.texture.picture_files import save_picture
    from ...transfer.texture.pixels import quantized

    files: tuple[dict[int, Path], ...] = tuple({} for _ in range(layers.count))
    for tile, pixels in zip(layers.tiles or ((0, 0),), pictures, strict=True):
        layer, number = layers.place(tile)
        files[layer][number] = save_picture(quantized(pixels, 8), folder / f"{name}.{tile_number(tile)}.png")
    return files


def _key(request: PaintShape) -> str:
    """The name of the state of a try: the same for the same request."""
    from ...transfer.texture.uv_layers import uv_layers

    shape = Snapshot.load(request.shape)
    digest = hashlib.blake2b(f"{shape.key} {request.settings}".encode(), digest_size=16)
    # The layout as it is painted: what is kept of a try gives faces other materials, but not another layout.
    digest.update(np.ascontiguousarray(uv_layers(shape, request.settings.tiles).uvs).tobytes())
    digest.update(" ".join(model.checksum for model in request.models.values()).encode())
    for file in (request.photo, request.mask, request.subject, *request.present):
        digest.update(file.read_bytes() if file else b"none")
    return digest.hexdigest()
