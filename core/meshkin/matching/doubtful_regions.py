"""Where a match is doubtful: connected regions of low confidence. Needs only NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.snapshot import Snapshot, connected_parts
from ..geometry.arrays import Floats, Integers
from ..geometry.mesh import face_vectors
from ..geometry.welding import place_numbers

DOUBTFUL_CONFIDENCE = 0.5
"""Confidence below which a face is doubtful: it is more likely wrong than right."""
LEAST_REGION_SHARE = 0.0005
"""Share of the surface from which a region is worth a look. Chosen: a fingertip has about as much."""
MOST_REGIONS = 12
"""Regions that are found at most. Chosen: as many as a list shows at once."""


@dataclass(frozen=True)
class DoubtfulRegion:
    """A connected region of low confidence.

    Attributes:
        vertices: int64 (R,), its vertices.
        share: of the surface's area, in [0, 1].
        confidence: mean over its area, in [0, 1].
        center: float64 (3,), mean over its area, in the shape's frame.
        normal: float64 (3,), mean over its area of the unit normals: shorter than 1 where they differ, about 0 around
            a limb.
        radius: of the sphere around the center that holds it.
    """

    vertices: Integers
    share: float
    confidence: float
    center: Floats
    normal: Floats
    radius: float


def doubtful_regions(
    shape: Snapshot, confidence: NDArray[np.floating], below: float = DOUBTFUL_CONFIDENCE
) -> list[DoubtfulRegion]:
    """The doubtful regions of a shape, at most :data:`MOST_REGIONS`, sorted by area times doubt (1 - confidence).

    Faces are doubtful by the mean confidence of their corners, and connected where they share a corner; corners at the
    same place are one, because importers split meshes along UV seams.

    Args:
        shape: the surface.
        confidence: (V,) of its vertices, in [0, 1].
        below: the confidence below which a face is doubtful.
    """
    of_face = np.asarray(confidence, np.float64)[shape.faces].mean(axis=1)
    vectors = face_vectors(shape.vertices, shape.faces) / 2
    areas = np.linalg.norm(vectors, axis=1)
    doubtful = np.flatnonzero((of_face < below) & (areas > 0))
    if not len(doubtful):
        return []
    place = place_numbers(shape.vertices)
    corners = place[shape.faces[doubtful]]
    region = connected_parts(int(place.max()) + 1, corners)[corners[:, 0]]
    doubt = np.bincount(region, weights=areas[doubtful] * (1 - of_face[doubtful]))
    size = np.bincount(region, weights=areas[doubtful]) / areas.sum()
    worst = [number for number in np.argsort(-doubt, kind="stable") if size[number] >= LEAST_REGION_SHARE]
    return [_region(shape, doubtful[region == number], of_face, vectors, areas) for number in worst[:MOST_REGIONS]]


def _region(shape: Snapshot, chosen: Integers, confidence: Floats, vectors: Floats, areas: Floats) -> DoubtfulRegion:
    """The region of the chosen faces; the arrays are of all faces."""
    weight = areas[chosen] / areas[chosen].sum()
    vertices = np.unique(shape.faces[chosen]).astype(np.int64)
    points = shape.vertices.astype(np.float64)
    center = weight @ points[shape.faces[chosen]].mean(axis=1)
    return DoubtfulRegion(
        vertices,
        float(areas[chosen].sum() / areas.sum()),
        float(weight @ confidence[chosen]),
        center,
        vectors[chosen].sum(axis=0) / areas[chosen].sum(),
        float(np.linalg.norm(points[vertices] - center, axis=1).max()),
    )
