"""The matcher: two shapes with features in, a map between their surfaces, both ways, out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..features import pca
from ..progress import Report, silent
from ..snapshot import Snapshot
from ..surface_map import Match, SurfaceMap
from .align import align
from .geometry import surface_area, unit_rows
from .nearest import Features, Indices, climb, nearest, precise, spread

MATCHER_VERSION = "spectral-1"
"""Changes whenever :func:`match` would give another map."""
COMPONENTS = 32
"""Principal components of the features that are compared."""
PROXIES = 6000
"""References that every query is compared with; the rest are reached from there."""
NEIGHBOURHOOD = 0.1
"""Radius within which candidates count as the same answer, in square roots of the surface's area."""
TRIP = 0.1
"""Round-trip distance at which confidence has fallen to 1/e, in square roots of the surface's area."""


@dataclass(frozen=True)
class Side:
    """One of the two shapes, ready to be matched.

    Attributes:
        vertices: float64 (V, 3).
        faces: int32 (F, 3).
        features: float32 (V, C), unit rows, comparable with the other side's.
        confidence: float32 (V,) in [0, 1], of the features.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    features: Features
    confidence: NDArray[np.float32]

    @property
    def size(self) -> float:
        """The square root of the surface's area."""
        return float(np.sqrt(surface_area(self.vertices, self.faces)))

    @property
    def usable(self) -> Indices:
        """The vertices that may be an answer: on a triangle, and seen (all on a triangle where none was seen)."""
        on_surface = np.zeros(len(self.vertices), bool)
        on_surface[self.faces] = True
        seen = on_surface & (self.confidence > 0)
        return np.flatnonzero(seen if seen.any() else on_surface)


def match(
    source: Snapshot,
    target: Snapshot,
    source_features: NDArray[np.floating],
    target_features: NDArray[np.floating],
    source_confidence: NDArray[np.floating],
    target_confidence: NDArray[np.floating],
    report: Report = silent,
) -> Match:
    """Match two shapes by their features, both ways.

    Features are reduced together to their principal components, and both shapes brought into one space by
    :func:`meshkin.matching.align.align`, which settles left and right and smooths. There every vertex finds the most
    similar of about 6,000 evenly spread vertices of the other shape, goes from there to the most similar vertex, and
    then to the nearest point on the triangles around it. Nothing grows with the product of the vertex counts. Shapes
    too small to have smooth functions are compared by their features alone.

    The confidence of a vertex is sqrt(f g) sqrt(a (1 + m) / 2) exp(-d / 0.1): f and g are the features' own confidence
    at the vertex and at its answer; a the cosine there, or 0 where negative; m = (a - r) / (1 - r) the margin to the
    best cosine r farther than a tenth of the square root of the area from the answer; d the distance between the
    vertex and what the other direction makes of its answer, in square roots of the area.

    Args:
        source, target: the two shapes.
        source_features: (U, C), one row for each vertex of the source; all zero where nothing is known.
        target_features: (V, C) likewise.
        source_confidence: (U,) in [0, 1], how far to trust each row; 0 excludes a vertex as an answer.
        target_confidence: (V,) likewise.
        report: told what is being done; may raise Cancelled.

    Raises:
        InputError: as :meth:`Snapshot.check`; ``features-mesh`` (not a row for each vertex), ``features-differ`` (not
            the same channels), ``features-nan``.
    """
    _check(source, source_features, source_confidence)
    _check(target, target_features, target_confidence)
    _check_widths(source, target, source_features, target_features)
    report("Comparing features", 0)
    basis = pca.basis([source_features, target_features], COMPONENTS)
    features = pca.project(basis, source_features), pca.project(basis, target_features)
    aligned = align((source.vertices, source.faces), (target.vertices, target.faces), features, report)
    if aligned is None:
        return match_features(
            source, target, source_features, target_features, source_confidence, target_confidence, report
        )
    one = _side(source, aligned.source * np.any(source_features, axis=1, keepdims=True), source_confidence)
    two = _side(target, aligned.target * np.any(target_features, axis=1, keepdims=True), target_confidence)
    return _between(one, two, report)


def match_features(
    source: Snapshot,
    target: Snapshot,
    source_features: NDArray[np.floating],
    target_features: NDArray[np.floating],
    source_confidence: NDArray[np.floating],
    target_confidence: NDArray[np.floating],
    report: Report = silent,
) -> Match:
    """Match two shapes by their features alone, as they are: arguments, result and errors as :func:`match`."""
    _check(source, source_features, source_confidence)
    _check(target, target_features, target_confidence)
    _check_widths(source, target, source_features, target_features)
    report("Comparing features", 0)
    basis = pca.basis([source_features, target_features])
    one = _side(source, pca.project(basis, source_features), source_confidence)
    two = _side(target, pca.project(basis, target_features), target_confidence)
    return _between(one, two, report)


def _between(one: Side, two: Side, report: Report) -> Match:
    to_source, source_quality = find(two, one, report, "Matching target to source")
    to_target, target_quality = find(one, two, report, "Matching source to target")
    return Match(
        _trusted(to_source, source_quality, to_target, two, one),
        _trusted(to_target, target_quality, to_source, one, two),
        one.faces,
        two.faces,
    )


def find(
    domain: Side, surface: Side, report: Report = silent, stage: str = "Matching", proxies: int = PROXIES
) -> tuple[SurfaceMap, NDArray[np.float32]]:
    """For every vertex of ``domain``, the point on ``surface`` with the nearest feature.

    Args:
        domain: the shape whose vertices ask.
        surface: the shape that answers.
        report, stage: what is told while working.
        proxies: most references that every query is compared with.

    Returns:
        the map, with the features' own confidence (the factor sqrt(f g) of :func:`match`), and the quality of the
        answers, float32 (V,) in [0, 1] (the factor sqrt(a (1 + m) / 2)).
    """
    usable = surface.usable
    sample = spread(surface.vertices, surface.faces, usable, proxies)
    places = surface.vertices
    radius = NEIGHBOURHOOD * surface.size
    index, cosine, rival = nearest(domain.features, surface.features[sample], places[sample], radius, report, stage)
    index = sample[index]
    if len(sample) < len(usable):
        index, cosine = climb(domain.features, index, surface.features, places, usable)
    report(stage, 1)
    known = np.zeros(len(places), bool)
    known[usable] = True
    candidates = np.flatnonzero(known[surface.faces].any(axis=1))
    face, barycentric, _ = precise(domain.features, index, surface.features, surface.faces[candidates])
    face = candidates[face]
    corners = surface.faces[face]
    points = np.einsum("vk,vkd->vd", barycentric, places[corners])
    closest = np.linalg.norm(places[corners] - points[:, None], axis=2).argmin(axis=1)[:, None]
    vertex = np.take_along_axis(corners, closest, axis=1)[:, 0]
    seen = np.einsum("vk,vk->v", barycentric, surface.confidence[corners])
    found = SurfaceMap(
        face.astype(np.int32),
        barycentric.astype(np.float32),
        vertex.astype(np.int32),
        np.sqrt(domain.confidence * seen).astype(np.float32),
    )
    agreement = np.clip(cosine, 0, 1)
    margin = np.clip((agreement - rival) / np.maximum(1 - rival, 1e-6), 0, 1)
    return found, np.sqrt(agreement * (1 + margin) / 2)


def _side(shape: Snapshot, features: NDArray[np.float32], confidence: NDArray[np.floating]) -> Side:
    known = np.where(features.any(axis=1), np.clip(confidence, 0, 1), 0)
    return Side(shape.vertices.astype(np.float64), shape.faces, unit_rows(features), known.astype(np.float32))


def _trusted(
    there: SurfaceMap, quality: NDArray[np.float32], back: SurfaceMap, domain: Side, surface: Side
) -> SurfaceMap:
    """The map with its final confidence: quality and round trip taken in."""
    returned = there.pull(back.pull(domain.vertices, domain.faces), surface.faces)
    trip = np.linalg.norm(returned - domain.vertices, axis=1) / domain.size
    confidence = there.confidence * quality * np.exp(-trip / TRIP)
    return SurfaceMap(there.face, there.barycentric, there.vertex, confidence.astype(np.float32))


def _check(shape: Snapshot, features: NDArray[np.floating], confidence: NDArray[np.floating]) -> None:
    shape.check()
    if features.ndim != 2 or len(features) != len(shape.vertices) or np.shape(confidence) != (len(features),):
        raise InputError(
            "features-mesh",
            f"The features do not belong to “{shape.name}”: {len(features)} rows for {len(shape.vertices)} vertices.",
            "Compute them again.",
        )
    if not (np.isfinite(features).all() and np.isfinite(confidence).all()):
        raise InputError("features-nan", f"Some features of “{shape.name}” are not numbers.", "Compute them again.")


def _check_widths(
    source: Snapshot,
    target: Snapshot,
    source_features: NDArray[np.floating],
    target_features: NDArray[np.floating],
) -> None:
    if source_features.shape[1] != target_features.shape[1]:
        raise InputError(
            "features-differ",
            f"“{source.name}” has features of {source_features.shape[1]} channels, “{target.name}” of "
            f"{target_features.shape[1]}.",
            "Compute both with the same settings.",
        )
