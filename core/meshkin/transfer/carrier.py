"""Points of the target's surface, carried to the source's surface through the map between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..data.snapshot import Snapshot
from ..data.surface_map import Match, SurfaceMap
from ..geometry.arrays import AnyIntegers, Flags, Floats, Integers, ShortIntegers, Singles, unit_rows
from ..geometry.closest_points import nearest_on_triangles
from ..geometry.mesh import face_vectors, surface_area, vertex_normals
from ..geometry.walking import SurfaceWalker
from .covering import Covering

ROUNDING = 1e-6
"""By how much a barycentric coordinate may differ from 1 for its point to be the corner; a few of float32's relative
rounding errors."""


@dataclass(frozen=True)
class CarrierSettings:
    """How points are carried. All values are chosen.

    Attributes:
        torn_stretch, torn_gap: a triangle is torn when its longest edge on the source exceeds ``torn_stretch`` times
            its longest edge on the target, in proportion to the shapes' sizes, plus ``torn_gap`` square roots of the
            source's area.
        lost_height: a walk that ends farther from its point than this has lost its way, in the longest edge of the
            triangle on the source.
        doubtful_height: a walk that ends farther from its point than this share of the limit above is doubted.
        aligned: so is one that ends on a triangle whose normal has a smaller cosine than this with the carried
            triangle's.
        small_height: points closer to the surface than this are never doubted, in the same longest edge.
    """

    torn_stretch: float = 3.0
    torn_gap: float = 0.05
    lost_height: float = 0.35
    doubtful_height: float = 0.3
    aligned: float = 0.8
    small_height: float = 1e-3


@dataclass(frozen=True)
class Correspondence:
    """Points of the target and where each lies on the source.

    Attributes:
        target_face: int (N,), triangles of the target.
        target_weights: float32 (N, 3), barycentric coordinates in them.
        source_face: int (N,), triangles of the source.
        source_weights: float32 (N, 3), barycentric coordinates in them.
    """

    target_face: NDArray[np.integer]
    target_weights: Singles
    source_face: NDArray[np.integer]
    source_weights: Singles

    def __len__(self) -> int:
        return len(self.target_face)

    def chosen(self, rows: NDArray[Any] | slice) -> Correspondence:
        """Some of the points."""
        return Correspondence(
            self.target_face[rows], self.target_weights[rows], self.source_face[rows], self.source_weights[rows]
        )


@dataclass(frozen=True)
class FaceGroups:
    """Which triangles of the source the target's triangles may show.

    Attributes:
        of_target: int (G,), the group of each triangle of the target.
        allowed: bool (K, F), the triangles of the source that each group may show.
    """

    of_target: Integers
    allowed: Flags


def check_match(source: Snapshot, target: Snapshot, match: Match) -> None:
    """Raise InputError ``map-other-mesh`` if the map is not one between these two shapes."""
    if (
        len(match.to_source.face) != len(target.vertices)
        or len(match.target_faces) != len(target.faces)
        or not np.array_equal(match.source_faces, source.faces)
    ):
        raise InputError("map-other-mesh", "The map belongs to other meshes.", "Match the objects again.")


class PointCarrier:
    """Carries points inside the target's triangles to the source's surface.

    Inside a triangle of the target the map is linear: the points on the source of the three corners are interpolated.
    If these are the corners of one triangle of the source, the points lie in that, even where others touch it.
    The result is brought back to the source's surface by walking there from the nearest corner's triangle, over edges
    only, so that it cannot get to the other side of a thin part. Where the walk leads nowhere, the nearest point of the
    source that faces the same way is taken; so it is where the walk stopped beside a sharp edge and that point is
    nearer. A triangle that the map tears apart is not drawn through the body: all of it goes where its most confident
    corner goes.

    Attributes:
        mapped_vertices: float64 (V, 3), where the map sends the target's vertices on the source.
        torn: bool (G,), the target's triangles that the map tears apart.
        same: int32 (G,), the source's triangles whose corners those of the target's are mapped to; -1 for none.
        to_source: the map.
        source_extent: longest side of the source's bounding box.
    """

    def __init__(
        self,
        source: Snapshot,
        target: Snapshot,
        to_source: SurfaceMap,
        settings: CarrierSettings = CarrierSettings(),
        groups: FaceGroups | None = None,
        on_top: bool = False,
    ) -> None:
        """Prepare the surfaces.

        Args:
            source, target: the two shapes.
            to_source: their map.
            settings: what counts as torn or lost.
            groups: where points may be carried to; the map sends each corner of a triangle to where its group may be.
            on_top: go on to what lies on top of the points there (:class:`meshkin.transfer.covering.Covering`), but
                not in triangles that are the source's own.
        """
        vertices = source.vertices.astype(np.float64)
        self._settings = settings
        self._center = vertices.mean(axis=0)
        self._vertices = vertices - self._center
        self._faces = source.faces
        self._target_faces = target.faces
        self.to_source = to_source
        self.source_extent = float(np.ptp(self._vertices, axis=0).max())
        self.mapped_vertices = to_source.pull(vertices, source.faces)
        self._mapped = (self.mapped_vertices - self._center).astype(np.float32)
        self._facing = to_source.pull(vertex_normals(vertices, source.faces), source.faces).astype(np.float32)
        normals = face_vectors(vertices, source.faces)
        self._normals = unit_rows(normals).astype(np.float32)
        if groups is None:
            groups = FaceGroups(np.zeros(len(target.faces), np.int64), np.ones((1, len(source.faces)), bool))
        self._group = groups.of_target
        solid = np.asarray(normals.any(axis=1))
        self._covering = Covering(source, groups.allowed) if on_top else None
        self._grounds = [_Ground(self._vertices, source.faces, allowed, solid) for allowed in groups.allowed]
        corners = target.faces
        before = _longest_edge(target.vertices.astype(np.float64)[corners])
        after = _longest_edge(self.mapped_vertices[corners])
        size = np.sqrt(surface_area(source.vertices, source.faces))
        growth = size / np.sqrt(surface_area(target.vertices, target.faces))
        self.torn = after > settings.torn_stretch * growth * before + settings.torn_gap * size
        self._limit = (settings.lost_height * after + 1e-3 * size).astype(np.float32)
        self._small = (settings.small_height * after).astype(np.float32)
        self._plane = unit_rows(face_vectors(self.mapped_vertices, corners)).astype(np.float32)
        best = to_source.confidence[corners].argmax(axis=1)[:, None]
        self._anchor = np.take_along_axis(corners, best, axis=1)[:, 0]
        self.same, self._corner = _same_triangles(to_source, source.faces, corners)
        self.same[~groups.allowed[groups.of_target, self.same]] = -1
        self.torn &= self.same < 0

    def carry(self, face: NDArray[np.integer], barycentric: NDArray[np.floating]) -> tuple[ShortIntegers, Singles]:
        """The points' triangles on the source, int32 (N,), and barycentric coordinates in them, float32 (N, 3).

        Args:
            face: (N,), triangles of the target.
            barycentric: (N, 3), where in them.
        """
        there, weights = self.same[face], np.empty((len(face), 3), np.float32)
        np.put_along_axis(weights, self._corner[face], barycentric.astype(np.float32), axis=1)
        group = np.where(there < 0, self._group[face], -1)
        for number in np.unique(group[group >= 0]).tolist():
            rows = np.flatnonzero(group == number)
            there[rows], weights[rows] = self._carry_on(self._grounds[number], face[rows], barycentric[rows])
        if self._covering is not None:
            self._covering.on_top(there, weights, group)
        torn = np.flatnonzero(self.torn[face])
        anchor = self._anchor[face[torn]]
        there[torn], weights[torn] = self.to_source.face[anchor], self.to_source.barycentric[anchor]
        return there, weights

    def _carry_on(
        self, ground: _Ground, face: NDArray[np.integer], barycentric: NDArray[np.floating]
    ) -> tuple[ShortIntegers, Singles]:
        """:meth:`carry` on a part of the source's surface, but for torn triangles."""
        corners = self._target_faces[face]
        points = _interpolated(barycentric, self._mapped, corners)
        nearest = np.take_along_axis(corners, barycentric.argmax(axis=1)[:, None], axis=1)[:, 0]
        there, weights, height = ground.walk(points, self.to_source.face[nearest])
        lost = np.flatnonzero(~(np.abs(height) <= self._limit[face]))
        if len(lost):
            there[lost], weights[lost], _ = self._search(ground, points[lost], barycentric[lost], corners[lost])
        self._step_over_sharp_edges(ground, face, barycentric, points, (there, weights, height))
        return there, weights

    def correspondence(self, face: NDArray[np.integer], barycentric: Singles) -> Correspondence:
        """Points of the target, given as to :meth:`carry`, with the points of the source that these are carried to."""
        return Correspondence(face, barycentric, *self.carry(face, barycentric))

    def confidence(self, face: NDArray[np.integer], barycentric: NDArray[np.floating]) -> Singles:
        """The map's confidence at points of the target, float32 (N,): 0 in torn triangles."""
        corners = self._target_faces[face]
        mixed = np.einsum("nk,nk->n", barycentric, self.to_source.confidence[corners]).astype(np.float32)
        mixed[self.torn[face]] = 0
        return mixed

    def _step_over_sharp_edges(
        self,
        ground: _Ground,
        face: NDArray[np.integer],
        barycentric: NDArray[np.floating],
        points: Singles,
        ends: tuple[ShortIntegers, Singles, Singles],
    ) -> None:
        """Change ends of walks (triangles, coordinates, heights), in place, that stopped beside a sharp edge.

        A walk that ended far from its point, or on a triangle that faces another way, is replaced by the nearest point
        of the source if that is nearer and faces the way of the carried triangle at least as well.
        """
        there, weights, height = ends
        high = np.flatnonzero((np.abs(height) > self._small[face]) & (np.abs(height) <= self._limit[face]))
        aligned = np.einsum("nd,nd->n", self._normals[there[high]], self._plane[face[high]])
        far = np.abs(height[high]) > self._settings.doubtful_height * self._limit[face[high]]
        doubted = (aligned < self._settings.aligned) | far
        beside, aligned = high[doubted], np.minimum(aligned[doubted] - 1e-3, self._settings.aligned)
        if not len(beside):
            return
        nearest, mixed, away = self._search(
            ground, points[beside], barycentric[beside], self._target_faces[face[beside]]
        )
        facing = np.einsum("nd,nd->n", self._normals[nearest], self._plane[face[beside]])
        better = (facing >= aligned) & (away < np.abs(height[beside]))
        there[beside[better]], weights[beside[better]] = nearest[better], mixed[better]

    def _search(
        self, ground: _Ground, points: Singles, barycentric: NDArray[np.floating], corners: NDArray[np.integer]
    ) -> tuple[Integers, Singles, Floats]:
        """The point of the source nearest to each point, and the distance.

        If the surface faces the other way there, the nearest point of the three triangles that the corners (N, 3) of
        the point's triangle are mapped into.

        Returns:
            triangles (N,), barycentric coordinates (N, 3), distances (N,).
        """
        exact = points.astype(np.float64)
        there = ground.nearest(exact)
        facing = np.einsum("nd,nd->n", _interpolated(barycentric, self._facing, corners), self._normals[there])
        averse = np.flatnonzero(facing < 0)
        tried = self.to_source.face[corners[averse]]
        away = [nearest_on_triangles(exact[averse], self._vertices[self._faces[tried[:, k]]])[1] for k in range(3)]
        there[averse] = np.take_along_axis(tried, np.argmin(away, axis=0)[:, None], axis=1)[:, 0]
        weights, squares = nearest_on_triangles(exact, self._vertices[self._faces[there]])
        return there, weights.astype(np.float32), np.sqrt(squares)


class _Ground:
    """The part of the source's surface that a group of the target's triangles may show."""

    def __init__(self, vertices: Floats, faces: AnyIntegers, allowed: Flags, solid: Flags) -> None:
        """Prepare the triangles.

        Args:
            vertices: float64 (V, 3), centered.
            faces: (F, 3).
            allowed: bool (F,), the triangles of this part.
            solid: bool (F,), those with an area. Others have no side and often no sensible UVs; their edges belong to
                others as well.
        """
        self._number = np.flatnonzero(allowed).astype(np.int32)
        self._row = np.full(len(faces), -1, np.int32)
        self._row[self._number] = np.arange(len(self._number))
        self._walker = SurfaceWalker(vertices, faces[self._number])
        self._solid = np.flatnonzero(allowed & solid) if (allowed & solid).any() else self._number
        self._vertices, self._solid_faces = vertices, faces[self._solid].astype(np.int64)
        self._tree = igl.AABB()
        self._tree.init(vertices, self._solid_faces)

    def walk(self, points: Singles, start: ShortIntegers) -> tuple[ShortIntegers, Singles, Singles]:
        """As :meth:`meshkin.geometry.walking.SurfaceWalker.walk`."""
        face, weights, height = self._walker.walk(points, self._row[start])
        return self._number[face], weights, height

    def nearest(self, points: Floats) -> Integers:
        """The triangle with an area nearest to each point (N, 3): (N,)."""
        return np.asarray(self._solid[self._tree.squared_distance(self._vertices, self._solid_faces, points)[1]])


def vertices_met(to_source: SurfaceMap, source_faces: AnyIntegers) -> Integers:
    """The vertex of the source that each point of a map is, int64 (V,); -1 for points between vertices."""
    corner = to_source.barycentric.argmax(axis=1)[:, None]
    vertex = np.take_along_axis(source_faces[to_source.face].astype(np.int64), corner, axis=1)[:, 0]
    return np.where(to_source.barycentric.max(axis=1, initial=0) >= 1 - ROUNDING, vertex, -1)


def _same_triangles(
    to_source: SurfaceMap, source_faces: AnyIntegers, target_faces: AnyIntegers
) -> tuple[ShortIntegers, Integers]:
    """The triangle of the source whose corners those of each triangle of the target are mapped to, in the same order.

    Of several triangles on the same corners, the first of the target's goes to the first of the source's, and so on.

    Returns:
        triangles int32 (G,), -1 where there is none; and which corner of it each of the target's is, int64 (G, 3).
    """
    corners = vertices_met(to_source, source_faces)[target_faces]
    both = np.concatenate((source_faces.astype(np.int64), corners))
    is_odd = (both[:, [0, 0, 1]] > both[:, [1, 2, 2]]).sum(axis=1) % 2
    key = np.unique(np.column_stack((np.sort(both, axis=1), is_odd)), axis=0, return_inverse=True)[1].reshape(-1)
    of_source, of_target = np.split(key, [len(source_faces)])
    order = np.argsort(of_source, kind="stable")
    first, end = (np.searchsorted(of_source[order], of_target, side) for side in ("left", "right"))
    turn = np.argsort(of_target, kind="stable")
    rank = np.empty(len(turn), np.int64)  # of each triangle among those on the same corners
    rank[turn] = np.arange(len(turn)) - np.searchsorted(of_target[turn], of_target[turn])
    found = (end > first) & (corners >= 0).all(axis=1)
    same = np.full(len(corners), -1, np.int32)
    same[found] = order[np.minimum(first + rank, end - 1)[found]]
    corner = (source_faces[same][:, None] == corners[:, :, None]).argmax(axis=2)
    corner[~found] = np.arange(3)
    return same, corner


def _interpolated(weights: NDArray[np.floating], values: Singles, corners: NDArray[np.integer]) -> Singles:
    """Values at points, float32 (N, D), of barycentric weights (N, 3), values (V, D) and corners (N, 3)."""
    mixed = np.zeros((len(weights), values.shape[1]), np.float32)
    for k in range(3):
        mixed += weights[:, k, None] * values[corners[:, k]]
    return mixed


def _longest_edge(corners: Floats) -> Floats:
    """Length of the longest edge of each triangle (F, 3, 3): (F,)."""
    return np.asarray(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1))
