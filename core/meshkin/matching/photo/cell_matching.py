"""A vertex for each cell of a photograph, by features and by a camera that is fitted to the answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.progress import ProgressCallback, silent
from ...geometry.arrays import SIMILARITY_BLOCK, Floats, Integers, Singles, unit_rows
from ...geometry.mesh import vertex_normals
from ..feature_search import sample_evenly
from ..surfaces import DescribedSurface
from .camera import fit_camera, view_direction
from .settings import CellMatchSettings


@dataclass(frozen=True)
class CellMatch:
    """The vertex that each cell shows.

    Attributes:
        vertex: int64 (Q,).
        confidence: float32 (Q,) in [0, 1].
        camera: float64 (4, 2), the affine camera from the snapshot frame to positions in widths of the frame; None if
            none fits.
    """

    vertex: Integers
    confidence: Singles
    camera: Floats | None


@dataclass(frozen=True)
class _Candidates:
    """Vertices that may be an answer: features (R, C), unit rows, homogeneous points (R, 4) and normals (R, 3)."""

    features: Singles
    points: Floats
    normals: Floats


def match_cells(
    queries: Singles,
    positions: Floats,
    surface: DescribedSurface,
    report: ProgressCallback = silent,
    settings: CellMatchSettings = CellMatchSettings(),
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
    """
    shape = surface.snapshot
    sample = sample_evenly(shape.vertices, shape.faces, surface.usable, settings.candidates)
    candidates = _Candidates(
        unit_rows(surface.features[sample]),
        np.column_stack((shape.vertices[sample].astype(np.float64), np.ones(len(sample)))),
        vertex_normals(shape.vertices, shape.faces)[sample],
    )
    queries = unit_rows(queries)
    camera: Floats | None = None
    for turn in range(settings.rounds):
        report("Matching the photo", turn / settings.rounds)
        index, cosine, best_query = _search(queries, positions, candidates, camera, settings)
        distance = np.linalg.norm(positions[best_query[index]] - positions, axis=1)
        if turn < settings.rounds - 1:
            weights = np.exp(-((distance / settings.agreement_distance) ** 2)) + 1e-3
            camera = fit_camera(candidates.points[index], candidates.normals[index], positions, weights, settings)
            if camera is None and turn == settings.rounds - 2:
                break
    confidence = np.clip(cosine, 0, 1) * np.exp(-distance / settings.agreement_distance)
    confidence = confidence * np.clip(surface.confidence[sample[index]], 0, 1)
    return CellMatch(sample[index], confidence.astype(np.float32), camera)


def _search(
    queries: Singles, positions: Floats, candidates: _Candidates, camera: Floats | None, settings: CellMatchSettings
) -> tuple[Integers, Singles, Integers]:
    """Find the best candidate of each query by cosine, less the penalties by the camera.

    Returns:
        The index of the candidate (Q,), its cosine (Q,), and for each candidate the index of the best query (R,).
    """
    count = len(candidates.features)
    index, cosine = np.empty(len(queries), np.int64), np.empty(len(queries), np.float32)
    best_query, best_score = np.zeros(count, np.int64), np.full(count, -np.inf, np.float32)
    step = max(1, SIMILARITY_BLOCK // count)
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        similarity = queries[rows] @ candidates.features.T
        score = similarity
        if camera is not None:
            score = _penalized(similarity, positions[rows], candidates, camera, settings)
        best = score.argmax(axis=1)
        index[rows], cosine[rows] = best, np.take_along_axis(similarity, best[:, None], axis=1)[:, 0]
        query = score.argmax(axis=0)
        value = np.take_along_axis(score, query[None], axis=0)[0]
        better = value > best_score
        best_query[better], best_score[better] = start + query[better], value[better]
    return index, cosine, best_query


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
