"""Painted views that do not keep their shape are left out before features are lifted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.recipe import PartModel
from ..models.known import NORMALS
from ..pictures import reading, view_fit
from ..pictures.models import MapModel
from . import pictures
from .view_data import Grids, SeenViews, ViewImages

_STEPS, _RESOLUTION = 4, 768
"""Steps and longer side in pixels with which Marigold reads a view: those that it is published with."""
_LARGEST_SCALE = 2
"""How many times as large a view may be made for that. Chosen: beyond it there is nothing more to see."""


def misfits(
    images: ViewImages, painted: torch.Tensor, seeds: Sequence[int], model: PartModel, device: str
) -> list[float]:
    """How badly each painted view fits the shape, see :func:`meshkin.pictures.view_fit.misfit`.

    Args:
        images: what the n views really show.
        painted: uint8 (n, 3, H, W), RGB.
        seeds: of the n views' noise.
        model: reads normals from pictures.
        device: "auto", "cpu" or a torch device.
    """
    reader = MapModel(model.name, model.folder, NORMALS, model.checksum, ("normal",))
    size = painted.shape[2]
    true = pictures.resize(torch.from_numpy(images.normal.astype(np.float32)).permute(0, 3, 1, 2), size)
    seen = torch.from_numpy(np.isfinite(images.depth).astype(np.float32))[:, None]
    inside = (pictures.resize(seen, size)[:, 0] > 0.5).numpy()
    found = []
    for view, seed in enumerate(seeds):
        picture = painted[view].permute(1, 2, 0).cpu().numpy()
        settings = (seed, _STEPS, min(_RESOLUTION, _LARGEST_SCALE * size))
        normal = reading.read_maps(reader, picture, inside[view], settings, device)["normal"]
        own = torch.nn.functional.normalize(true[view], dim=0).permute(1, 2, 0).numpy()
        found.append(view_fit.misfit(normal, own, inside[view]))
    return found


def without_worst(seen: SeenViews, share: float) -> SeenViews:
    """The views without the share of them that fits the shape worst; their maps wait in main memory meanwhile."""
    batches: list[Grids] = []
    misfit = np.zeros(len(seen.views))
    device = torch.device("cpu")
    for batch in seen.grids:
        assert batch.misfits is not None
        device = batch.maps[0].device
        misfit[batch.views] = batch.misfits
        batches.append(replace(batch, maps=[grid.cpu() for grid in batch.maps]))
    left_out = view_fit.worst(misfit, share)
    if not len(left_out):
        return replace(seen, grids=_moved(batches, np.arange(len(misfit)), device))
    print(f"Left out, since they fit the shape worst: views {left_out.tolist()}", file=sys.stderr, flush=True)
    kept = np.delete(np.arange(len(misfit)), left_out)
    without = seen.placement.without
    numbers = np.delete(np.arange(len(misfit) + len(without)), list(without))  # in the whole placement
    return replace(
        seen,
        placement=replace(seen.placement, without=tuple(sorted((*without, *numbers[left_out].tolist())))),
        views=seen.views.take(kept.tolist()),
        depth=seen.depth[kept],
        grids=_moved(batches, kept, device),
    )


def _moved(batches: Sequence[Grids], kept: NDArray[np.int64], device: torch.device) -> Iterator[Grids]:
    """The maps of the views that are kept, numbered anew, on a device."""
    place = {int(view): number for number, view in enumerate(kept)}
    for batch in batches:
        rows = [row for row, view in enumerate(batch.views) if view in place]
        if rows:
            yield Grids([place[batch.views[row]] for row in rows], [grid[rows].to(device) for grid in batch.maps])
