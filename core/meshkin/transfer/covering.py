"""What lies on top: eyes on a face, a badge on a coat, cloth on skin.

A map leads to the nearest surface, which may be the skin that an eye of its own lies on. What is seen there is the eye.
"""

from __future__ import annotations

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
        self._extent = float(np.ptp(self._vertices, axis=0).max())
        self._parts = [self._parts_of(rows) for rows in allowed]

    def _parts_of(self, allowed: Flags) -> list[Integers]:
        """The triangles (F,) that may show, those of each loose part for themselves; none if there is one part."""
        order = np.flatnonzero(allowed & self._normals.any(axis=1))
        order = order[np.argsort(self._part[order], kind="stable")]
        parts = np.split(order, np.flatnonzero(np.diff(self._part[order])) + 1)
        parts.sort(key=lambda triangles: -float(self._areas[triangles].sum()))
        return parts[:MOST_PARTS] if len(parts) > 1 else []

    def on_top(self, face: ShortIntegers, weights: Singles, group: Integers) -> None:
        """Bring points of the surface, in place, to what lies on top of them.

        Args:
            face: int32 (N,), triangles.
            weights: float32 (N, 3), barycentric coordinates in them.
            group: (N,), the group of triangles that each may show; -1 for points that stay where they are.
        """
        for _ in range(MOST_COVERS):
            moved = False
            for number, parts in enumerate(self._parts):
                rows = np.flatnonzero(group == number)
                for triangles in parts:
                    moved |= self._cover(triangles, rows, face, weights)
            if not moved:
                break

    def _cover(self, triangles: Integers, rows: Integers, face: ShortIntegers, weights: Singles) -> bool:
        """Bring those of some points (rows of face and weights, in place) that one part covers onto it; whether any."""
        corners = self._vertices[self._faces[triangles]].reshape(-1, 3)
        side = float(np.ptp(corners, axis=0).max())
        reach = max(COVER_REACH * self._extent, side if side <= SMALL_PART * self._extent else 0)
        low, high = corners.min(axis=0) - reach, corners.max(axis=0) + reach
        points = np.einsum("nk,nkd->nd", weights[rows].astype(np.float64), self._vertices[self._faces[face[rows]]])
        near = (self._part[face[rows]] != self._part[triangles[0]]) & ((points >= low) & (points <= high)).all(axis=1)
        rows, points = rows[near], points[near]
        if not len(rows):
            return False
        hit, found, places = self._seen_from_above(triangles, points, self._normals[face[rows]], reach)
        rows = rows[hit]
        face[rows] = found
        weights[rows] = nearest_on_triangles(places, self._vertices[self._faces[found]])[0]
        return bool(len(rows))

    def _seen_from_above(
        self, triangles: Integers, points: Floats, normals: Floats, reach: float
    ) -> tuple[Integers, Integers, Floats]:
        """What rays from above points (N, 3), against the normals (N, 3) there, hit first of some triangles.

        The rays are followed in steps of the distance to the triangles (sphere tracing: Hart, "Sphere Tracing", The
        Visual Computer 1996).

        Returns:
            which of the points are covered (M,), by which triangles (M,), and where (M, 3).
        """
        height = np.full(len(points), reach)
        on_way = np.arange(len(points))
        found, places = np.full(len(points), -1), np.zeros_like(points)
        for _ in range(MOST_STEPS):
            now = points[on_way] + height[on_way, None] * normals[on_way]
            squares, nearest, place = igl.point_mesh_squared_distance(now, self._vertices, self._faces[triangles])
            distance = np.sqrt(np.maximum(squares, 0))
            hits = distance <= HIT_REACH * reach
            found[on_way[hits]], places[on_way[hits]] = triangles[nearest[hits]], place[hits]
            height[on_way] -= distance
            on_way = on_way[~hits & (height[on_way] > 0)]
            if not len(on_way):
                break
        hit = np.flatnonzero(found >= 0)
        hit = hit[np.einsum("nd,nd->n", normals[hit], self._normals[found[hit]]) > SAME_WAY]
        return hit, found[hit], places[hit]
