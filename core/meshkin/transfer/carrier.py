"""Points of the target's surface, carried to the source's."""

from __future__ import annotations

from dataclasses import dataclass

import igl
import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.progress import ProgressCallback, silent
from ..base.threads import in_order
from ..data.snapshot import Snapshot
from ..data.surface_map import Match, SurfaceMap
from ..geometry.adjacency import opposite_triangles
from ..geometry.arrays import Floats, Integers, unit_rows
from ..geometry.closest_points import nearest_on_triangles
from ..geometry.mesh import face_vectors, surface_area, vertex_normals
from ..geometry.welding import place_numbers
from .texture.texels import TexelMap

BLOCK = 1 << 17
"""Most points carried at a time."""
STRETCH = 3.0
"""A mapped triangle whose edges grow by more than this (and by more than :data:`GAP`) is torn."""
GAP = 0.05
"""In square roots of the source's area."""
STEPS = 48
"""Most triangles walked over from a corner's."""
LIFT = 0.35
"""In a mapped triangle's longest edge: a walk that ends farther below its point than this has lost its way."""
ALIGNED = 0.8
"""Cosine: where a walk ends on a triangle that faces farther away from the mapped one, a nearer place is looked for."""
OUTSIDE = -1e-5
"""A barycentric coordinate below this is outside."""

Singles = NDArray[np.float32]
Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Kin:
    """Where the covered texels of a picture come from: made once, used for every image.

    Attributes:
        texel: int64 (N,), the covered texels' numbers, row by row.
        target_face: int32 (N,), the triangle of the target that the texel shows.
        face: int32 (N,), triangle of the source.
        barycentric: float32 (N, 3), where in it.
        confidence: float32 (N,), how far the map is trusted there.
    """

    texel: Integers
    target_face: Numbers
    face: Numbers
    barycentric: Singles
    confidence: Singles


def check_match(source: Snapshot, target: Snapshot, match: Match) -> None:
    """Raise InputError ``map-other-mesh`` when the map is not of these two."""
    if (
        len(match.to_source.face) != len(target.vertices)
        or len(match.target_faces) != len(target.faces)
        or not np.array_equal(match.source_faces, source.faces)
    ):
        raise InputError("map-other-mesh", "The map belongs to other meshes.", "Match the objects again.")


class Walker:
    """Finds points on a surface by walking from triangle to triangle."""

    def __init__(self, vertices: Floats, faces: NDArray[np.integer]) -> None:
        """Args: vertices float64 (V, 3), about the origin; faces (F, 3)."""
        self.vertices, self.faces = vertices, faces
        self._table = self._rows(face_vectors(vertices, faces))
        self._neighbors = opposite_triangles(place_numbers(vertices)[faces]).astype(np.int32)

    def _rows(self, normals: Floats) -> Singles:
        """For each triangle the three affine functions of a point that give its second and third barycentric
        coordinate and its height above the plane, float32 (F, 12); for one without an area the height is nan."""
        a, b, c = self.vertices[self.faces].transpose(1, 0, 2)
        squares = np.einsum("fd,fd->f", normals, normals)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            second, third = np.cross(c - a, normals) / squares, np.cross(normals, b - a) / squares
            up = normals / np.sqrt(squares)
        rises = np.stack([second, third, up], axis=1)
        offsets = -np.einsum("fkd,fd->fk", rises, a)[:, :, None]
        return np.concatenate([rises, offsets], axis=2, dtype=np.float32).reshape(-1, 12)

    def walk(self, points: Singles, start: Numbers) -> tuple[Numbers, Singles, Singles]:
        """Each point's triangle, coordinates and height, reached from ``face``; nan heights where a walk fails."""
        face = start.copy()
        weights, height = np.empty((len(points), 3), np.float32), np.empty(len(points), np.float32)
        active: Integers | slice = slice(None)
        before = np.full(len(points), -1, np.int32)
        for _ in range(STEPS):
            here, from_face, place = face[active], before[active], points[active]
            rows = self._table[here]
            second, third, above = (
                rows[:, k] * place[:, 0] + rows[:, k + 1] * place[:, 1] + rows[:, k + 2] * place[:, 2] + rows[:, k + 3]
                for k in (0, 4, 8)
            )
            first = 1 - second - third
            weights[active], height[active] = np.stack([first, second, third], axis=1), above
            low = np.minimum(np.minimum(first, second), third)
            side = np.where(first == low, 0, np.where(second == low, 1, 2))
            onward = self._neighbors[here, side]
            go = np.flatnonzero((low < OUTSIDE) & (onward >= 0) & (onward != from_face))
            if not len(go):
                break
            active = go if isinstance(active, slice) else active[go]
            before[active], face[active] = here[go], onward[go]
        lowest = np.minimum(np.minimum(weights[:, 0], weights[:, 1]), weights[:, 2])
        beyond = np.flatnonzero(~(lowest >= OUTSIDE))  # past an edge or a corner that sticks out
        if len(beyond):
            height[beyond], weights[beyond] = self._clamped(points[beyond], face[beyond], height[beyond])
        np.maximum(weights, 0, out=weights)
        weights /= (weights[:, 0] + weights[:, 1] + weights[:, 2])[:, None]
        return face, weights, height

    def _clamped(self, points: Singles, face: Numbers, height: Singles) -> tuple[Singles, Singles]:
        nearest, squares = nearest_on_triangles(points.astype(np.float64), self.vertices[self.faces[face]])
        distance = np.where(np.isnan(height), np.nan, np.sqrt(squares))
        return distance.astype(np.float32), nearest.astype(np.float32)


class Carrier:
    """Carries points inside the target's triangles to the source's surface.

    Between three corners the map is taken to be straight: the corners' points on the source are interpolated, and the
    result brought back to the surface by walking there from the nearest corner's triangle, over edges only, so that it
    cannot get to the other side of a thin part. Where that leads nowhere, the nearest point that faces the same way is
    taken, and also where it is nearer than a place beside a sharp edge that the walk did not get over. A triangle torn
    apart by the map is not drawn through the body: all of it goes where its most confident corner goes.

    Attributes:
        torn: bool (G,), the target's triangles torn apart.
        points: float64 (V, 3), the target's vertices on the source.
    """

    def __init__(self, source: Snapshot, target: Snapshot, to_source: SurfaceMap) -> None:
        vertices = source.vertices.astype(np.float64)
        self.center = vertices.mean(axis=0)
        self.vertices = vertices - self.center
        self.faces = source.faces
        self.target_faces = target.faces
        self.map = to_source
        self.points = to_source.pull(vertices, source.faces)
        self._mapped = (self.points - self.center).astype(np.float32)
        self._facing = to_source.pull(vertex_normals(vertices, source.faces), source.faces).astype(np.float32)
        normals = face_vectors(vertices, source.faces)
        # Triangles without an area have no side and often no sensible UVs; their edges belong to others as well.
        self._solid = np.flatnonzero(normals.any(axis=1))
        self._solid_faces = source.faces[self._solid].astype(np.int64)
        self._tree = igl.AABB()
        self._tree.init(self.vertices, self._solid_faces)
        self.normals = unit_rows(normals).astype(np.float32)
        self._walker = Walker(self.vertices, source.faces)
        corners = target.faces
        before = _longest_edge(target.vertices.astype(np.float64)[corners])
        after = _longest_edge(self.points[corners])
        size = np.sqrt(surface_area(source.vertices, source.faces))
        growth = size / np.sqrt(surface_area(target.vertices, target.faces))
        self.torn = after > STRETCH * growth * before + GAP * size
        self._limit = (LIFT * after + 1e-3 * size).astype(np.float32)
        self._small = (1e-3 * after).astype(np.float32)
        self._plane = unit_rows(face_vectors(self.points, corners)).astype(np.float32)
        best = to_source.confidence[corners].argmax(axis=1)[:, None]
        self._anchor = np.take_along_axis(corners, best, axis=1)[:, 0]

    def carry(self, face: NDArray[np.integer], barycentric: NDArray[np.floating]) -> tuple[Numbers, Singles]:
        """The points' triangles on the source, int32 (N,), and barycentric coordinates there, float32 (N, 3).

        Args:
            face: (N,), triangles of the target.
            barycentric: (N, 3), where in them.
        """
        corners = self.target_faces[face]
        points = _blend(barycentric, self._mapped, corners)
        nearest = np.take_along_axis(corners, barycentric.argmax(axis=1)[:, None], axis=1)[:, 0]
        there, weights, height = self._walker.walk(points, self.map.face[nearest])
        lost = np.flatnonzero(~(np.abs(height) <= self._limit[face]))
        if len(lost):
            there[lost], weights[lost], _ = self._search(points[lost], barycentric[lost], corners[lost])
        high = np.flatnonzero((np.abs(height) > self._small[face]) & (np.abs(height) <= self._limit[face]))
        aligned = np.einsum("nd,nd->n", self.normals[there[high]], self._plane[face[high]])
        doubted = (aligned < ALIGNED) | (np.abs(height[high]) > 0.3 * self._limit[face[high]])
        beside, aligned = high[doubted], np.minimum(aligned[doubted] - 1e-3, ALIGNED)
        if len(beside):
            found, mixed, away = self._search(points[beside], barycentric[beside], corners[beside])
            facing = np.einsum("nd,nd->n", self.normals[found], self._plane[face[beside]])
            better = (facing >= aligned) & (away < np.abs(height[beside]))
            there[beside[better]], weights[beside[better]] = found[better], mixed[better]
        torn = np.flatnonzero(self.torn[face])
        anchor = self._anchor[face[torn]]
        there[torn], weights[torn] = self.map.face[anchor], self.map.barycentric[anchor]
        return there, weights

    def texels(self, texels: TexelMap, report: ProgressCallback = silent) -> Kin:
        """Carry every covered texel of a picture; ``report`` may raise Cancelled."""
        covered = np.flatnonzero(texels.covered)
        face, barycentric = texels.face.ravel(), texels.barycentric.reshape(-1, 3)
        count = len(covered)
        target_face, there = np.empty(count, np.int32), np.empty(count, np.int32)
        weights, confidence = np.empty((count, 3), np.float32), np.empty(count, np.float32)

        def work(start: int) -> int:
            part = slice(start, start + BLOCK)
            texel = covered[part]
            target_face[part] = face[texel]
            mixed = barycentric[texel]
            there[part], weights[part] = self.carry(target_face[part], mixed)
            confidence[part] = self.trust(target_face[part], mixed)
            return start

        for start in in_order(work, range(0, count, BLOCK)):
            report("Finding each texel on the source", start / count)
        return Kin(covered, target_face, there, weights, confidence)

    def trust(self, face: NDArray[np.integer], barycentric: NDArray[np.floating]) -> Singles:
        """How far the map is trusted at points of the target, float32 (N,): 0 in torn triangles."""
        corners = self.target_faces[face]
        mixed = np.einsum("nk,nk->n", barycentric, self.map.confidence[corners]).astype(np.float32)
        mixed[self.torn[face]] = 0
        return mixed

    def _search(
        self, points: Singles, barycentric: NDArray[np.floating], corners: NDArray[np.integer]
    ) -> tuple[Integers, Singles, Floats]:
        """The nearest point of the surface, and how far away it is; where it faces away, that of the triangles that the
        corners map into."""
        exact = points.astype(np.float64)
        _, found, _ = self._tree.squared_distance(self.vertices, self._solid_faces, exact)
        there = self._solid[found]
        facing = np.einsum("nd,nd->n", _blend(barycentric, self._facing, corners), self.normals[there])
        averse = np.flatnonzero(facing < 0)
        tried = self.map.face[corners[averse]]
        away = [nearest_on_triangles(exact[averse], self.vertices[self.faces[tried[:, k]]])[1] for k in range(3)]
        there[averse] = np.take_along_axis(tried, np.argmin(away, axis=0)[:, None], axis=1)[:, 0]
        weights, squares = nearest_on_triangles(exact, self.vertices[self.faces[there]])
        return there, weights.astype(np.float32), np.sqrt(squares)


def _blend(weights: NDArray[np.floating], values: Singles, corners: NDArray[np.integer]) -> Singles:
    """Values of three corners, mixed: float32 (N, D) of weights (N, 3), values (V, D) and corners (N, 3)."""
    mixed = np.zeros((len(weights), values.shape[1]), np.float32)
    for k in range(3):
        mixed += weights[:, k, None] * values[corners[:, k]]
    return mixed


def _longest_edge(corners: Floats) -> Floats:
    return np.asarray(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1))
