"""What lies on top: eyes on a face, a badge on a coat, cloth on skin.

A map leads to the nearest surface, which may be the skin that an eye of its own lies on. What is seen there is the eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import igl
import numpy as np

from ..data.snapshot import Snapshot
from ..geometry.adjacency import loose_parts
from ..geometry.arrays import Flags, Floats, Integers, ShortIntegers, Singles, unit_rows
from ..geometry.closest_points import nearest_on_triangles
from ..geometry.mesh import face_vectors

COVER_REACH = 0.008
"""What lies no farther above a surface than this share of the longest side of the shape's box covers it. Chosen: the
thickness of cloth."""
SMALL_PART = 0.15
"""A part whose longest side is at most this share of the shape's covers what lies within it, too. Chosen: an eyeball in
a head, a button."""
SAME_WAY = 0.1
"""Least cosine between the normals of what covers and what is covered. Chosen."""
HIT_REACH = 0.01
"""A ray hits what it comes this near to, in its length. Chosen."""
MOST_STEPS = 24
"""Most steps of a ray. Chosen: four times what rays that hit at all take."""
MOST_PARTS = 200
"""Most loose parts that cover others, the largest. Chosen, to bound time."""
MOST_COVERS = 3
"""Times that what covers is itself looked for a cover. Chosen: an iris on an eyeball in a face."""


@dataclass(frozen=True)
class _LoosePart:
    """The triangles of a loose part that may show.

    Attributes:
        number: of the loose part.
        triangles: int (M,), of the surface.
        vertices: float64 (V, 3), of the surface.
        faces: int64 (M, 3), the triangles' corners.
        box: its lowest and highest corner, (3,) each.
        reach: how far above a point it covers that.
        near: bool (F,), the triangles of the surface, other parts' alone, on which points may be that it covers.
    """

    number: int
    triangles: Integers
    vertices: Floats
    faces: Integers
    box: tuple[Floats, Floats]
    reach: float
    near: Flags

    @cached_property
    def tree(self) -> igl.AABB:
        """Finds the triangle nearest to a point; made when it is first needed."""
        tree = igl.AABB()
        tree.init(self.vertices, self.faces)
        return tree

    def is_beside_rays(self, points: Floats, normals: Floats) -> Flags:
        """Whether rays from above points (N, 3), against the normals (N, 3) there, come near the part's box: (N,)."""
        (low, high), ends = self.box, points + self.reach * normals
        margin = HIT_REACH * self.reach
        above = (np.maximum(points, ends) >= low - margin).all(axis=1)
        return np.asarray(above & (np.minimum(points, ends) <= high + margin).all(axis=1))

    def nearest(self, points: Floats) -> tuple[Floats, Integers, Floats]:
        """The distance of points (N, 3) to the part (N,), the triangle there (N,), and the place (N, 3)."""
        squares, row, places = self.tree.squared_distance(self.vertices, self.faces, points)
        return np.sqrt(np.maximum(squares, 0)), self.triangles[row], places


class Covering:
    """Finds what lies on top of points of a surface, of the triangles that may show there.

    Only loose parts cover one another; what a part of its own folds over itself is not on top.
    """

    def __init__(self, source: Snapshot, allowed: Flags) -> None:
        """Prepare the surface.

        Args:
            source: the surface.
            allowed: bool (K, F), the triangles that each of some groups of points may show.
        """
        self._vertices = source.vertices.astype(np.float64)
        self._faces = source.faces.astype(np.int64)
        self._part = loose_parts(self._vertices, source.faces).of_vertex[source.faces[:, 0]]
        vectors = face_vectors(self._vertices, self._faces)
        self._areas = np.linalg.norm(vectors, axis=1)
        self._normals = unit_rows(vectors)
        corners = self._vertices[self._faces]
        self._centers = corners.mean(axis=1)
        self._radii = np.linalg.norm(corners - self._centers[:, None], axis=2).max(axis=1)
        self._extent = float(np.ptp(self._vertices, axis=0).max())
        self._parts = [self._parts_of(rows) for rows in allowed]

    def _parts_of(self, allowed: Flags) -> list[_LoosePart]:
        """The loose parts of the triangles (F,) that may show, the largest; none if there is one part."""
        order = np.flatnonzero(allowed & self._normals.any(axis=1))
        order = order[np.argsort(self._part[order], kind="stable")]
        parts = np.split(order, np.flatnonzero(np.diff(self._part[order])) + 1)
        parts.sort(key=lambda triangles: -float(self._areas[triangles].sum()))
        return [self._loose_part(triangles) for triangles in parts[:MOST_PARTS]] if len(parts) > 1 else []

    def _loose_part(self, triangles: Integers) -> _LoosePart:
        """A part, with the triangles of others that are near enough to be covered."""
        corners = self._vertices[self._faces[triangles]].reshape(-1, 3)
        low, high = corners.min(axis=0), corners.max(axis=0)
        side = float((high - low).max())
        reach = max(COVER_REACH * self._extent, side if side <= SMALL_PART * self._extent else 0)
        # Balls around all rays from the points of a triangle.
        centers = self._centers + reach / 2 * self._normals
        radii = np.hypot(self._radii, reach / 2) + HIT_REACH * reach
        number = int(self._part[triangles[0]])
        near = ((centers + radii[:, None] >= low) & (centers - radii[:, None] <= high)).all(axis=1)
        near &= self._part != number
        part = _LoosePart(number, triangles, self._vertices, self._faces[triangles], (low, high), reach, near)
        rows = np.flatnonzero(near)
        near[rows] = part.nearest(centers[rows])[0] <= radii[rows]
        return part

    def on_top(self, face: ShortIntegers, weights: Singles, group: Integers) -> None:
        """Bring points of the surface, in place, to what lies on top of them.

        Args:
            face: int32 (N,), triangles.
            weights: float32 (N, 3), barycentric coordinates in them.
            group: (N,), the group of triangles that each may show; -1 for points that stay where they are.
        """
        for number, parts in enumerate(self._parts):
            rows = np.flatnonzero(group == number) if parts else np.zeros(0, np.int64)
            if not len(rows):
                continue
            points = np.einsum("nk,nkd->nd", weights[rows].astype(np.float64), self._vertices[self._faces[face[rows]]])
            for _ in range(MOST_COVERS):
                moved = np.zeros(len(rows), bool)
                for part in parts:
                    moved |= self._cover(part, points, rows, face, weights)
                rows, points = rows[moved], points[moved]  # the others stay where they are

    def _cover(self, part: _LoosePart, points: Floats, rows: Integers, face: ShortIntegers, weights: Singles) -> Flags:
        """Bring those points (N, 3), some rows of face and weights, onto a part that it covers, in place; which they
        are, bool (N,)."""
        near = np.flatnonzero(part.near[face[rows]])
        near = near[part.is_beside_rays(points[near], self._normals[face[rows[near]]])]
        hit, found, places = self._seen_from_above(part, points[near], self._normals[face[rows[near]]])
        moved = near[hit]
        points[moved], face[rows[moved]] = places, found
        weights[rows[moved]] = nearest_on_triangles(places, self._vertices[self._faces[found]])[0]
        is_moved = np.zeros(len(rows), bool)
        is_moved[moved] = True
        return is_moved

    def _seen_from_above(self, part: _LoosePart, points: Floats, normals: Floats) -> tuple[Integers, Integers, Floats]:
        """What rays from above points (N, 3), against the normals (N, 3) there, hit first of a part.

        The rays are followed in steps of the distance to the part (sphere tracing: Hart, "Sphere Tracing", The
        Visual Computer 1996).

        Returns:
            which of the points are covered (M,), by which triangles (M,), and where (M, 3).
        """
        height = np.full(len(points), part.reach)
        on_way = np.arange(len(points))
        found, places = np.full(len(points), -1), np.zeros_like(points)
        for _ in range(MOST_STEPS):
            if not len(on_way):
                break
            now = points[on_way] + height[on_way, None] * normals[on_way]
            distance, nearest, place = part.nearest(now)
            hits = distance <= HIT_REACH * part.reach
            found[on_way[hits]], places[on_way[hits]] = nearest[hits], place[hits]
            height[on_way] -= distance
            on_way = on_way[~hits & (height[on_way] > 0)]
        hit = np.flatnonzero(found >= 0)
        hit = hit[np.einsum("nd,nd->n", normals[hit], self._normals[found[hit]]) > SAME_WAY]
        return hit, found[hit], places[hit]
