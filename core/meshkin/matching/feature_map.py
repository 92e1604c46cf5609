"""Maps between two surfaces whose features can be compared: for every vertex the most similar point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..data.snapshot import Snapshot
from ..data.surface_map import SurfaceMap
from ..geometry.arrays import Integers, unit_rows
from ..geometry.mesh import surface_area
from .feature_search import FeatureRows, local_search, most_similar, precise_points, sample_evenly
from .surfaces import usable_vertices


@dataclass(frozen=True)
class SearchSettings:
    """How the most similar point of a surface is searched. All values are chosen.

    Attributes:
        samples: vertices that every query is compared with, at most; the others are reached by a local search.
            This bounds the time for large meshes.
        neighborhood: radius within which candidates count as the same answer, in square roots of the surface's area.
            The law of confidence was fitted with this value.
    """

    samples: int = 6000
    neighborhood: float = 0.1


@dataclass(frozen=True)
class FeatureSurface:
    """A surface with features that can be compared with those of another one.

    Attributes:
        vertices: float64 (V, 3).
        faces: int32 (F, 3).
        features: float32 (V, C), unit rows.
        confidence: float32 (V,) in [0, 1], of the features.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    features: FeatureRows
    confidence: NDArray[np.float32]

    @staticmethod
    def of(shape: Snapshot, features: NDArray[np.float32], confidence: NDArray[np.floating]) -> FeatureSurface:
        """Build the surface of a shape; vertices whose features are all zero get a confidence of 0."""
        known = np.where(features.any(axis=1), np.clip(confidence, 0, 1), 0).astype(np.float32)
        return FeatureSurface(shape.vertices.astype(np.float64), shape.faces, unit_rows(features), known)

    @property
    def size(self) -> float:
        """The square root of the surface's area."""
        return float(np.sqrt(surface_area(self.vertices, self.faces)))

    @property
    def usable(self) -> Integers:
        """Indices of the vertices that may be an answer, as :func:`meshkin.matching.surfaces.usable_vertices`."""
        return usable_vertices(self.faces, self.confidence)


def map_by_features(
    domain: FeatureSurface,
    surface: FeatureSurface,
    report: ProgressCallback = silent,
    stage: str = "Matching",
    settings: SearchSettings = SearchSettings(),
) -> tuple[SurfaceMap, NDArray[np.float32]]:
    """Map every vertex of ``domain`` to the point on ``surface`` with the nearest feature.

    Args:
        domain: the shape whose vertices are mapped.
        surface: the shape that they are mapped to.
        report: is told the share that is done; may raise Cancelled.
        stage: name of the stage that is reported.
        settings: of the search.

    Returns:
        The map, and the quality of the answers, float32 (V,) in [0, 1]. The map's confidence is that of the features:
        sqrt(f g), f at the vertex and g at its answer. The quality is sqrt(a (1 + m) / 2): a is the cosine to the
        answer, or 0 if that is negative, and m = (a - r) / (1 - r) its margin over the best cosine r outside the
        answer's neighborhood.
    """
    usable = surface.usable
    sample = sample_evenly(surface.vertices, surface.faces, usable, settings.samples)
    radius = settings.neighborhood * surface.size
    index, cosine, rival_cosine = most_similar(
        domain.features, surface.features[sample], surface.vertices[sample], radius, report, stage
    )
    vertex = sample[index]
    if len(sample) < len(usable):
        vertex, cosine = local_search(domain.features, vertex, surface.features, surface.vertices, usable)
    report(stage, 1)
    is_usable = np.zeros(len(surface.vertices), bool)
    is_usable[usable] = True
    candidates = np.flatnonzero(is_usable[surface.faces].any(axis=1))
    candidate, barycentric, _ = precise_points(domain.features, vertex, surface.features, surface.faces[candidates])
    face = candidates[candidate]
    answer_confidence = np.einsum("vk,vk->v", barycentric, surface.confidence[surface.faces[face]])
    confidence = np.sqrt(domain.confidence * answer_confidence)
    agreement = np.clip(cosine, 0, 1)
    margin = np.clip((agreement - rival_cosine) / np.maximum(1 - rival_cosine, 1e-6), 0, 1)
    surface_map = SurfaceMap.at_points(face, barycentric, confidence, surface.vertices, surface.faces)
    return surface_map, np.sqrt(agreement * (1 + margin) / 2)
