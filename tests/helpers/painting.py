"""What Diff3F sees and gives, small enough for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from helpers import recipes
from helpers.rays import passes as cast_passes
from meshkin.data.recipe import Recipe
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import Passes, of_recipe
from meshkin.features.extractors.diff3f.painting import Diff3fReader
from meshkin.features.view_data import Grids, ViewImages

Array = NDArray[Any]
PIXELS = 64
SMALL = {"resolution": PIXELS, "dino_resolution": 70}

Resolve = Callable[..., Recipe]
"""Makes a recipe of Diff3F on small models: the fixture ``resolve``."""


def painter(found: Recipe, batch: int | None = None, device: str = "cpu") -> Diff3fReader:
    """The reader of a recipe's first part, which is Diff3F's, not kept for others."""
    part = found.parts[0]
    return Diff3fReader(recipes.settings_of(part), part.models, device, batch)


def images_of(shape: Snapshot, found: Recipe) -> tuple[ViewImages, Passes]:
    """What the views of a recipe see of a shape."""
    views = of_recipe(shape, found)
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
