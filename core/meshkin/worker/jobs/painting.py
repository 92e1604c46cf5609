"""Jobs about painting."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...base.progress import ProgressCallback
from ...base.storage import cache_folder, make_folder
from ...data.photo_map import PhotoMap
from ...data.snapshot import Snapshot
from ..requests.arrays import load_array
from ..requests.painting import PaintShape, PaintShapeResult, PlanPainting, PlanPaintingResult, write_rough
from . import diffusion

if TYPE_CHECKING:
    from ...paint.painting import References
    from ...paint.synchronized import PaintState
    from ...transfer.texture.uv_layers import UvLayers

ROUGH_TIMES = 8
"""How often rough pictures of an unfinished texture are written. Chosen."""


def plan_painting(request: PlanPainting, report: ProgressCallback) -> PlanPaintingResult:
    """Check whether something can be painted, before anything is done."""
    from ...models import devices
    from ...models.known import DEPTH_CONTROL, NORMAL_CONTROL, STABLE_DIFFUSION
    from ...paint import duration
    from ...paint.painting import check_settings

    check_settings(request.settings)
    known = {"base": STABLE_DIFFUSION, "depth": DEPTH_CONTROL, "normal": NORMAL_CONTROL}
    models = diffusion.find_networks(known, request.models, request.online, report)
    device = devices.choose(request.device)
    if device.type == "cpu" and not request.slow:
        seconds = duration.seconds(request.settings, device)
        diffusion.refuse_slow(seconds, "--paint-slow", "paint fewer and smaller views in fewer steps")
    return PlanPaintingResult(models)


def paint_shape(request: PaintShape, report: ProgressCallback) -> PaintShapeResult:
    """Paint a texture into files."""
    from ...features.diffusion import stable_diffusion
    from ...features.diffusion.joint import JointDiffusion
    from ...paint import kept_state
    from ...paint.painting import paint

    report("Loading Stable Diffusion", 0)
    stable_diffusion.load.cache_clear()  # the memory has room for one
    roles = [role for role in stable_diffusion.CONTROLS if role in request.models]
    folders = [Path(request.models[role].folder) for role in roles]
    networks = JointDiffusion(Path(request.models["base"].folder), folders, request.device)
    kept = make_folder(cache_folder() / "paint") / f"{_key(request)}.npz"
    state = kept_state.read(kept, networks.device)
    every = max(1, request.settings.steps // ROUGH_TIMES)

    def watch(state: PaintState, layers: UvLayers, rough: Callable[[], NDArray[np.float32]]) -> None:
        kept_state.write(kept, state)
        if state.index % every == 0:
            folder = make_folder(request.folder / str(state.index))
            write_rough(folder, _write(rough(), layers, folder), layers.layer_of_slot)

    painted = paint(
        Snapshot.load(request.shape), networks, roles, request.settings, _references(request), report, watch, state
    )
    report("Saving the texture", 0)
    files = _write(painted.pictures, painted.layers, request.folder)
    kept.unlink(missing_ok=True)
    resumed = state.index if state else 0
    layers = painted.layers
    return PaintShapeResult(files, layers.layer_of_slot, layers.overlap, painted.seen, painted.given, resumed)


def _references(request: PaintShape) -> References:
    from ...features.photo import load
    from ...paint.painting import References

    photo = PhotoMap.load(request.photo) if request.photo else None
    if request.mask is None:
        return References(photo)
    repaint = load(request.mask)[0].mean(axis=2) / np.float32(255)
    present = tuple(load_array(path, "HWC")[..., :3] for path in request.present)
    return References(photo, present, repaint)


def _write(pictures: NDArray[np.floating], layers: UvLayers, folder: Path) -> tuple[dict[int, Path], ...]:
    """Write pictures (tiles, S, S, C), and return the files of each layer by UDIM number."""
    from ...base.udim import tile_number
    from ...transfer.texture.picture_files import save_picture
    from ...transfer.texture.pixels import quantized

    files: tuple[dict[int, Path], ...] = tuple({} for _ in range(layers.count))
    for tile, pixels in zip(layers.tiles or ((0, 0),), pictures, strict=True):
        layer, number = layers.place(tile)
        files[layer][number] = save_picture(quantized(pixels, 8), folder / f"painted.{tile_number(tile)}.png")
    return files


def _key(request: PaintShape) -> str:
    """The name of the state of a try: the same for the same request."""
    shape = Snapshot.load(request.shape)
    digest = hashlib.blake2b(f"{shape.key} {request.settings}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(shape.uvs).tobytes() + shape.materials.tobytes())
    digest.update(" ".join(model.checksum for model in request.models.values()).encode())
    for file in (request.photo, request.mask, *request.present):
        digest.update(file.read_bytes() if file else b"none")
    return digest.hexdigest()
