"""What Diff3F sees and gives, small enough for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from helpers.rays import passes as cast_passes
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import Passes, of_recipe
from meshkin.features.extractor import Grids, ViewImages

Array = NDArray[Any]
PIXELS = 64
SMALL = {"resolution": PIXELS, "dino_resolution": 70}

Resolve = Callable[..., dict[str, Any]]
"""Makes a recipe of Diff3F on small models: the fixture ``resolve``."""


def images_of(shape: Snapshot, chosen: dict[str, Any]) -> tuple[ViewImages, Passes]:
    views = of_recipe(shape, chosen)
    seen = cast_passes(shape, views)
    return ViewImages(seen.normal, seen.depth, views=views), seen


def all_maps(grids: Iterator[Grids]) -> list[Array]:
    """Maps in the order of the views."""
    rows: dict[int, list[torch.Tensor]] = {}
    for batch in grids:
        for row, view in enumerate(batch.views):
            assert view not in rows
            rows[view] = [one[row] for one in batch.maps]
    return [torch.stack(maps).float().numpy() for maps in zip(*(rows[view] for view in sorted(rows)), strict=True)]


def relative(one: Array, two: Array) -> float:
    return float(np.abs(one - two).max() / np.abs(two).max())
