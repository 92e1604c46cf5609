"""All features of one shape by a recipe: each part extracted, lifted if it comes from pictures, set side by side."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..cache import store as cache
from ..data.features import FeatureOrigin, Features
from ..data.recipe import Part, Recipe
from ..data.snapshot import Snapshot
from ..data.views import Passes, of_recipe
from ..geometry.arrays import unit_rows
from . import recipe as recipes
from . import registry, resuming
from .building import build
from .extractor import DerivedExtractor, PictureExtractor, PictureReader
from .view_data import Grids, Lifted, SeenViews, ViewImages


@dataclass(frozen=True)
class KeptViews:
    """Folders for what extractors make of single views; None to keep none.

    Attributes:
        partial: for the maps of extractors that take long, for when the job is stopped.
        painted: for what an extractor paints, a picture for each view.
    """

    partial: Path | None = None
    painted: Path | None = None


def compute(
    snapshot: Snapshot,
    recipe: Recipe,
    passes: Passes | None,
    device: str = "auto",
    report: ProgressCallback = silent,
    kept: KeptViews = KeptViews(),
    look: str = "",
) -> Features:
    """Features of every vertex of a mesh.

    Args:
        snapshot: the mesh.
        recipe: as :func:`meshkin.features.recipe.resolve` makes it.
        passes: what the recipe's views saw; None where it has none, or where the cache has all that comes of pictures.
        device: "auto", "cpu" or a torch device.
        report: told the progress; may raise Cancelled.
        kept: where views are kept.
        look: content hash of the mesh's materials, see :func:`meshkin.features.recipe.key`.

    Returns:
        For each part its features times the part's weight, in the recipe's order, with the views that saw each vertex
        and the confidence of the parts that come from pictures (1 everywhere where there is none). The features of a
        part are unit vectors, unless its extractor lifts them in its own way.
    """
    columns: list[NDArray[np.float16]] = []
    lifted_parts: list[Lifted] = []
    channels: list[tuple[int, ...]] = []
    for part in recipe.parts:
        extractor = registry.find(part.extractor)
        if isinstance(extractor, PictureExtractor):
            assert passes is not None
            reader = build(part, device)
            lifted = _described_views(snapshot, recipe, part, passes, reader, report, kept)
            values = lifted.features
            lifted_parts.append(lifted)
            channels.append(tuple(reader.channels))
        elif isinstance(extractor, DerivedExtractor):
            assert part.base is not None
            base = _base_features(snapshot, part.base, passes, device, report, look)
            values = extractor.derive(snapshot, base, part.models, report)
            lifted_parts.append(Lifted(values, base.seen, base.confidence))
            channels.append((values.shape[1],))
        else:
            described = extractor.describe(snapshot, extractor.settings_of(part), report)
            values = unit_rows(np.asarray(described, np.float32))
            channels.append((values.shape[1],))
        columns.append((values * np.float32(part.weight)).astype(np.float16))
    count = len(snapshot.vertices)
    confidence = np.mean([lifted.confidence for lifted in lifted_parts], axis=0) if lifted_parts else np.ones(count)
    return Features(
        features=np.concatenate(columns, axis=1),
        seen=lifted_parts[-1].seen if lifted_parts else np.zeros(count, np.int16),
        confidence=confidence.astype(np.float32),
        origin=FeatureOrigin(snapshot.name, snapshot.key, recipe, tuple(channels)),
    )


def _base_features(
    snapshot: Snapshot, base: Recipe, passes: Passes | None, device: str, report: ProgressCallback, look: str
) -> Features:
    """The features that others are made of: out of the cache, or computed into it."""
    key = recipes.key(base, snapshot.key, look)
    if not cache.usable(key):
        kept = KeptViews(cache.partial_folder(key), cache.painted_folder(key))
        cache.save(key, compute(snapshot, base, passes, device, report, kept, look))
        shutil.rmtree(cache.partial_folder(key), ignore_errors=True)
    return cache.read(cache.features_path(key))


def _described_views(
    snapshot: Snapshot,
    recipe: Recipe,
    part: Part,
    passes: Passes,
    reader: PictureReader,
    report: ProgressCallback,
    kept: KeptViews,
) -> Lifted:
    """What a part's extractor sees in the views, at the vertices."""
    extractor = registry.find(part.extractor)
    assert isinstance(extractor, PictureExtractor)
    assert recipe.views is not None
    views = of_recipe(snapshot, recipe)
    images = ViewImages(passes.normal, passes.depth, passes.color, views)
    grids = _grids(reader, images, extractor.resumable, report, kept)
    seen = SeenViews(snapshot, recipe.views, views, passes.depth, grids, tuple(reader.channels), reader.map_weights)
    return extractor.lift(seen, extractor.settings_of(part), report)


def _grids(
    reader: PictureReader, images: ViewImages, resumable: bool, report: ProgressCallback, kept: KeptViews
) -> Iterator[Grids]:
    if not resumable or kept.partial is None:
        grids = reader.extract(images, report)
    else:
        grids = resuming.extract(reader, images, kept.partial, report)
    return grids if kept.painted is None else resuming.save_pictures(grids, kept.painted)
