"""From which side a photograph shows a surface: views of the surface ranked by how well the photograph fits each.

The instance matching distance of "Telling Left from Right" (Zhang et al., CVPR 2024, https://arxiv.org/abs/2311.17034,
section 4.1) ranks pictures by the mean distance of each place's features to the most similar ones of the other picture.
Here both pictures are framed by the object, so only places that lie near each other in their frames are compared; that
tells left from right, which the features alone do not, and makes the outline count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...base.progress import ProgressCallback, silent
from ...data.views import Views, frame, ring_directions
from ...features.ray_casting import cast_passes
from ...geometry.arrays import Floats, Singles, unit_rows
from ..surfaces import DescribedSurface
from .settings import ViewRankSettings


@dataclass(frozen=True)
class Pose:
    """A view of a surface that a photograph may show.

    Attributes:
        direction: (3,), unit vector from the surface toward the camera.
        is_mirrored: whether the photograph's mirror image shows it so.
        score: mean cosine of the places that lie near each other, in [-1, 1].
        camera: (4, 2), the affine camera nearest to the view, from the snapshot frame to widths of the frame.
    """

    direction: Floats
    is_mirrored: bool
    score: float
    camera: Floats


@dataclass(frozen=True)
class CellPicture:
    """Cells of a picture that show the object: ``places`` (P, 2), x and y in widths, and unit features (P, C)."""

    places: Floats
    features: Singles


def rank_poses(
    pictures: Sequence[CellPicture],
    surface: DescribedSurface,
    report: ProgressCallback = silent,
    settings: ViewRankSettings = ViewRankSettings(),
) -> list[Pose]:
    """Find the views of a surface that a photograph shows best.

    Args:
        pictures: the object in the photograph and in its mirror image, from :func:`shrink`.
        surface: the shape, with features comparable with the photograph's.
        report: is told the progress; may raise Cancelled.
        settings: the views, and what is compared.

    Returns:
        The best view, then the best that differs from it in direction or as the mirror image; one that is mirrored is
        the best only if it is so by ``settings.mirror_margin``.
    """
    shape = surface.snapshot
    used = shape.vertices[np.unique(shape.faces)].astype(np.float64)
    views = frame(used, ring_directions(settings.rings), settings.cells)
    shown = _shown_views(surface, views, report)
    scores = np.array([[_agreement(one, view, settings) for view in shown] for one in pictures])
    scores[1] -= settings.mirror_margin
    directions = views.rotation[:, 2]
    best = np.unravel_index(scores.argmax(), scores.shape)
    is_other = directions @ directions[best[1]] < np.cos(np.radians(settings.apart))
    others = np.where(np.stack((is_other, is_other)), scores, -np.inf)
    others[1 - best[0]] = scores[1 - best[0]]
    second = np.unravel_index(others.argmax(), scores.shape)
    return [
        Pose(directions[view], bool(mirrored), float(scores[mirrored, view]), _affine_camera(views, int(view), used))
        for mirrored, view in (best, second)
    ]


def shrink(grid: Singles, inside: NDArray[np.bool_], count: int) -> CellPicture:
    """Return what a grid (n, n, C) of features shows inside (n, n) in fewer cells each way; n is a multiple of them."""
    step = len(grid) // count
    total = (grid * inside[..., None]).reshape(count, step, count, step, -1).sum(axis=(1, 3))
    filled = inside.reshape(count, step, count, step).sum(axis=(1, 3))
    is_shown = filled >= min(step * step / 2, filled.max())
    return CellPicture((np.argwhere(is_shown)[:, ::-1] + 0.5) / count, unit_rows(total[is_shown]))


def _shown_views(surface: DescribedSurface, views: Views, report: ProgressCallback) -> list[CellPicture]:
    """Return what each view shows of the surface."""
    shape = surface.snapshot
    passes = cast_passes(shape, views, report)
    assert passes.face is not None
    pictures = []
    for view, face in enumerate(passes.face):
        shares = views.barycentric(view, shape.vertices[shape.faces], face)
        corners = surface.features[shape.faces[face[face >= 0]]]
        features = np.einsum("pk,pkc->pc", shares.astype(np.float32), corners)
        pictures.append(CellPicture((np.argwhere(face >= 0)[:, ::-1] + 0.5) / views.resolution, unit_rows(features)))
    return pictures


def _agreement(photo: CellPicture, view: CellPicture, settings: ViewRankSettings) -> float:
    """Return the mean cosine of each place to the most similar one near it in the other picture, 0 where none is."""
    if not len(view.places):
        return -1.0
    squares = ((photo.places[:, None] - view.places[None]) ** 2).sum(axis=-1)
    cosine = np.where(squares <= settings.reach**2, photo.features @ view.features.T, 0)
    return float(cosine.max(axis=1).mean() + cosine.max(axis=0).mean()) / 2


def _affine_camera(views: Views, view: int, points: Floats) -> Floats:
    """Return the affine camera (4, 2) that shows points (V, 3) most nearly where a view does, in widths."""
    center = points.mean(axis=0)
    unit = np.column_stack((points - center, np.ones(len(points))))
    camera = np.linalg.lstsq(unit, views.project(view, points)[0] / views.resolution, rcond=None)[0]
    return np.vstack((camera[:3], camera[3] - center @ camera[:3]))
