"""The source's own seams and material borders: where its picture breaks off, and where it goes on over a seam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...geometry.arrays import Floats, Integers, Singles
from ...geometry.welding import uv_corners
from .seams import cut_edges, evenly_spaced, places_by_position, weights_on_edges

MOST_PLACES = 256
"""Most places along an edge. Chosen."""


@dataclass(frozen=True)
class SourceSeams:
    """Places along the source's seams and material borders, seen from both sides.

    Attributes:
        faces: int64 (2, M), the triangles that meet there.
        weights: float32 (2, M, 3), barycentric coordinates of the place in each.
        weights_beside: float32 (2, M, 3), of a place in each that is farther from the seam.
        points: float64 (M, 3), positions.
    """

    faces: Integers
    weights: Singles
    weights_beside: Singles
    points: Floats


def source_seams(
    source: Snapshot, uv_layouts: Sequence[NDArray[np.floating]], spacing: float, depth: Singles
) -> SourceSeams:
    """Places along the source's seams and material borders.

    Args:
        source: the surface.
        uv_layouts: (F, 3, 2) each, UVs of its triangles.
        spacing: how far the places are apart along the seams, about.
        depth: float32 (F,), how far from the seam the places beside it are, at most in the triangle's middle.
    """
    place = places_by_position(source.vertices)
    labels = [uv_corners(place, source.faces, uvs).ravel() for uvs in uv_layouts]
    corners = place[source.faces]
    if labels:
        labels.append(np.repeat(source.materials, 3))
        corners = np.unique(np.stack(labels), axis=1, return_inverse=True)[1].reshape(-1, 3)
    sides = np.stack(cut_edges(place[source.faces], corners))
    vertices = source.vertices.astype(np.float64)
    starts = vertices[source.faces].reshape(-1, 3)
    ends = vertices[np.roll(source.faces, -1, axis=1).ravel()]
    length = np.linalg.norm(starts[sides[0]] - ends[sides[0]], axis=1)
    count = np.clip(np.ceil(length / max(spacing, 1e-30)), 1, MOST_PLACES).astype(np.int64)
    edge, along = evenly_spaced(count)
    sides = sides[:, edge]
    faces, weights = sides // 3, weights_on_edges(sides, along)
    points = np.einsum("nk,nkd->nd", weights[0], vertices[source.faces[faces[0]]])
    inward = np.linalg.norm(vertices[source.faces[faces]].mean(axis=2) - points, axis=2)
    share = np.minimum(depth[faces] / np.maximum(inward, 1e-30), 1).astype(np.float32)
    return SourceSeams(faces, weights, weights + share[..., None] * (np.float32(1 / 3) - weights), points)
