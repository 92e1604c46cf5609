"""All features of one shape by a recipe: each part extracted, lifted if it comes from pictures, set side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..progress import Report, silent
from ..snapshot import Snapshot
from ..views import Passes, of_recipe
from .cache import Features
from .extractor import ImageExtractor, SurfaceExtractor, ViewImages
from .lifting import lift, unit_rows
from .recipe import build


def compute(
    snapshot: Snapshot,
    recipe: dict[str, Any],
    passes: Passes | None,
    device: str = "auto",
    report: Report = silent,
) -> Features:
    """Features of every vertex of a mesh.

    Args:
        snapshot: the mesh.
        recipe: as :func:`meshkin.features.recipe.resolve` makes it.
        passes: what the recipe's views saw; None where it has none.
        device: "auto", "cpu" or a torch device.

    Returns:
        For each part its unit features times the part's weight, in the recipe's order, with the views that saw each
        vertex and the confidence of the parts that come from pictures (1 everywhere where there is none).
    """
    columns, confidences, channels = [], [], []
    seen = np.zeros(len(snapshot.vertices), np.int16)
    for part in recipe["parts"]:
        extractor: ImageExtractor | SurfaceExtractor = build(part, device)
        if hasattr(extractor, "describe"):
            values = unit_rows(extractor.describe(snapshot, report))
        else:
            assert passes is not None
            views = of_recipe(snapshot, recipe)
            grids = extractor.extract(ViewImages(passes.normal, passes.depth, passes.colour, views), report)
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
            values, seen = lifted.features / np.sqrt(np.float32(len(extractor.channels))), lifted.seen
            confidences.append(lifted.confidence)
        columns.append((values * np.float32(part["weight"])).astype(np.float16))
        channels.append([part["extractor"], values.shape[1]])
    confidence = np.mean(confidences, axis=0) if confidences else np.ones(len(seen))
    return Features(
        features=np.concatenate(columns, axis=1),
        seen=seen,
        confidence=confidence.astype(np.float32),
        metadata={"name": snapshot.name, "shape": snapshot.key, "recipe": recipe, "channels": channels},
    )
