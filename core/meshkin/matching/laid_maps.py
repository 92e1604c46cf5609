"""The maps between two surfaces that lie on each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..data.surface_map import Match, SurfaceMap
from ..geometry.arrays import SIMILARITY_BLOCK, Floats, nearest_rows
from ..geometry.mesh import vertex_normals
from .compared_surfaces import ComparedSurface
from .confidence import JOINT_CONFIDENCE, FormConfidenceSettings, LaidConfidenceSettings
from .feature_search import precise_points, sample_evenly
from .laying import Laying, LayingSettings
from .registration import joint_coordinates


def match_laid(
    source: ComparedSurface,
    target: ComparedSurface,
    laying: Laying,
    report: ProgressCallback = silent,
    settings: LayingSettings = LayingSettings(),
) -> Match:
    """Match two surfaces, both ways, by where they lie after one was laid onto the other.

    The confidence of a vertex is the chance that its answer is right (:class:`LaidConfidenceSettings`, or
    :class:`FormConfidenceSettings` where a start by form led to the answer, or :data:`JOINT_CONFIDENCE`).
    """
    registration = settings.registration
    weights = registration.normal_weight, registration.final_feature_weight
    source_rows, target_rows = (
        joint_coordinates(
            place, vertex_normals(place, end.faces) * sense, end.features, registration.final_radius, weights
        ).astype(np.float32)
        for end, place, sense in ((source, laying.places, laying.sense), (target, target.vertices, 1))
    )
    report("Matching target to source", 0)
    to_source, source_evidence = _nearest_points(target_rows, source_rows, source, settings)
    report("Matching source to target", 0)
    to_target, target_evidence = _nearest_points(source_rows, target_rows, target, settings)
    if laying.form_distance is not None:
        form_law, distance = settings.form_confidence, laying.form_distance
        return Match(
            _with_confidence_by_form(to_source, source_evidence, distance, form_law),
            _with_confidence_by_form(to_target, target_evidence, distance, form_law),
            source.faces,
            target.faces,
        )
    law = JOINT_CONFIDENCE if laying.by_joints else settings.confidence
    return Match(
        _with_confidence(to_source, source_evidence, _returned(to_source, to_target, target, source), law),
        _with_confidence(to_target, target_evidence, _returned(to_target, to_source, source, target), law),
        source.faces,
        target.faces,
    )


@dataclass(frozen=True)
class _Evidence:
    """What speaks for the answers of a map.

    Attributes:
        distance: (V,), of each vertex to its answer in space, normal and features together.
        rival: (V,), to the best answer elsewhere.
    """

    distance: Floats
    rival: Floats

    @property
    def log_margin(self) -> Floats:
        """How much nearer each vertex's answer is than the best one elsewhere, (V,): 0 if by its whole distance."""
        margin = 1 - self.distance / np.maximum(self.rival, 1e-9)
        return np.asarray(np.log(np.clip(margin, 1e-3, 1)))


def _nearest_points(
    queries: NDArray[np.float32], references: NDArray[np.float32], surface: ComparedSurface, settings: LayingSettings
) -> tuple[SurfaceMap, _Evidence]:
    """For each query the nearest point of a surface in space, normal and features together.

    Places count more in the answer than in the evidence for it: features tell whether it is right, but they are even
    over the width of a finger.

    Args:
        queries: float32 (Q, D), coordinates.
        references: float32 (V, D), of the surface's vertices.
        surface: the surface.
        settings: of the search.
    """
    usable = surface.usable
    sample = sample_evenly(surface.vertices, surface.faces, usable, settings.samples)
    closer = np.ones(queries.shape[1], np.float32)
    closer[:3] = settings.place_gain
    vertex = sample[nearest_rows(references[sample] * closer, queries * closer)]
    is_usable = np.zeros(len(references), bool)
    is_usable[usable] = True
    candidates = np.flatnonzero(is_usable[surface.faces].any(axis=1))
    chosen = surface.faces[candidates]
    candidate, barycentric, _ = precise_points(queries * closer, vertex, references * closer, chosen)
    answers = np.einsum("qk,qkd->qd", barycentric, references[chosen[candidate]])
    distance = np.linalg.norm(queries - answers, axis=1)
    rivals = sample_evenly(surface.vertices, surface.faces, usable, settings.rivals)
    rival = _rival_squares(
        queries, references[rivals], surface.vertices[rivals], surface.vertices[vertex], settings.neighborhood
    )
    surface_map = SurfaceMap.at_points(
        candidates[candidate], barycentric, np.ones(len(queries)), surface.vertices, surface.faces
    )
    return surface_map, _Evidence(distance, np.sqrt(rival))


def _rival_squares(
    queries: NDArray[np.float32], references: NDArray[np.float32], points: Floats, answers: Floats, radius: float
) -> Floats:
    """The least squared distance (Q,) of each query to a reference that lies farther than ``radius`` from its answer.

    Args:
        queries: float32 (Q, D), coordinates.
        references: float32 (R, D).
        points: (R, 3), the places of the references on the surface.
        answers: (Q, 3), those of the answers.
        radius: length.
    """
    squares = np.einsum("rc,rc->r", references, references)
    rival = np.empty(len(queries))
    step = max(1, SIMILARITY_BLOCK // max(1, len(references)))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        place, answer = points.astype(np.float32), answers[rows].astype(np.float32)
        apart = np.einsum("rd,rd->r", place, place) - 2 * answer @ place.T
        apart += np.einsum("qd,qd->q", answer, answer)[:, None]
        distance = squares - 2 * queries[rows] @ references.T
        distance[apart <= radius**2] = np.inf
        rival[rows] = distance.min(axis=1) + np.einsum("qc,qc->q", queries[rows], queries[rows])
    return np.maximum(rival, 0)


def _returned(forth: SurfaceMap, back: SurfaceMap, domain: ComparedSurface, surface: ComparedSurface) -> Floats:
    """How far the way from each vertex of ``domain`` to ``surface`` and back leads from it, (V,)."""
    returned = forth.pull(back.pull(domain.vertices, domain.faces), surface.faces)
    return np.asarray(np.linalg.norm(returned - domain.vertices, axis=1))


def _with_confidence(
    surface_map: SurfaceMap, evidence: _Evidence, round_trip: Floats, law: LaidConfidenceSettings
) -> SurfaceMap:
    """The map with the confidence that the evidence and the round trip (V,) give it."""
    log_odds = (
        law.base
        - law.distance * evidence.distance
        - law.mean_distance * np.minimum(evidence.distance, law.most).mean()
        + law.margin * evidence.log_margin
        - law.round_trip * np.sqrt(round_trip)
    )
    return replace(surface_map, confidence=(1 / (1 + np.exp(-log_odds))).astype(np.float32))


def _with_confidence_by_form(
    surface_map: SurfaceMap, evidence: _Evidence, distance: float, law: FormConfidenceSettings
) -> SurfaceMap:
    """The map with the confidence that the evidence and the distance of the rough surfaces by form give it."""
    is_right_as_a_whole = 1 / (1 + np.exp((distance - law.distance) / law.spread))
    confidence = is_right_as_a_whole / (1 + np.exp(-law.base - law.margin * evidence.log_margin))
    return replace(surface_map, confidence=confidence.astype(np.float32))
