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
from ...geometry.arrays import Floats, Singles, unit_rows
from ..surfaces import DescribedSurface
from .cell_matching import match_cells
from .cutout import cut_out
from .densify import densify
from .framing import reframed
from .photograph import Cells, Photograph
from .pose import Pose, rank_poses, view_scores
from .settings import FRAME_VIEWS, CutoutSettings, FramingSettings, PhotoMatchSettings
from .shown_surface import FramedObject, ShownViews

PHOTO_MATCHER_VERSION = 5
"""Raised whenever :func:`match_photo` would give another map: part of the maps' keys in the cache."""
LOOK_STEPS = (1, -1)
"""Step along the columns of a photograph, and of its mirror image."""


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
    photograph = _masked(photograph, shape, describer, settings.cutout)
    looks = [_Look.of(photograph, describer, step) for step in LOOK_STEPS]
    pictures, surface = _to_rank(looks, describer, shape)
    poses = rank_poses(pictures, surface, report, settings.pose)
    if settings.flip:
        poses.reverse()
    return _matched(looks[poses[0].is_mirrored], describer, shape, poses, settings)


def score_views(
    photograph: Photograph,
    shape: Snapshot,
    shape_features: Features,
    recipe: Recipe,
    device: str = "auto",
    report: ProgressCallback = silent,
    settings: PhotoMatchSettings = PhotoMatchSettings(pose=FRAME_VIEWS),
) -> tuple[NDArray[np.bool_], Floats]:
    """Find how well the views of a surface fit a photograph, and where the object is: mask (H, W), and scores (2, N).

    Arguments and errors are those of :func:`match_photo`; scores are those of
    :func:`meshkin.matching.photo.pose.view_scores`.
    """
    describer = _Describer(photograph, shape_features, recipe, device, report)
    photograph = _masked(photograph, shape, describer, settings.cutout)
    assert photograph.mask is not None
    looks = [_Look.of(photograph, describer, step) for step in LOOK_STEPS]
    return photograph.mask, view_scores(*_to_rank(looks, describer, shape), settings.pose)


def match_in_view(  # a photograph and a surface, what describes both, how one shows the other, and who watches
    photograph: Photograph,
    shape: Snapshot,
    shape_features: Features,
    recipe: Recipe,
    pose: Pose,
    device: str = "auto",
    report: ProgressCallback = silent,
    framing: FramingSettings | None = None,
) -> PhotoMap:
    """Match a photograph with a mask to a surface of which the view that it shows is known.

    Args:
        photograph, shape, shape_features, recipe, device, report: as of :func:`match_photo`; the shape may be posed.
        pose: the view; its picture is the frame around the object, :func:`meshkin.features.photo.window`.
        framing: how the view is zoomed and shifted to lie on the object; None where it is known to.
    """
    describer = _Describer(photograph, shape_features, recipe, device, report)
    look = _Look.of(photograph, describer, LOOK_STEPS[pose.is_mirrored])
    if framing is not None:
        cell_features, vertex_features = describer.reduce(look.features, describer.shape_features.features)
        views = ShownViews(DescribedSurface(shape, vertex_features, describer.shape_features.confidence))
        pose = replace(pose, view=reframed(look.framed(cell_features), views, pose.view, framing))
    return _matched(look, describer, shape, [pose, pose], PhotoMatchSettings())


def _masked(photograph: Photograph, shape: Snapshot, describer: _Describer, settings: CutoutSettings) -> Photograph:
    """The photograph with a mask of the object."""
    if photograph.mask is not None:
        return photograph
    return replace(photograph, mask=_find_object(photograph, shape.name, describer, settings))


def _matched(
    look: _Look, describer: _Describer, shape: Snapshot, poses: list[Pose], settings: PhotoMatchSettings
) -> PhotoMap:
    """The map of what is looked at, a photograph or its mirror image, from the first of two poses."""
    pose, known, distance = poses[0], describer.shape_features, settings.smooth_distance
    cell_features, vertex_features = describer.reduce(look.features, known.features)
    surface = DescribedSurface(shape, vertex_features, known.confidence)
    match = match_cells(look.framed(cell_features), surface, pose.view, describer.report, settings.cells)
    face, barycentric, confidence = densify(look.cells, look.inside, match, look.mask, shape, distance)
    camera, mask = match.camera * look.cells.side, look.mask
    camera[3] += (look.cells.left, look.cells.top)
    views = np.array([(*each.direction, each.is_mirrored, each.score) for each in poses])
    if pose.is_mirrored:
        face, barycentric, confidence = face[:, ::-1], barycentric[:, ::-1], confidence[:, ::-1]
        camera, mask = camera * (-1, 1) + np.outer((0, 0, 0, 1), (mask.shape[1], 0)), mask[:, ::-1]
    return PhotoMap(mask, face, barycentric, confidence, shape.faces, camera, describer.photograph.pixels, views)


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


def _to_rank(looks: list[_Look], describer: _Describer, shape: Snapshot) -> tuple[list[FramedObject], DescribedSurface]:
    """Return a photograph and its mirror image, and the surface whose views are compared with them.

    Each map counts the same.
    """
    known = describer.shape_features
    *of_cells, of_vertices = describer.reduce(
        *(describer.evened(look.features) for look in looks), describer.evened(known.features)
    )
    pictures = [look.framed(features) for look, features in zip(looks, of_cells, strict=True)]
    return pictures, DescribedSurface(shape, of_vertices, known.confidence)


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
