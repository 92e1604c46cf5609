"""Match a photograph to a surface: cut the object out, match its cells to vertices, carry the points to its pixels.

Features do not tell apart parts that look alike (left and right, front and back legs). So the view of the surface that
the photograph fits best is found first, by features and outlines. A smooth field then tells where each cell of the
photograph lies in that view, and the cell takes the points that are shown near that place, by their features: bounded,
so that a limb whose pose differs from the mesh's still goes where its features say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
from .pose import Pose, rank_poses
from .settings import CutoutSettings, PhotoMatchSettings, ViewRankSettings
from .shown_surface import FramedObject

PHOTO_MATCHER_VERSION = 5
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
    photograph = replace(photograph, mask=mask)
    looks = [_Look.of(photograph, describer, step) for step in (1, -1)]
    poses = _rank(looks, describer, shape, settings.pose)
    if settings.flip:
        poses.reverse()
    pose = poses[0]
    look = looks[pose.is_mirrored]
    cell_features, vertex_features = describer.reduce(look.features, shape_features.features)
    surface = DescribedSurface(shape, vertex_features, shape_features.confidence)
    match = match_cells(look.framed(cell_features), surface, pose.view, report, settings.cells)
    distance = settings.smooth_distance
    face, barycentric, confidence = densify(look.cells, look.inside, match, look.mask, shape, distance)
    camera = match.camera * look.cells.side
    camera[3] += (look.cells.left, look.cells.top)
    views = np.array([(*each.direction, each.is_mirrored, each.score) for each in poses])
    if pose.is_mirrored:
        face, barycentric, confidence = face[:, ::-1], barycentric[:, ::-1], confidence[:, ::-1]
        camera = camera * (-1, 1) + np.outer((0, 0, 0, 1), (mask.shape[1], 0))
    return PhotoMap(mask, face, barycentric, confidence, shape.faces, camera, photograph.pixels, views)


@dataclass(frozen=True)
class _Look:
    """A photograph or its mirror image, framed by the object.

    Attributes:
        mask: bool (H, W), the object.
        cells: the frame.
        inside: bool (n, n), the cells of the object.
        features: float32 (Q, C), of these cells, in order, not reduced.
    """

    mask: NDArray[np.bool_]
    cells: Cells
    inside: NDArray[np.bool_]
    features: Singles

    def framed(self, features: Singles) -> FramedObject:
        """The object with features (Q, C) of its cells."""
        grid = np.zeros((*self.inside.shape, features.shape[1]), np.float32)
        grid[self.inside] = features
        return FramedObject(grid, self.inside)

    @staticmethod
    def of(photograph: Photograph, describer: _Describer, step: int) -> _Look:
        """Return what a photograph with a mask shows, or its mirror image, whose ``step`` is -1."""
        assert photograph.mask is not None
        mask, pixels = photograph.mask[:, ::step], photograph.pixels[:, ::step]
        frame = photo_features.window(mask)
        cells = Cells(*frame, photo_features.GRID)
        inside = cells.object_cells(mask)
        return _Look(mask, cells, inside, describer.describe(frame, mask, pixels)[inside])


def _rank(looks: list[_Look], describer: _Describer, shape: Snapshot, settings: ViewRankSettings) -> list[Pose]:
    """Return the views of a surface that a photograph, or its mirror image, shows best; each map counts the same."""
    known = describer.shape_features
    *of_cells, of_vertices = describer.reduce(
        *(describer.evened(look.features) for look in looks), describer.evened(known.features)
    )
    pictures = [look.framed(features) for look, features in zip(looks, of_cells, strict=True)]
    return rank_poses(pictures, DescribedSurface(shape, of_vertices, known.confidence), describer.report, settings)


@dataclass(frozen=True)
class _Describer:
    """What describes parts of one photograph as the features of one surface were made."""

    photograph: Photograph
    shape_features: Features
    recipe: Recipe
    device: str
    report: ProgressCallback

    def describe(
        self, frame: photo_features.Window, shown: NDArray[np.bool_], pixels: NDArray[np.uint8] | None = None
    ) -> Singles:
        """Return the features (n, n, C) of a frame of the photograph, or of ``pixels`` (H, W, 3) in its place.

        Pixels that are not in ``shown`` (H, W) become background.
        """
        picture = self.photograph.pixels if pixels is None else pixels
        return photo_features.describe(picture, shown, frame, self.recipe, self.device, self.report)

    def evened(self, features: Singles) -> Singles:
        """Return features (N, C) in which each map counts as much as any other, whatever the weights of the parts.

        To tell sides, edges count as much as parts. Measured on 64 photographs of eight characters: the right
        direction in 60 by the parts' own weights (.5, .3), in 61 if both are as long, in 62 if the second is twice as
        long; here it is 1.4 times as long, as it has two maps.
        """
        channels = self.shape_features.origin.channels
        scales = [np.sqrt(len(maps)) / part.weight for part, maps in zip(self.recipe.parts, channels, strict=True)]
        columns = np.repeat(scales, [sum(maps) for maps in channels]).astype(np.float32)
        return np.asarray(features * columns, np.float32)

    def reduce(self, *features: Singles) -> list[Singles]:
        """Bring features of cells (Q, C) and of vertices (V, C) into one space."""
        return joint.reduce(features, self.recipe.parts, self.shape_features.origin.channels)


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
