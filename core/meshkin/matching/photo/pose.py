"""From which side a photograph shows a surface: views of the surface ranked by how well the photograph fits each.

The instance matching distance of "Telling Left from Right" (Zhang et al., CVPR 2024, https://arxiv.org/abs/2311.17034,
section 4.1) ranks pictures by the mean distance of each place's features to the most similar ones of the other picture.
Here both pictures are framed by the object, so only places that lie near each other in their frames are compared; that
tells left from right, which the features alone do not, and makes the outline count. The views that fit best are then
turned as long as they fit better, and compared once more: where parts lie on parts, features tell much more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from ...base.progress import ProgressCallback, silent
from ...data.snapshot import Snapshot
from ...data.views import Views, frame, ring_directions
from ...geometry.arrays import Floats, Singles
from ..surfaces import DescribedSurface
from .settings import FRAME_VIEWS, ViewRankSettings
from .shown_surface import FramedObject, ShownViews

WAYS = ((1, 0), (-1, 0), (0, 1), (0, -1))
"""Turns about the vertical axis, and up, in which neighbors of a view lie."""
HIGHEST_TURN = 85
"""Degrees above or below the horizon beyond which no view is turned. Chosen: at a pole no side is up."""


@dataclass(frozen=True)
class Pose:
    """A view of a surface that a photograph may show.

    Attributes:
        is_mirrored: whether the photograph's mirror image shows it so.
        score: how well it fits, at most 1: the mean cosine of the places that lie near each other, and the share of
            both outlines that the other one has; a mirror image loses ``mirror_margin``.
        view: the only camera of these; its picture is the frame around the object.
    """

    is_mirrored: bool
    score: float
    view: Views

    @property
    def direction(self) -> Floats:
        """The unit vector (3,) from the surface toward the camera."""
        return np.asarray(self.view.rotation[0, 2])


@dataclass(frozen=True)
class _CellPicture:
    """Cells of a picture that show the object.

    Attributes:
        places: (P, 2), x and y in widths.
        features: (P, C), unit rows.
        filled: (n, n), the share of each cell of the picture that shows the object.
    """

    places: Floats
    features: Singles
    filled: Floats

    @staticmethod
    def of(picture: FramedObject, count: int) -> _CellPicture:
        """What a picture shows in fewer cells each way."""
        features, filled = picture.reduced(count)
        is_shown = filled >= min(0.5, filled.max())
        return _CellPicture((np.argwhere(is_shown)[:, ::-1] + 0.5) / count, features[is_shown], filled)


def rank_poses(
    pictures: Sequence[FramedObject],
    surface: DescribedSurface,
    report: ProgressCallback = silent,
    settings: ViewRankSettings = ViewRankSettings(),
) -> list[Pose]:
    """Find the views of a surface that a photograph shows best.

    Args:
        pictures: the object in the photograph and in its mirror image.
        surface: the shape, with features comparable with the photograph's.
        report: is told the progress; may raise Cancelled.
        settings: the views, and what is compared.

    Returns:
        The best view, then the best that differs from it in direction or as the mirror image; one that is mirrored is
        the best only if it is so by ``settings.mirror_margin``.
    """
    report("Finding the side", 0.0)
    directions = ring_directions(settings.rings)
    views = ShownViews(surface)
    coarse = [_CellPicture.of(picture, settings.cells) for picture in pictures]
    fits = _scores(coarse, directions, views, settings)
    found: list[tuple[float, bool, Floats]] = []
    for is_mirrored, start in _starts(fits, directions, settings):
        report("Finding the side", (len(found) + 1) / (settings.starts + 2))
        direction, fit = _turned(coarse[is_mirrored], directions[start], views, settings.turns, settings)
        loss = settings.mirror_margin * is_mirrored
        found.append((fit - loss, is_mirrored, direction))
    found.sort(key=lambda each: each[0], reverse=True)
    apart = np.cos(np.radians(settings.apart))
    differ = [each for each in found[1:] if each[1] != found[0][1] or each[2] @ found[0][2] < apart]
    return [_finished(pictures, each, views, settings) for each in (found[0], (differ or found[1:])[0])]


def view_scores(
    pictures: Sequence[FramedObject], surface: DescribedSurface, settings: ViewRankSettings = FRAME_VIEWS
) -> Floats:
    """How well the views of a surface fit a photograph, and its mirror image: (2, N), as :class:`Pose` has it.

    Args:
        pictures, surface: as of :func:`rank_poses`.
        settings: the N views are those of its rings, :func:`meshkin.data.views.ring_directions`.
    """
    coarse = [_CellPicture.of(picture, settings.cells) for picture in pictures]
    return _scores(coarse, ring_directions(settings.rings), ShownViews(surface), settings)


def numbered_view(shape: Snapshot, number: int, scores: Floats, settings: ViewRankSettings = FRAME_VIEWS) -> Pose:
    """The view with this number among scores (2, N) of :func:`view_scores`; N more for the mirror image."""
    is_mirrored, view = divmod(number, scores.shape[1])
    direction = ring_directions(settings.rings)[view]
    cameras = frame(shape.vertices[np.unique(shape.faces)], direction[None], settings.fine_cells)
    return Pose(bool(is_mirrored), float(scores[is_mirrored, view]), cameras)


def _scores(
    pictures: Sequence[_CellPicture], directions: Floats, views: ShownViews, settings: ViewRankSettings
) -> Floats:
    """The scores (2, N) of directions (N, 3)."""
    fits = _fits(pictures, directions, views, settings.reach, settings.outline)
    fits[1] -= settings.mirror_margin
    return fits - _tilt(directions, settings)


def _finished(
    pictures: Sequence[FramedObject], found: tuple[float, bool, Floats], views: ShownViews, settings: ViewRankSettings
) -> Pose:
    """A pose, turned once more in more cells; its score is that by which it was compared with others."""
    score, is_mirrored, direction = found
    picture = _CellPicture.of(pictures[is_mirrored], settings.fine_cells)
    direction, _ = _turned(picture, direction, views, settings.fine_turns, settings)
    return Pose(is_mirrored, score, views.framed(direction[None], settings.fine_cells))


def _starts(fits: Floats, directions: Floats, settings: ViewRankSettings) -> list[tuple[bool, int]]:
    """The views to turn, of the mirror image or not, and their numbers: the best ones that differ."""
    left, chosen = fits.copy(), []
    for _ in range(settings.starts):
        mirrored, view = np.unravel_index(left.argmax(), left.shape)
        chosen.append((bool(mirrored), int(view)))
        left[mirrored, directions @ directions[view] > np.cos(np.radians(settings.apart))] = -np.inf
    return chosen


def _turned(
    picture: _CellPicture,
    direction: Floats,
    views: ShownViews,
    turns: Sequence[float],
    settings: ViewRankSettings,
) -> tuple[Floats, float]:
    """The direction from which no neighbor fits better, looked for by smaller and smaller turns, and how it fits."""

    def fit(directions: Sequence[Floats]) -> Floats:
        stacked = np.stack(directions)
        fits: Floats = _fits([picture], stacked, views, settings.fine_reach, settings.outline)[0]
        return fits - _tilt(stacked, settings)

    best = float(fit([direction])[0])
    for turn in turns:
        while True:
            neighbors = [_turn(direction, *(turn * np.array(way))) for way in WAYS]
            fits = fit(neighbors)
            if fits.max() <= best:
                break
            best, direction = float(fits.max()), neighbors[fits.argmax()]
    return direction, best


def _tilt(directions: Floats, settings: ViewRankSettings) -> Floats:
    """The score (N,) that views lose by how far they are from level."""
    elevation = np.arcsin(np.clip(directions[:, 2], -1, 1))
    return np.asarray(settings.tilt_cost * np.abs(elevation - np.radians(settings.level)) / (np.pi / 2))


def _turn(direction: Floats, azimuth: float, elevation: float) -> Floats:
    """A direction (3,) turned about the vertical axis, and up, both in degrees; no pole is reached."""
    around = np.arctan2(direction[1], direction[0]) + np.radians(azimuth)
    most = np.radians(HIGHEST_TURN)
    up = np.clip(np.arcsin(np.clip(direction[2], -1, 1)) + np.radians(elevation), -most, most)
    return np.array((np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)))


def _fits(
    pictures: Sequence[_CellPicture], directions: Floats, views: ShownViews, reach: float, outline: float
) -> Floats:
    """How well each picture fits a surface seen from each direction, (number of pictures, N), as :func:`_fit`."""
    cells = len(pictures[0].filled)
    cameras = views.framed(directions, cells)
    shown = [_CellPicture.of(views.show(cameras, number).picture, cells) for number in range(len(cameras))]
    return np.array([[_fit(picture, view, reach, outline) for view in shown] for picture in pictures])


def _fit(photo: _CellPicture, view: _CellPicture, reach: float, outline: float) -> float:
    """How well two pictures fit, see :class:`Pose`; places are compared within ``reach``, ``outline`` is its weight."""
    if not len(view.places):
        return -1.0
    squares = cdist(photo.places, view.places, "sqeuclidean")
    cosine = np.where(squares <= reach**2, photo.features @ view.features.T, 0)
    agreement = float(cosine.max(axis=1).mean() + cosine.max(axis=0).mean()) / 2
    common = np.minimum(photo.filled, view.filled).sum() / np.maximum(photo.filled, view.filled).sum()
    return (agreement + outline * float(common)) / (1 + outline)
