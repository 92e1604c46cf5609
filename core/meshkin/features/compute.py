"""All features of one shape by a recipe: each part extracted, lifted if it comes from pictures, set side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..base.progress import ProgressCallback, silent
from ..cache.store import Features
from ..data.snapshot import Snapshot
from ..data.views import Passes, Views, count_of_recipe, grid_directions, of_recipe
from . import resuming as kept
from .extractor import Grids, ImageExtractor, SurfaceExtractor, ViewImages
from .lifting import Lifted, lift, unit_rows
from .recipe import build


def compute(
    snapshot: Snapshot,
    recipe: dict[str, Any],
    passes: Passes | None,
    device: str = "auto",
    report: ProgressCallback = silent,
    partial: Path | None = None,
    painted: Path | None = None,
) -> Features:
    """Features of every vertex of a mesh.

    Args:
        snapshot: the mesh.
        recipe: as :func:`meshkin.features.recipe.resolve` makes it.
        passes: what the recipe's views saw; None where it has none.
        device: "auto", "cpu" or a torch device.
        report: told the progress; may raise Cancelled.
        partial: folder where extractors that take long keep what they have done, for when the job is stopped.
        painted: folder for what an extractor paints, a picture for each view.

    Returns:
        For each part its features times the part's weight, in the recipe's order, with the views that saw each vertex
        and the confidence of the parts that come from pictures (1 everywhere where there is none). They are unit
        vectors but where the part lifts as published.
    """
    columns, confidences, channels, maps = [], [], [], []
    seen = np.zeros(len(snapshot.vertices), np.int16)
    for part in recipe["parts"]:
        extractor: ImageExtractor | SurfaceExtractor = build(part, device)
        if hasattr(extractor, "describe"):
            values = unit_rows(extractor.describe(snapshot, report))
        else:
            assert passes is not None
            views = of_recipe(snapshot, recipe)
            images = ViewImages(passes.normal, passes.depth, passes.color, views)
            grids = _grids(extractor, images, report, partial, painted)
            weights = getattr(extractor, "map_weights", (len(extractor.channels) ** -0.5,) * len(extractor.channels))
            if part.get("lifting") == "published":
                lifted = _lift_published(snapshot, recipe, part, views, passes, grids, extractor, weights, report)
                values = lifted.features
            else:
                lifted = lift(
                    snapshot.vertices,
                    snapshot.faces,
                    snapshot.parts,
                    views,
                    passes.depth,
                    grids,
                    extractor.channels,
                    report,
                )
                values = lifted.features * np.repeat(np.array(weights, np.float32), extractor.channels)
            seen = lifted.seen
            confidences.append(lifted.confidence)
        columns.append((values * np.float32(part["weight"])).astype(np.float16))
        channels.append([part["extractor"], values.shape[1]])
        maps.append(list(extractor.channels) if part["extractor"] == "sd_dino" else [values.shape[1]])
    confidence = np.mean(confidences, axis=0) if confidences else np.ones(len(seen))
    return Features(
        features=np.concatenate(columns, axis=1),
        seen=seen,
        confidence=confidence.astype(np.float32),
        metadata={"name": snapshot.name, "shape": snapshot.key, "recipe": recipe, "channels": channels, "maps": maps},
    )


def _grids(
    extractor: ImageExtractor, images: ViewImages, report: ProgressCallback, partial: Path | None, painted: Path | None
) -> Iterator[Grids]:
    if not hasattr(extractor, "map_weights"):  # quick: nothing is worth keeping
        return extractor.extract(images, report)
    grids = extractor.extract(images, report) if partial is None else kept.extract(extractor, images, partial, report)
    return grids if painted is None else kept.save_pictures(grids, painted)


def _lift_published(
    snapshot: Snapshot,
    recipe: dict[str, Any],
    part: dict[str, Any],
    views: Views,
    passes: Passes,
    grids: Iterator[Grids],
    extractor: ImageExtractor,
    weights: tuple[float, ...],
    report: ProgressCallback,
) -> Lifted:
    from .extractors.diff3f import published

    wanted = recipe["views"]
    counts = grid_directions(wanted["grid"])[1] if "grid" in wanted else np.ones(count_of_recipe(wanted), int)
    counts = np.delete(counts, wanted.get("without", []))
    dinov2 = "dinov2" in part["models"]
    return published.lift(
        snapshot.vertices,
        views,
        counts,
        passes.depth,
        grids,
        extractor.channels,
        weights,
        dinov2,
        part["tolerance"],
        report,
    )
