"""A point of the surface for each cell of a photograph, among those that the best view shows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import cdist

from ...base.progress import ProgressCallback, silent
from ...data.views import Views
from ...geometry.arrays import SIMILARITY_BLOCK, Floats, Integers, Singles
from ..surfaces import DescribedSurface
from .displacement import displacements
from .settings import CellMatchSettings
from .shown_surface import FramedObject, ShownSurface, ShownViews
from .soft_points import SurfaceBalls, soft_points


@dataclass(frozen=True)
class CellMatch:
    """The point that each cell shows.

    Attributes:
        vertex: int64 (Q,), the vertex nearest to the best answer.
        points: float64 (Q, 3), finer than vertices and cells.
        confidence: float32 (Q,) in [0, 1].
        camera: float64 (4, 2), the affine camera from the snapshot frame to positions in widths of the frame that fits
            the view, and how it is displaced.
    """

    vertex: Integers
    points: Floats
    confidence: Singles
    camera: Floats


def match_cells(
    photo: FramedObject,
    surface: DescribedSurface,
    view: Views,
    report: ProgressCallback = silent,
    settings: CellMatchSettings = CellMatchSettings(),
) -> CellMatch:
    """Find the point of a surface that each cell of a photograph's object shows.

    The confidence of a cell is its vertex's own, times the cosine, or 0 if that is negative, times exp(-d / 0.1): d is
    the distance to the cell that is most similar to its answer, and 0.1 is ``settings.agreement_distance``.

    Args:
        photo: the object.
        surface: the shape, with features comparable with the photograph's.
        view: the only camera of these shows what the photograph shows.
        report: is told the progress; may raise Cancelled.
        settings: weights and thresholds.
    """
    report("Matching the photo", 0.0)
    shown = ShownViews(surface).show(replace(view, resolution=len(photo.inside)))
    moved = displacements(photo, shown.picture, settings.displacement)
    report("Matching the photo", 0.5)
    places = photo.places
    best, cosine, best_query, points = _search(photo, places + moved, surface, shown, settings)
    distance = np.linalg.norm(places[best_query[best]] - places, axis=1)
    vertex = shown.vertex[best]
    confidence = np.clip(cosine, 0, 1) * np.exp(-distance / settings.agreement_distance)
    confidence = confidence * np.clip(surface.confidence[vertex], 0, 1)
    return CellMatch(vertex, points, confidence.astype(np.float32), _camera(surface, view, places, moved))


def _search(
    photo: FramedObject, places: Floats, surface: DescribedSurface, shown: ShownSurface, settings: CellMatchSettings
) -> tuple[Integers, Singles, Integers, Floats]:
    """The best of the points that are shown for each cell, with its cosine; the best cell of each; and finer points.

    A point loses ``distance_penalty`` if it is shown far from the cell's place (Q, 2) in the view; one of a vertex of
    which nothing is known is the answer only where all are.
    """
    queries, features, shown_at = photo.rows, shown.picture.rows, shown.picture.places
    balls = SurfaceBalls(surface, shown.vertex, settings.ball)
    is_unknown = surface.confidence[shown.vertex] <= 0
    best, cosine = np.empty(len(queries), np.int64), np.empty(len(queries), np.float32)
    points = np.empty((len(queries), 3))
    best_query, best_score = np.zeros(len(features), np.int64), np.full(len(features), -np.inf, np.float32)
    step = max(1, SIMILARITY_BLOCK // len(features))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        similarity = queries[rows] @ features.T
        squares = cdist(places[rows], shown_at, "sqeuclidean")
        nearness = np.exp(-squares / (2 * settings.reach**2))
        score = (similarity - settings.distance_penalty * (1 - nearness)).astype(np.float32) - 2 * is_unknown
        best[rows] = score.argmax(axis=1)
        cosine[rows] = np.take_along_axis(similarity, best[rows, None], 1)[:, 0]
        points[rows] = soft_points(score, best[rows], shown, balls, settings.sharpness)
        query = score.argmax(axis=0)
        value = np.take_along_axis(score, query[None], axis=0)[0]
        better = value > best_score
        best_query[better], best_score[better] = start + query[better], value[better]
    return best, cosine, best_query, points


def _camera(surface: DescribedSurface, view: Views, places: Floats, moved: Floats) -> Floats:
    """The affine camera (4, 2) nearest to a view whose places are displaced as those of a photograph.

    All vertices count: what the picture shows alone is often too flat to tell a direction.
    """
    shape = surface.snapshot
    used = shape.vertices[np.unique(shape.faces)].astype(np.float64)
    projected = view.project(0, used)[0] / view.resolution
    affine = np.column_stack((places, np.ones(len(places))))
    to_photo = np.linalg.lstsq(affine + np.column_stack((moved, np.zeros(len(moved)))), places, rcond=None)[0]
    shown_at = np.column_stack((projected, np.ones(len(used)))) @ to_photo
    center = used.mean(axis=0)
    unit = np.column_stack((used - center, np.ones(len(used))))
    camera = np.linalg.lstsq(unit, shown_at, rcond=None)[0]
    return np.vstack((camera[:3], camera[3] - center @ camera[:3]))
