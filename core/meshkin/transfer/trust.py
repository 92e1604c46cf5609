"""Where a map can be trusted: at which vertices weights and poses follow the map directly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.surface_map import SurfaceMap
from ..geometry.adjacency import connected_components
from ..geometry.arrays import AnyFloats, AnyIntegers, Floats
from ..geometry.mesh import edges, face_vectors, vertex_normals
from ..geometry.welding import weld

VerticesAndFaces = tuple[AnyFloats, AnyIntegers]
"""Vertices (V, 3) and faces (F, 3)."""

LEAST_CONFIDENCE = 0.4
"""Confidence, in [0, 1], from which a point of a map is trusted if users do not choose another. Chosen."""


@dataclass(frozen=True)
class TrustSettings:
    """When a vertex of a map is trusted.

    All values are chosen. They were kept because the pairs of tests/benchmarks/weights.py came out best with them
    together (results/weights.txt); what each of them does alone was not recorded.

    Attributes:
        orientation: least cosine, in [-1, 1], between the mapped surface's normal and the source's.
        stretch: an edge counts as torn if the map lengthens it by more than this factor, compared with the factor
            that 60 % of the edges stay below.
        short_edge: this share of the median edge is added to every edge's length, so that very short edges, whose
            lengths are mostly noise, do not count as torn.
        island: least share of the vertices of its loose part that a connected trusted region must hold; what is
            smaller is trusted by chance.
    """

    orientation: float = -0.3
    stretch: float = 2.5
    short_edge: float = 0.3
    island: float = 0.01


def reachable_confidence(to_source: SurfaceMap, least: float) -> float:
    """The confidence asked for, or the map's median confidence if that is less: half of the vertices reach it."""
    return min(least, float(np.median(to_source.confidence)))


def trusted_vertices(
    to_source: SurfaceMap,
    source: VerticesAndFaces,
    target: VerticesAndFaces,
    confidence: float,
    check_orientation: bool = True,
    check_tears: bool = True,
    settings: TrustSettings = TrustSettings(),
) -> NDArray[np.bool_]:
    """The target vertices whose point on the source can be trusted, bool (V,).

    These have enough confidence, lie where the map keeps the surface's orientation, not on an edge that the map tears,
    and not on a small island of trusted vertices among others.

    Args:
        to_source: every target vertex's point on the source. Its confidence holds what the matcher knows: features,
            round trip, or nearness and normals.
        source, target: the two meshes.
        confidence: least confidence.
        check_orientation: whether vertices are excluded at which the surface is turned over.
        check_tears: whether vertices at torn edges are excluded.
        settings: the other thresholds.
    """
    points, faces = np.asarray(target[0], np.float64), target[1]
    mapped = to_source.pull(source[0], source[1])
    sound = to_source.confidence >= confidence
    if check_orientation:
        sound &= orientation_agreement(to_source, mapped, source, faces) >= settings.orientation
    first, place = weld(points)
    pairs = edges(place[faces])
    welded = np.bincount(place, ~sound, len(first)) == 0
    if check_tears:
        torn = _relative_stretch(points[first], mapped[first], pairs, settings.short_edge) > settings.stretch
        welded[pairs[torn & welded[pairs].all(axis=1)].ravel()] = False
    kept = welded[pairs].all(axis=1)
    island = connected_components(pairs[kept], len(first))
    part = connected_components(pairs, len(first))
    share = np.bincount(island, welded)[island] / np.bincount(part)[part]
    trusted: NDArray[np.bool_] = (welded & (share >= settings.island))[place]
    return trusted


def orientation_agreement(
    to_source: SurfaceMap, mapped: Floats, source: VerticesAndFaces, target_faces: NDArray[np.integer]
) -> Floats:
    """How far the mapped surface around each target vertex faces the way the source does there, (V,) in [-1, 1].

    Args:
        to_source: every target vertex's point on the source.
        mapped: (V, 3), these points' places.
        source: the mesh that the map leads to.
        target_faces: (G, 3).
    """
    vectors = face_vectors(mapped, target_faces)
    outward = to_source.pull(vertex_normals(*source), source[1])[target_faces].sum(axis=1)
    length = np.linalg.norm(outward, axis=1)
    along = np.einsum("fd,fd->f", vectors, outward) / np.where(length > 0, length, 1)
    corners, count = target_faces.ravel(), len(mapped)
    total = np.bincount(corners, np.repeat(np.linalg.norm(vectors, axis=1), 3), count)
    agreeing = np.bincount(corners, np.repeat(along, 3), count)
    return np.divide(agreeing, total, out=np.zeros(count), where=total > 0)


def _relative_stretch(points: Floats, mapped: Floats, pairs: NDArray[np.integer], short_edge: float) -> Floats:
    """How many times longer the map makes each edge than it makes most edges, (E,)."""
    before = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    after = np.linalg.norm(mapped[pairs[:, 0]] - mapped[pairs[:, 1]], axis=1)
    if not len(pairs) or not before.any():
        return np.zeros(len(pairs))
    stretch = after / (before + short_edge * float(np.median(before)) + 1e-30)
    return stretch / max(float(np.quantile(stretch, 0.6)), 1e-30)
