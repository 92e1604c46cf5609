"""Limbs that were matched with another limb: torn off the rest, on a place that belongs to others.

Surfaces that lie on each other touch where their own parts do: a hand that lies at the other hand, or at a foot, may be
answered by that. Such an island of the map shows by two things together: its neighbors' answers lie far from its own,
and its answers are those of others, too. It is matched again with what lies beyond its border's answers, by how far it
is from there along the surface and by features; and it is a guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from ..data.surface_map import Match, SurfaceMap
from ..geometry.adjacency import connected_components
from ..geometry.arrays import Floats, Integers
from ..geometry.mesh import edges, vertex_areas
from ..geometry.welding import weld
from .laying import ComparedSurface


@dataclass(frozen=True)
class IslandSettings:
    """What an island is, and how it is matched again. Lengths are in square roots of the surface's area.

    Attributes:
        torn: the answers of neighbors lie farther apart than this, beyond the length of the edge between them. Chosen.
        claimed: how near an answer of others is to a place that they claim. Chosen.
        claimed_share: share of an island's answers that others claim, at least. Measured on 37 pairs of TOSCA: 0.84 to
            1 of three islands that were wrong, 0 of the only one that was right.
        fewest: vertices of an island, at least. Chosen.
        largest: share of the area that an island has, at most: halves of a body are another matter. Chosen.
        reach: how far answers are looked for, in depths of the island. Chosen.
        depth: difference of distances from the border that counts as much as a place that others claim. Chosen.
        feature_weight: of the difference of features, beside these. As when points are matched.
        trust: factor of the confidence of what was matched again. Chosen: a guess.
    """

    torn: float = 0.15
    claimed: float = 0.02
    claimed_share: float = 0.5
    fewest: int = 8
    largest: float = 0.1
    reach: float = 1.3
    depth: float = 0.04
    feature_weight: float = 0.5
    trust: float = 0.5


@dataclass(frozen=True)
class _Island:
    """Vertices that lie together on the domain, with answers far from those around them.

    Attributes:
        vertices: int64 (I,), of the domain.
        depth: (I,), distance of each from the border along the surface.
        shore: int64, the answers of what lies around it: vertices of the other surface.
        claimed: bool (U,), which vertices of the other surface are answers of the rest, or near them.
    """

    vertices: Integers
    depth: Floats
    shore: Integers
    claimed: NDArray[np.bool_]


def with_islands_joined(
    match: Match, source: ComparedSurface, target: ComparedSurface, settings: IslandSettings = IslandSettings()
) -> Match:
    """The match of two surfaces, both ways, with its islands matched again."""
    to_source, to_target = _joined(match.to_source, match.to_target, target, source, settings)
    to_target, to_source = _joined(to_target, to_source, source, target, settings)
    return replace(match, to_source=to_source, to_target=to_target)


def _joined(
    forth: SurfaceMap, back: SurfaceMap, domain: ComparedSurface, surface: ComparedSurface, settings: IslandSettings
) -> tuple[SurfaceMap, SurfaceMap]:
    """The map from ``domain`` to ``surface`` with its islands matched again, and the map back with what they found."""
    for island in list(_islands(forth, domain, surface, settings)):
        distance = _distances(surface, island.shore, settings.reach * float(island.depth.max()))
        candidates = surface.usable[np.isfinite(distance[surface.usable])]
        if not len(candidates):
            continue
        own = _rows(island.depth, domain.features[island.vertices], np.zeros(len(island.depth)), settings)
        claimed = island.claimed[candidates]
        others = _rows(distance[candidates], surface.features[candidates], claimed, settings)
        answers = candidates[cKDTree(others).query(own)[1]]
        forth = _with_answers(forth, island.vertices, answers, surface, settings)
        lost = candidates[~claimed]
        if len(lost):
            found = island.vertices[cKDTree(own).query(others[~claimed])[1]]
            back = _with_answers(back, lost, found, domain, settings)
    return forth, back


def _islands(
    surface_map: SurfaceMap, domain: ComparedSurface, surface: ComparedSurface, settings: IslandSettings
) -> Iterator[_Island]:
    """The islands of a map from ``domain`` to ``surface`` whose places others claim."""
    links = _links(domain)
    start, end = links.T
    answers = surface_map.pull(surface.vertices, surface.faces)
    lengths, apart = (np.linalg.norm(places[start] - places[end], axis=1) for places in (domain.vertices, answers))
    torn = apart > lengths + settings.torn
    if not torn.any():
        return
    part = connected_components(links[~torn], len(answers))
    areas = np.bincount(part, vertex_areas(domain.vertices, domain.faces))
    counts, torn_links = np.bincount(part), links[torn]
    for number in np.flatnonzero((counts >= settings.fewest) & (areas <= settings.largest * areas.sum())):
        inside = part == number
        ends = inside[torn_links]
        around = torn_links[ends.any(axis=1) & ~ends.all(axis=1)]
        around = np.unique(around[~inside[around]])
        if areas[part[around]].max(initial=0) <= areas[number]:
            continue
        rest = cKDTree(answers[~inside])
        if (rest.query(answers[inside])[0] <= settings.claimed).mean() < settings.claimed_share:
            continue
        vertices = np.flatnonzero(inside)
        depth = _distances(domain, around)[vertices]
        shore = np.unique(surface_map.vertex[around]).astype(np.int64)
        yield _Island(vertices, depth, shore, rest.query(surface.vertices)[0] <= settings.claimed)


def _rows(
    distance: Floats, features: NDArray[np.floating], claimed: NDArray[np.generic], settings: IslandSettings
) -> Floats:
    """Coordinates in which points are near each other that are as far from the border, alike, and not claimed."""
    return np.column_stack((distance / settings.depth, features * settings.feature_weight, claimed))


def _links(surface: ComparedSurface) -> Integers:
    """The edges of a surface and links between vertices at one place, (E, 2)."""
    first, place = weld(surface.vertices)
    every = np.arange(len(place))
    double = np.flatnonzero(first[place] != every)
    return np.concatenate((edges(surface.faces), np.column_stack((first[place[double]], double)))).astype(np.int64)


def _distances(surface: ComparedSurface, start: Integers, limit: float = np.inf) -> Floats:
    """The distance of each vertex (V,) from the nearest of some along the surface, inf beyond the limit."""
    links = _links(surface)
    lengths = np.linalg.norm(surface.vertices[links[:, 0]] - surface.vertices[links[:, 1]], axis=1) + 1e-9
    graph = sparse.csr_array((lengths, (links[:, 0], links[:, 1])), shape=(len(surface.vertices),) * 2)
    return np.asarray(csgraph.dijkstra(graph, directed=False, indices=start, limit=limit, min_only=True))


def _with_answers(
    surface_map: SurfaceMap, vertices: Integers, answers: Integers, surface: ComparedSurface, settings: IslandSettings
) -> SurfaceMap:
    """The map in which some vertices are answered by vertices of the surface, with less confidence."""
    corners = np.full(len(surface.vertices), -1)
    corners[surface.faces.ravel()] = np.arange(surface.faces.size)
    corner = corners[answers]
    confidence = settings.trust * surface_map.confidence[vertices]
    rows = SurfaceMap.at_points(corner // 3, np.eye(3)[corner % 3], confidence, surface.vertices, surface.faces)
    return surface_map.with_rows(vertices, rows)
