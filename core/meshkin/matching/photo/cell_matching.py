"""A vertex for each cell of a photograph, by features and by a camera that is fitted to the answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.progress import ProgressCallback, silent
from ...geometry.arrays import SIMILARITY_BLOCK, Floats, Integers, Singles, unit_rows
from ...geometry.mesh import vertex_areas, vertex_normals
from ..feature_search import sample_evenly
from ..surfaces import DescribedSurface
from .camera import fit_camera, view_direction
from .settings import CellMatchSettings
from .soft_points import SurfaceBalls, soft_points


@dataclass(frozen=True)
class CellMatch:
    """The vertex that each cell shows.

    Attributes:
        vertex: int64 (Q,).
        points: float64 (Q, 3), the point of the surface's neighborhood of that vertex, finer than vertices and cells.
        score: mean of the cosines, less what the camera says against them.
        confidence: float32 (Q,) in [0, 1].
        camera: float64 (4, 2), the affine camera from the snapshot frame to positions in widths of the frame; None if
            none fits.
    """

    vertex: Integers
    points: Floats
    score: float
    confidence: Singles
    camera: Floats | None


@dataclass(frozen=True)
class _Candidates:
    """Vertices that may be an answer.

    Attributes:
        features: (R, C), unit rows.
        points: (R, 4), homogeneous.
        normals: (R, 3).
        areas: (R,), how much of the surface each stands for.
        balls: around each, along the surface.
    """

    features: Singles
    points: Floats
    normals: Floats
    areas: Floats
    balls: SurfaceBalls


@dataclass(frozen=True)
class _Answers:
    """What a search finds.

    Attributes:
        index: int64 (Q,), the best candidate of each query.
        cosine, score: float32 (Q,), its cosine, and that less penalties.
        best_query: int64 (R,), the best query of each candidate.
        points: (Q, 3), finer than the candidates; the candidates' own where that was not asked for.
    """

    index: Integers
    cosine: Singles
    score: Singles
    best_query: Integers
    points: Floats


def match_cells(
    queries: Singles,
    positions: Floats,
    surface: DescribedSurface,
    report: ProgressCallback = silent,
    settings: CellMatchSettings = CellMatchSettings(),
    start: Floats | None = None,
) -> CellMatch:
    """Find the vertex that each cell of the object shows.

    The confidence of a cell is the vertex's own, times the cosine, or 0 if that is negative, times exp(-d / 0.1): d is
    the distance to the cell that is most similar to that vertex, and 0.1 is ``settings.agreement_distance``.

    Args:
        queries: float32 (Q, C), the cells' features.
        positions: (Q, 2), x and y of their centers, in widths of the frame, y pointing down.
        surface: the shape, with features comparable with ``queries``; vertices with a confidence of 0 are no answers.
        report: is told the progress; may raise Cancelled.
        settings: weights and thresholds.
        start: affine camera (4, 2) that the search starts with, from the snapshot frame to widths of the frame.
    """
    shape = surface.snapshot
    sample = sample_evenly(shape.vertices, shape.faces, surface.usable, settings.candidates)
    candidates = _Candidates(
        unit_rows(surface.features[sample]),
        np.column_stack((shape.vertices[sample].astype(np.float64), np.ones(len(sample)))),
        vertex_normals(shape.vertices, shape.faces)[sample],
        vertex_areas(shape.vertices, shape.faces)[sample],
        SurfaceBalls(surface, sample, settings.ball),
    )
    queries = unit_rows(queries)
    camera = start
    for turn in range(settings.rounds):
        report("Matching the photo", turn / settings.rounds)
        is_last = turn == settings.rounds - 1
        found = _search(queries, positions, candidates, camera, settings, is_last)
        distance = np.linalg.norm(positions[found.best_query[found.index]] - positions, axis=1)
        if not is_last:
            weights = np.exp(-((distance / settings.agreement_distance) ** 2)) + 1e-3
            points, normals = candidates.points[found.index], candidates.normals[found.index]
            camera = fit_camera(points, normals, positions, weights, settings, camera)
    confidence = np.clip(found.cosine, 0, 1) * np.exp(-distance / settings.agreement_distance)
    confidence = confidence * np.clip(surface.confidence[sample[found.index]], 0, 1)
    score = float(found.score.mean())
    return CellMatch(sample[found.index], found.points, score, confidence.astype(np.float32), camera)


def _search(
    queries: Singles,
    positions: Floats,
    candidates: _Candidates,
    camera: Floats | None,
    settings: CellMatchSettings,
    is_fine: bool,
) -> _Answers:
    """Find the best candidate of each query by cosine, less the penalties by the camera; ``is_fine``: points, too."""
    count = len(candidates.features)
    index, points = np.empty(len(queries), np.int64), np.empty((len(queries), 3))
    cosine, best_of = np.empty((2, len(queries)), np.float32)
    best_query, best_score = np.zeros(count, np.int64), np.full(count, -np.inf, np.float32)
    step = max(1, SIMILARITY_BLOCK // count)
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        similarity = queries[rows] @ candidates.features.T
        score = similarity
        if camera is not None:
            score = _penalized(similarity, positions[rows], candidates, camera, settings)
        best = score.argmax(axis=1)
        index[rows], points[rows] = best, candidates.points[best, :3]
        cosine[rows], best_of[rows] = (np.take_along_axis(each, best[:, None], 1)[:, 0] for each in (similarity, score))
        if is_fine:
            places, areas = candidates.points[:, :3], candidates.areas
            points[rows] = soft_points(score, best, places, areas, candidates.balls, settings.sharpness)
        query = score.argmax(axis=0)
        value = np.take_along_axis(score, query[None], axis=0)[0]
        better = value > best_score
        best_query[better], best_score[better] = start + query[better], value[better]
    return _Answers(index, cosine, best_of, best_query, points)


def _penalized(
    similarity: Singles, positions: Floats, candidates: _Candidates, camera: Floats, settings: CellMatchSettings
) -> Singles:
    """Return the cosines (Q, R) of queries and candidates less penalties by the camera, float32.

    A candidate loses ``distance_penalty`` if the camera shows it far from the query's position, and ``hidden_penalty``
    if it faces away from the camera.
    """
    shown = (candidates.points @ camera).astype(np.float32)
    squares = ((positions[:, None].astype(np.float32) - shown[None]) ** 2).sum(axis=-1)
    is_hidden = candidates.normals @ view_direction(camera) >= 0
    reach = 2 * settings.agreement_distance**2
    nearer = similarity - settings.distance_penalty * (1 - np.exp(-squares / reach))
    return np.asarray(nearer - np.float32(settings.hidden_penalty) * is_hidden, np.float32)
