"""Where the corners and faces of a target come from on a source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.mesh import face_vectors
from ..carrier import PointCarrier

Array = NDArray[Any]

INSET = 0.04
"""Corners are looked up this share of the way to the middle of their triangle, so that each is on its own side of an
edge, unless the triangle is one of the source's. Chosen."""
TRIANGLE_SAMPLES = np.array(
    [[4, 1, 1], [1, 4, 1], [1, 1, 4], [2, 2, 2], [2.8, 2.8, 0.4], [0.4, 2.8, 2.8], [2.8, 0.4, 2.8]], np.float32
) / np.float32(6)
"""Barycentric coordinates at which the triangles of a face are looked up, spread over the triangle. Chosen."""


@dataclass(frozen=True)
class MeshWithEdges:
    """A mesh and its edges, which a snapshot does not hold.

    Attributes:
        shape: the mesh.
        edges: int (E, 2), the vertices of each edge, as Blender counts edges.
    """

    shape: Snapshot
    edges: NDArray[np.integer]


@dataclass(frozen=True)
class MappedMesh:
    """A target and the source that values for it come from.

    Attributes:
        source: the source.
        target: the mesh that values are for; its polygons and corners count its own.
        to_source: every target vertex's point on the source.
    """

    source: Snapshot
    target: Snapshot
    to_source: SurfaceMap

    @cached_property
    def carrier(self) -> PointCarrier:
        """Looks up points inside the target's triangles."""
        return PointCarrier(self.source, self.target, self.to_source)

    @property
    def polygons(self) -> int:
        """How many polygons the target has."""
        return int(self.target.polygons.max(initial=-1)) + 1

    @property
    def corners(self) -> int:
        """How many corners the target has."""
        return int(self.target.corners.max(initial=-1)) + 1


@dataclass(frozen=True)
class SourcePoints:
    """Points on the source's surface.

    Attributes:
        face: int (N,), the source's triangle.
        barycentric: float (N, 3), where in it.
    """

    face: NDArray[np.integer]
    barycentric: NDArray[np.floating]


@dataclass(frozen=True)
class FaceSamples:
    """Points spread over the target's polygons, and where they come from.

    Attributes:
        polygon: int (N,), the polygon that each point lies in.
        area: float64 (N,), twice the area of its triangle.
        face: int (N,), the source's triangle that it comes from.
    """

    polygon: NDArray[np.integer]
    area: NDArray[np.float64]
    face: NDArray[np.integer]


def corner_triangles(mapped: MappedMesh) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A triangle that each of the target's C corners belongs to, and which of its corners it is, int64 (C,) each."""
    triangle, side = np.zeros(mapped.corners, np.int64), np.zeros(mapped.corners, np.int64)
    entries = np.arange(mapped.target.corners.size)[::-1]  # a corner of several triangles is looked up in the first
    corner = mapped.target.corners.ravel()[entries]
    triangle[corner], side[corner] = np.divmod(entries, 3)
    return triangle, side


def corner_points(mapped: MappedMesh) -> SourcePoints:
    """The points of the source that the target's C corners come from."""
    triangle, side = corner_triangles(mapped)
    inset = np.where(mapped.carrier.same[triangle] >= 0, 0, INSET).astype(np.float32)
    barycentric = np.repeat(inset[:, None] / 3, 3, axis=1)
    barycentric[np.arange(mapped.corners), side] += 1 - inset
    return SourcePoints(*mapped.carrier.carry(triangle, barycentric))


def polygon_of_corners(mapped: MappedMesh) -> NDArray[np.int64]:
    """The polygon that each corner of the target belongs to, int64 (C,)."""
    polygon = np.zeros(mapped.corners, np.int64)
    polygon[mapped.target.corners] = mapped.target.polygons[:, None]
    return polygon


def polygon_middles(mapped: MappedMesh) -> SourcePoints:
    """The points of the source that the middle of each polygon's largest triangle comes from, P of them."""
    order = np.argsort(_double_areas(mapped.target), kind="stable")
    largest = np.zeros(mapped.polygons, np.int64)
    largest[mapped.target.polygons[order]] = order
    face, barycentric = mapped.carrier.carry(largest, np.full((mapped.polygons, 3), 1 / 3, np.float32))
    return SourcePoints(face.astype(np.int64), barycentric.astype(np.float64))


def sample_polygons(mapped: MappedMesh) -> FaceSamples:
    """Look up points all over the target's polygons."""
    count = len(mapped.target.faces)
    triangle = np.repeat(np.arange(count), len(TRIANGLE_SAMPLES))
    face, _ = mapped.carrier.carry(triangle, np.tile(TRIANGLE_SAMPLES, (count, 1)))
    areas = np.maximum(_double_areas(mapped.target), 1e-300)
    return FaceSamples(mapped.target.polygons[triangle], areas[triangle], face)


def _double_areas(shape: Snapshot) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(face_vectors(shape.vertices.astype(np.float64), shape.faces), axis=1))
