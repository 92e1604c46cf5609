"""Where a closer look pays: the parts of a body beyond a neck or a wrist, found by shape alone.

A part is what lies within some distance, along the surface, of a tip. Its neck is where the line at this distance is
shortest beside the area that it cuts off. The first of several such parts is the one whose neck is long and in which
many vertices lie on little area: heads have thicker necks than limbs, and artists spend their vertices on faces, and
then on hands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from ..geometry.adjacency import bridges
from ..geometry.arrays import Floats, Integers
from ..geometry.coarsening import CoarseMesh, coarsen
from ..geometry.mesh import edges, normalize, vertex_areas

SHORTEST_LENGTH = 1e-9
"""Least length of a line or link, in square roots of the area. Chosen, so that no division is by zero."""


@dataclass(frozen=True)
class PartSettings:
    """How a part with a neck is looked for. All values are chosen, on people, cats, dogs and horses.

    Attributes:
        points: points of the coarser mesh on which it is looked for, about.
        tips: tips around which parts are tried.
        shares: smallest and largest share of the area that a part has, and how many between are tried.
        least_bulge: area of a part over its neck's squared length, at least: 0.08 is a disk.
    """

    points: int = 1500
    tips: int = 8
    shares: tuple[float, float, int] = (0.02, 0.25, 24)
    least_bulge: float = 0.35


@dataclass(frozen=True)
class NeckedPart:
    """A part of a surface, as a field.

    Attributes:
        distance: float64 (V,), each vertex's distance from the tip over that of the neck: below 1 in the part.
        share: of the surface's area that it has.
        density: share of the vertices over share of the area.
    """

    distance: Floats
    share: float
    density: float


def necked_parts(
    vertices: NDArray[np.floating], faces: NDArray[np.integer], settings: PartSettings = PartSettings()
) -> list[NeckedPart]:
    """The parts of a surface that sit on a neck, apart from each other, the one that most resembles a head first.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        settings: of the search.
    """
    coarse = coarsen(normalize(vertices, faces), faces, settings.points)
    areas = vertex_areas(coarse.vertices, coarse.faces)
    total = float(areas.sum())
    if total <= 0:
        return []
    held = np.asarray(coarse.prolong.sum(axis=0)).ravel() / len(vertices)  # share of the vertices at each point
    found = []
    for distance in _tip_distances(_graph(coarse), settings.tips):
        order = np.argsort(distance)
        shares = np.cumsum(areas[order]) / total
        reaches = distance[order[np.searchsorted(shares, np.geomspace(*settings.shares)).clip(max=len(order) - 1)]]
        lengths = np.array([_level_length(coarse, distance, reach) for reach in reaches]) / np.sqrt(total)
        covered = np.array([areas[distance <= reach].sum() for reach in reaches]) / total
        bulge = covered / np.maximum(lengths, SHORTEST_LENGTH) ** 2
        neck = int(bulge.argmax())
        if bulge[neck] < settings.least_bulge or not np.isfinite(reaches[neck]) or reaches[neck] <= 0:
            continue
        density = float(held[distance <= reaches[neck]].sum()) / covered[neck]
        found.append((density * float(lengths[neck]), density, distance / reaches[neck]))
    found.sort(key=lambda part: -part[0])
    parts: list[NeckedPart] = []
    taken = np.zeros(len(areas), bool)
    for _, density, field in found:
        if not taken[field <= 1].any():
            taken |= field <= 1
            share = float(areas[field <= 1].sum()) / total
            parts.append(NeckedPart(np.asarray(coarse.prolong @ field), share, density))
    return parts


def _graph(coarse: CoarseMesh) -> sparse.csr_array:
    """Lengths (P, P) of the edges, and of the bridges between loose parts."""
    points = coarse.vertices
    links = np.concatenate((edges(coarse.faces), bridges(points, coarse.faces)))
    lengths = np.linalg.norm(points[links[:, 0]] - points[links[:, 1]], axis=1) + SHORTEST_LENGTH
    return sparse.csr_array((lengths, tuple(links.T)), shape=(len(points),) * 2)


def _tip_distances(graph: sparse.csr_array, count: int) -> list[Floats]:
    """Distances (P,) from each of the tips, each being the point that is farthest from those before it."""

    def distances(points: Integers) -> Floats:
        found = csgraph.dijkstra(graph, directed=False, indices=points, min_only=True)
        return np.where(np.isfinite(found), found, 0)

    tips = [int(distances(np.zeros(1, np.int64)).argmax())]
    fields = []
    for _ in range(count):
        fields.append(distances(np.array(tips[-1:])))
        tips.append(int(distances(np.array(tips)).argmax()))
    return fields


def _level_length(coarse: CoarseMesh, field: Floats, level: float) -> float:
    """Length of the line on which a field (P,) has a value."""
    values = field[coarse.faces]
    crossing = (values.min(axis=1) < level) & (values.max(axis=1) >= level)
    corners, values = coarse.vertices[coarse.faces[crossing]], values[crossing]
    following, rise = np.roll(corners, -1, axis=1), np.roll(values, -1, axis=1) - values
    along = np.divide(level - values, rise, out=np.full_like(values, np.inf), where=rise != 0)
    is_cut = (along >= 0) & (along < 1)
    points = corners + np.where(is_cut, along, 0)[..., None] * (following - corners)
    pairs = is_cut.sum(axis=1) == 2
    ends = points[pairs][is_cut[pairs]].reshape(-1, 2, 3)
    return float(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).sum())
