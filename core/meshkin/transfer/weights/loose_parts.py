"""Loose parts of a character (eyes, teeth, limbs that are meshes), and those of another that they correspond to."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.adjacency import loose_parts
from ...geometry.arrays import Floats
from ...geometry.joining import joined_mesh
from ...geometry.mesh import bounding_center, bounding_diagonal
from ...geometry.rigid_motions import similarity_alignment
from ..certainty import certainty
from .garments import GarmentSettings, is_garment
from .groups import WeightedSurface


@dataclass(frozen=True)
class LoosePartSettings:
    """When a loose part of the target corresponds to one of the source. All values are chosen.

    Attributes:
        garment: when a mesh lies on the body.
        largest: greatest extent of a part that is looked for, in diagonals of its character's bounding box. There is
            no limit for a mesh that does not lie on the body: a character may consist of several meshes.
        around: at least so many vertices of the body around a part say where it would be on the source.
        farthest: how far apart the centers of two corresponding parts may be, in extents of the larger.
        unlike: how many times larger one may be than the other.
    """

    garment: GarmentSettings = field(default_factory=GarmentSettings)
    largest: float = 0.15
    around: int = 40
    farthest: float = 0.75
    unlike: float = 2.5


@dataclass(frozen=True)
class LoosePartWeights:
    """Weights of a mesh some of whose loose parts took those of corresponding parts.

    Attributes:
        weights: (V, B).
        matched: bool (V,), the vertices whose part corresponds to one of the source.
    """

    weights: NDArray[np.floating]
    matched: NDArray[np.bool_]


@dataclass(frozen=True)
class _SourcePart:
    """A loose part of the source: the vertices (N,) it consists of, its center, its extent."""

    vertices: NDArray[np.int64]
    center: Floats
    extent: float


def copy_from_corresponding_parts(
    rows: NDArray[np.floating],
    shape: Snapshot,
    body: Snapshot,
    source: Snapshot,
    to_source: SurfaceMap,
    source_meshes: WeightedSurface,
    settings: LoosePartSettings = LoosePartSettings(),
) -> LoosePartWeights:
    """Give loose parts the weights of the source's parts that they correspond to.

    These are small loose parts, and any that do not lie on the body. Such a part is placed on the source as the map
    turns, scales and moves the body around it (Umeyama 1991), and corresponds to the part that it meets there. So eyes
    that are meshes of their own keep the bones that move nothing else. Parts of the body that are copies of what the
    map leads to have their weights already.

    Args:
        rows: (V, B), the weights that the vertices have so far.
        shape: the mesh with the parts; of ``body``'s character, or ``body`` itself.
        body, source: the bodies of the two characters.
        to_source: every body vertex's point on the source.
        source_meshes: all of the source's meshes, in world axes with the source's origin.
        settings: what is tuned.
    """
    unchanged = LoosePartWeights(rows.copy(), np.zeros(len(rows), bool))
    apart = shape is not body and not is_garment(body, shape, settings.garment)
    largest = np.inf if apart else settings.largest
    source_parts = _parts_up_to(source_meshes, largest * bounding_diagonal(source.vertices))
    large = loose_parts(body.vertices, body.faces)
    body_diagonal = bounding_diagonal(body.vertices)
    skin = np.flatnonzero(large.diagonals[large.of_vertex] > settings.largest * body_diagonal)
    if not source_parts or not len(skin):
        return unchanged
    neighborhood = _Neighborhood(body, source, to_source, skin, settings.around)
    result, matched = unchanged.weights, unchanged.matched
    joined = joined_mesh(shape)
    parts = loose_parts(joined.shape.vertices, joined.shape.faces).at(joined.place)
    looked_up = (parts.diagonals <= largest * body_diagonal) & (parts.diagonals > 0)
    if shape is body:
        looked_up &= np.bincount(parts.of_vertex, ~certainty(to_source, source, body).vertices) > 0
    for part in np.flatnonzero(looked_up):
        vertices = np.flatnonzero(parts.of_vertex == part)
        points = shape.vertices[vertices] + (shape.location - body.location)
        placed, extent = neighborhood.place_on_source(points, float(parts.diagonals[part]))
        counterpart = _counterpart(placed, extent, source_parts, settings)
        if counterpart is not None:
            donors = counterpart.vertices
            donor_points = source_meshes.vertices[donors]
            growth = bounding_diagonal(donor_points) / bounding_diagonal(placed)
            placed = (placed - bounding_center(placed)) * growth + bounding_center(donor_points)
        elif apart:  # the nearest mesh there is more likely right than the body, on which the part does not lie
            donors = np.flatnonzero(source_meshes.weights.any(axis=1))
            donor_points = source_meshes.vertices[donors]
        else:
            continue
        copied = source_meshes.weights[donors][cKDTree(donor_points).query(placed)[1]]
        weighted = copied.any(axis=1)
        result[vertices[weighted]] = copied[weighted]
        matched[vertices] = weighted
    return unchanged


def _parts_up_to(meshes: WeightedSurface, largest: float) -> list[_SourcePart]:
    """The loose parts whose extent is above 0 and at most ``largest``."""
    parts = loose_parts(meshes.vertices, meshes.faces)
    kept = np.flatnonzero((parts.diagonals <= largest) & (parts.diagonals > 0))
    members = [np.flatnonzero(parts.of_vertex == part) for part in kept]
    return [
        _SourcePart(vertices, bounding_center(meshes.vertices[vertices]), float(parts.diagonals[part]))
        for part, vertices in zip(kept, members, strict=True)
    ]


def _counterpart(
    placed: Floats, extent: float, source_parts: list[_SourcePart], settings: LoosePartSettings
) -> _SourcePart | None:
    """The source's part nearest to where a part (N, 3) was placed, if it is near enough and about as large."""
    centers = np.array([part.center for part in source_parts])
    extents = np.array([part.extent for part in source_parts])
    larger, smaller = np.maximum(extents, extent), np.minimum(extents, extent)
    distance = np.linalg.norm(centers - bounding_center(placed), axis=1) / larger
    distance[larger > settings.unlike * smaller] = np.inf
    nearest = int(distance.argmin())
    return source_parts[nearest] if distance[nearest] <= settings.farthest else None


class _Neighborhood:
    """Places points near a body on the source, as the map moves the body's vertices around them."""

    def __init__(
        self, body: Snapshot, source: Snapshot, to_source: SurfaceMap, skin: NDArray[np.int64], around: int
    ) -> None:
        """Args: skin: the body's vertices that may be used; around: how many are used at least."""
        self._points = body.vertices.astype(np.float64)[skin]
        self._mapped = to_source.pull(source.vertices.astype(np.float64), source.faces)[skin]
        self._tree = cKDTree(self._points)
        self._around = around

    def place_on_source(self, points: Floats, extent: float) -> tuple[Floats, float]:
        """The points (N, 3) on the source, and the extent that they have there."""
        center = bounding_center(points)
        around = self._tree.query_ball_point(center, extent)
        if len(around) < self._around:
            around = self._tree.query(center, min(self._around, len(self._points)))[1]
        near, mapped = self._points[around], self._mapped[around]
        scale, turn = similarity_alignment(near, mapped)
        return scale * turn.apply(points - near.mean(axis=0)) + mapped.mean(axis=0), scale * extent
