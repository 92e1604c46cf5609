"""What can never be seen of a surface, because other parts lie over it: skin under a helmet, a body under clothes."""

from __future__ import annotations

import igl
import numpy as np

from ...data.snapshot import Snapshot
from ...geometry.adjacency import loose_parts
from ...geometry.arrays import AnyIntegers, Flags, Floats, Integers, unit_rows
from ...geometry.mesh import bounding_diagonal, face_vectors
from ...geometry.outside import RAY_LIFT
from .channels import SourceTextures

FRONT_RAYS, BACK_RAYS = 24, 8
"""Rays from the middle of each triangle to its two sides. Chosen."""
LEAST_ESCAPED = 4
"""Rays that have to get away for a triangle to be seen. Chosen: some slip through between neck and collar. Hardly any
triangle has between 1 and 6 (a knight, a woman in a hood)."""
MOST_CROSSINGS = 8
"""Times that a ray goes on through its own part. Chosen: folds of one part that lie over each other."""
CLEAR_ALPHA = 0.99
"""A material whose alpha is less, or that lets as much light through, hides nothing. Chosen."""


def see_through(source: Snapshot, textures: SourceTextures) -> Flags:
    """The triangles, bool (F,), of materials that do not hide what lies behind: glass, and pictures with an alpha."""
    slots = set()
    for channel in textures.channels:
        for slot, texture in channel.slots.items():
            plain = texture.value[0] if texture.value and not texture.pictures else None
            if channel.name == "alpha" and (plain is None or plain < CLEAR_ALPHA):
                slots.add(slot)
            if channel.name == "transmission" and (plain is None or plain > 1 - CLEAR_ALPHA):
                slots.add(slot)
    return np.isin(source.materials, sorted(slots))


def unseen_faces(shape: Snapshot, among: Flags, clear: Flags) -> Flags:
    """The triangles from which no ray gets away, because other loose parts lie around them.

    A part does not hide itself: a mouth may open, and a fold may be smoothed.

    Args:
        shape: the surface.
        among: bool (F,), the triangles that are looked at; others are as if they were not there.
        clear: bool (F,), triangles that hide nothing.

    Returns:
        bool (F,).
    """
    vertices = shape.vertices.astype(np.float64)
    normals = unit_rows(face_vectors(vertices, shape.faces))
    part = loose_parts(vertices, shape.faces).of_vertex[shape.faces[:, 0]]
    solid = np.flatnonzero(among & ~clear & normals.any(axis=1))
    unseen = np.zeros(len(shape.faces), bool)
    if len(np.unique(part[solid])) < 2:
        return unseen
    scene = _Scene(vertices, shape.faces[solid].astype(np.int64), part[solid])
    left = np.flatnonzero(among & normals.any(axis=1))
    escaped = np.zeros(len(unseen), np.int64)
    middles = vertices[shape.faces].mean(axis=1)
    for directions, side in _rays():
        for direction in directions:
            along = _turned(direction, side * normals[left])
            escaped[left] += scene.gets_away(middles[left], along, part[left], crosses=side > 0)
            left = left[escaped[left] < LEAST_ESCAPED]
    unseen[left] = True
    return unseen


def _rays() -> list[tuple[Floats, int]]:
    """Directions about the z axis, (N, 3), as seen surfaces are lit (by the cosine), and the side they are on."""

    def spread(count: int) -> Floats:
        step = np.arange(count)
        square, azimuth = (step + 0.5) / count, step * np.pi * (3 - np.sqrt(5))
        flat = np.sqrt(square)
        return np.column_stack((flat * np.cos(azimuth), flat * np.sin(azimuth), np.sqrt(1 - square)))

    return [(spread(FRONT_RAYS), 1), (spread(BACK_RAYS), -1)]


def _turned(direction: Floats, normals: Floats) -> Floats:
    """A direction (3,) about the z axis in a frame about each normal: (N, 3)."""
    side = unit_rows(np.cross(normals, np.eye(3)[np.abs(normals).argmin(axis=1)]))
    return np.asarray(direction[0] * side + direction[1] * np.cross(normals, side) + direction[2] * normals)


class _Scene:
    """The parts that hide others."""

    def __init__(self, vertices: Floats, faces: Integers, part: AnyIntegers) -> None:
        """Prepare triangles (M, 3), each of a loose part (M,)."""
        self._vertices, self._faces, self._part = vertices, faces, part
        self._lift = RAY_LIFT * bounding_diagonal(vertices)
        self._tree = igl.AABB()
        self._tree.init(vertices, faces)

    def gets_away(self, origins: Floats, directions: Floats, part: AnyIntegers, crosses: bool) -> Flags:
        """Which rays meet nothing, (N,); those that cross their own part (N,) go on behind it."""
        away = np.zeros(len(origins), bool)
        on_way, starts = np.arange(len(origins)), origins + self._lift * directions
        for _ in range(MOST_CROSSINGS):
            along = np.ascontiguousarray(directions[on_way])
            hit, length, _ = self._tree.intersect_ray_first(self._vertices, self._faces, starts, along)
            away[on_way[hit < 0]] = True
            own = (hit >= 0) & (self._part[hit] == part[on_way])
            if not crosses or not own.any():
                break
            starts = starts[own] + (length[own] + self._lift)[:, None] * along[own]
            on_way = on_way[own]
        return away
