"""Maps of the painted surface, read from its views by networks, baked as its colors are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..geometry.arrays import Singles
from .finishing import bake_views, fill_unseen, join_seams
from .painting import PaintedViews

ReadMaps = Callable[[NDArray[np.uint8], NDArray[np.bool_]], Mapping[str, Singles]]
"""Reads maps, by name, float32 (H, W) or (H, W, C), from a picture uint8 (H, W, 3) of what is in a mask bool (H, W)."""


def read_views(
    painted: PaintedViews, shown: NDArray[np.bool_], read: ReadMaps, report: ProgressCallback = silent
) -> dict[str, Singles]:
    """The maps of all views, (N, H, W) or (N, H, W, C) each; ``shown`` (N, H, W) is where the surface is."""
    maps: dict[str, list[Singles]] = {}
    for number, (picture, inside) in enumerate(zip(painted.pictures, shown, strict=True)):
        report("Reading maps from the views", number / len(shown))
        pixels = (picture.permute(1, 2, 0).numpy().clip(0, 1) * 255).round().astype(np.uint8)
        for name, values in read(pixels, inside).items():
            maps.setdefault(name, []).append(values)
    return {name: np.stack(values) for name, values in maps.items()}


def baked(
    painted: PaintedViews, maps: Mapping[str, Singles], names: Sequence[str], report: ProgressCallback = silent
) -> dict[str, NDArray[np.float32]]:
    """Textures float32 (tiles, S, S, 1) in [0, 1] of maps (N, H, W) of views, by name."""
    values = torch.from_numpy(np.stack([maps[name] for name in names], axis=1).astype(np.float32))
    texels, seen = bake_views(painted.layout, painted.views, values, painted.weights, report)
    pictures = join_seams(painted.layout, fill_unseen(painted.layout, texels, seen))
    return {name: pictures[..., number : number + 1] for number, name in enumerate(names)}
