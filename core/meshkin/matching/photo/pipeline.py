"""Match a photograph to a surface: cut the object out, match its cells to vertices, carry the points to its pixels.

Each cell of the photograph takes the vertex with the most similar features. These do not tell apart parts that look
alike (left and right, front and back legs). So an affine camera is fitted to the answers, and the search is repeated
with a preference for vertices that the camera shows there, on the side that faces the camera. The preference is
bounded: a limb whose pose differs from the mesh's still goes where its features say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.progress import ProgressCallback, silent
from ...data.features import Features
from ...data.photo_map import PhotoMap
from ...data.recipe import Recipe
from ...data.snapshot import Snapshot
from ...features import joint
from ...features import photo as photo_features
from ...geometry.arrays import Singles, unit_rows
from ..surfaces import DescribedSurface
from .cell_matching import match_cells
from .cutout import cut_out
from .densify import densify
from .photograph import Cells, Photograph
from .settings import CutoutSettings, PhotoMatchSettings

PHOTO_MATCHER_VERSION = 2
"""Raised whenever :func:`match_photo` would give another map: part of the maps' keys in the cache."""


def match_photo(
    photograph: Photograph,
    shape: Snapshot,
    shape_features: Features,
    recipe: Recipe,
    device: str = "auto",
    report: ProgressCallback = silent,
    settings: PhotoMatchSettings = PhotoMatchSettings(),
) -> PhotoMap:
    """Match a photograph to a surface.

    Args:
        photograph: its pixels; without a mask the object is cut out where features agree with the surface.
        shape: the surface.
        shape_features: the surface's features.
        recipe: of these features; every part looks at textured pictures.
        device: "auto", "cpu" or a torch device.
        report: is told the progress; may raise Cancelled.
        settings: of all stages.

    Raises:
        InputError: ``photo-no-object`` if nothing in the photograph agrees with the surface.
    """
    describer = _Describer(photograph, shape_features, recipe, device, report)
    mask = photograph.mask
    if mask is None:
        mask = _find_object(photograph, shape.name, describer, settings.cutout)
    frame = photo_features.window(mask)
    cells = Cells(*frame, photo_features.GRID)
    inside = cells.object_cells(mask)
    positions = (np.argwhere(inside)[:, ::-1] + 0.5) / cells.count
    grid = describer.describe(frame, mask)
    cell_features, vertex_features = describer.reduce(grid[inside], shape_features.features)
    surface = DescribedSurface(shape, vertex_features, shape_features.confidence)
    match = match_cells(cell_features, positions, surface, report, settings.cells)
    face, barycentric, confidence = densify(cells, inside, match, mask, shape, settings.smooth_distance)
    camera = np.full((4, 2), np.nan)
    if match.camera is not None:
        camera = match.camera * cells.side
        camera[3] += (cells.left, cells.top)
    return PhotoMap(mask, face, barycentric, confidence, shape.faces, camera, photograph.pixels)


@dataclass(frozen=True)
class _Describer:
    """What describes parts of one photograph as the features of one surface were made."""

    photograph: Photograph
    shape_features: Features
    recipe: Recipe
    device: str
    report: ProgressCallback

    def describe(self, frame: photo_features.Window, shown: NDArray[np.bool_]) -> Singles:
        """Return the features (n, n, C) of a frame; pixels that are not in ``shown`` (H, W) become background."""
        return photo_features.describe(self.photograph.pixels, shown, frame, self.recipe, self.device, self.report)

    def reduce(self, cells: Singles, vertices: Singles) -> tuple[Singles, Singles]:
        """Bring features of cells (Q, C) and of vertices (V, C) into one space."""
        channels = self.shape_features.origin.channels
        reduced_cells, reduced_vertices = joint.reduce([cells, vertices], self.recipe.parts, channels)
        return reduced_cells, reduced_vertices


def _find_object(
    photograph: Photograph, shape_name: str, describer: _Describer, settings: CutoutSettings
) -> NDArray[np.bool_]:
    """Cut the object out: first in the whole photograph, then within the frame of the first cutout.

    Returns bool (H, W). Raises InputError ``photo-no-object``.
    """
    height, width = photograph.pixels.shape[:2]
    known = np.flatnonzero(describer.shape_features.confidence > 0)
    references = describer.shape_features.features[known[:: max(1, len(known) // settings.references)]]
    side = max(height, width)
    frame = ((height - side) // 2, (width - side) // 2, side)
    everything = np.ones((height, width), bool)
    for _ in range(settings.looks):
        grid = describer.describe(frame, everything)
        cell_features, vertex_features = describer.reduce(grid.reshape(-1, grid.shape[-1]), references)
        mask = cut_out(
            cell_features.reshape(*grid.shape[:2], -1),
            Cells(*frame, photo_features.GRID),
            unit_rows(vertex_features),
            photograph.pixels,
            settings,
        )
        if mask.sum() < photo_features.SMALLEST:
            raise InputError(
                "photo-no-object",
                f"Nothing in {photograph.name} looks like “{shape_name}”.",
                "Give a mask that is white where the object is.",
            )
        frame = photo_features.window(mask, settings.free_border)
    return mask
