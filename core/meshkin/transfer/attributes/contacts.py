"""Lids and lips that a key of the source closes are closed by the key on the target, too, however wide they stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from ...geometry.adjacency import boundary_edges, symmetric_matrix
from ...geometry.arrays import AnyIntegers, Flags, Floats, Integers
from ...geometry.closest_points import closest_points
from ...geometry.laplacian import factorized
from ...geometry.mesh import edges, vertex_normals
from ...geometry.welding import weld
from .lookup import MappedMesh

MOVES = 0.01
"""Vertices that move less than this share of the largest displacement are no part of a contact, and stay. Chosen."""
CLOSED = 0.25
"""Points are in contact if a key leaves no more than this share of the distance between them. Chosen: lids and lips
have thickness, and vertices of either side are not opposite to each other."""
FACES_ACROSS = 0.4
"""Least cosine, before, between the normal at either side of a contact and the way to the other, but at borders.
Chosen: folds inside a mouth that opens have less."""
CANDIDATES = 32
"""Vertices among which the other side of a contact is sought. Chosen."""
OFF = 0.5
"""How far from its point on the mapped target a contact may be, in distances between its sides. Chosen."""
COARSE = 0.7
"""Contacts at triangles with edges longer than this, in distances between the sides, are left out. Chosen: a lid of
three vertices cannot close."""
WIDER = 3.0
"""Contacts whose sides are apart more than this many times as far as on the source are left out, too: the map is off.
Chosen."""
FEWEST = 4
"""Fewest contacts that count: a lid has as many. Chosen."""
SEEN = 0.15
"""Share of the distance that half of the contacts must leave open on the target to be closed. Chosen: less is not
seen."""
EVEN = 1.0
"""Weight of how far each correction is from its neighbors' mean, times their number, beside gaps that are left. Chosen,
on blinks carried through the true map to two heads with large eyes: with 0.5 the lid is uneven, with 2 a slit is left.
"""
STILL, LEAST_MOTION = 1e-3, 1e-3
"""Weight of corrections themselves, and the least square of a vertex's motion, in the largest, that it is divided by.
Chosen: what rests, rests."""


@dataclass(frozen=True)
class _Points:
    """Points of a surface.

    Attributes:
        corners: int (N, 3), vertices of their triangles.
        weights: (N, 3), barycentric coordinates.
        distance: (N,), between each and what it was sought for.
    """

    corners: AnyIntegers
    weights: Floats
    distance: Floats

    def of(self, values: Floats) -> Floats:
        """Values (V, ...) of vertices at the points."""
        return np.asarray(np.einsum("nk,nk...->n...", self.weights, values[self.corners]))

    def at(self, rows: Flags) -> _Points:
        """Some of the points."""
        return _Points(self.corners[rows], self.weights[rows], self.distance[rows])

    def longest_edge(self, vertices: Floats) -> Floats:
        """Of each one's triangle, (N,)."""
        places = vertices[self.corners]
        return np.asarray(np.linalg.norm(places - np.roll(places, 1, axis=1), axis=2).max(axis=1))


def with_contacts(mapped: MappedMesh, to_source: Floats, offsets: Floats, displacements: Floats, kept: Flags) -> Floats:
    """Displacements (V, 3) that close what the source's offsets close.

    Where two sides of the source that were apart come together, their points on the target are to come as near, in
    proportion. What moves there is moved a little farther or less far, and evenly so; what rests, rests.

    Args:
        mapped: the target, the source and the map.
        to_source: (V, 3, 3), what turns and scales the surface around each target vertex onto the source's.
        offsets: (U, 3), of the source's vertices.
        displacements: (V, 3), of the target's.
        kept: bool (V,), vertices that stay.
    """
    rest = mapped.source.vertices.astype(np.float64)
    upper, lower = _contacts(rest, mapped.source.faces, offsets)
    if not len(upper.corners):
        return displacements
    sides = [_on_target(mapped, side.of(rest)) for side in (upper, lower)]
    apart = np.linalg.norm(upper.of(rest) - lower.of(rest), axis=1)
    gap = upper.of(rest + offsets) - lower.of(rest + offsets)
    wanted = np.linalg.solve(sides[0].of(to_source), gap[:, :, None])[:, :, 0]
    vertices = mapped.target.vertices.astype(np.float64)
    open_there = np.linalg.norm(sides[0].of(vertices) - sides[1].of(vertices), axis=1)
    growth = np.cbrt(np.abs(np.linalg.det(sides[0].of(to_source))))
    sound = (sides[0].distance + sides[1].distance < OFF * apart) & (open_there * growth < WIDER * apart)
    for side in sides:
        sound &= side.longest_edge(vertices) < COARSE * open_there
    first, second = (side.at(sound) for side in sides)
    left = wanted[sound] - first.of(vertices + displacements) + second.of(vertices + displacements)
    if sound.sum() < FEWEST or np.median(np.linalg.norm(left, axis=1) / open_there[sound]) < SEEN:
        return displacements
    return displacements + _corrections(mapped, displacements, (first, second), left, kept)


def _contacts(rest: Floats, faces: AnyIntegers, offsets: Floats) -> tuple[_Points, _Points]:
    """Points of a surface that offsets (U, 3) bring together, which were apart before."""
    moved, size = rest + offsets, np.linalg.norm(offsets, axis=1)
    normals = vertex_normals(rest, faces)
    vertex = np.flatnonzero(size > MOVES * size.max(initial=0))
    used = np.unique(faces)
    count = min(CANDIDATES, len(used))
    other = used[cKDTree(moved[used]).query(moved[vertex], k=count)[1].reshape(len(vertex), count)]
    across = rest[other] - rest[vertex][:, None]
    gap, before = np.linalg.norm(moved[other] - moved[vertex][:, None], axis=2), np.linalg.norm(across, axis=2)
    sound = gap < CLOSED * before
    at_border = _at_border(rest, faces)
    sound &= at_border[vertex][:, None] | (np.einsum("nkd,nd->nk", across, normals[vertex]) > FACES_ACROSS * before)
    sound &= at_border[other] | (np.einsum("nkd,nkd->nk", across, normals[other]) < -FACES_ACROSS * before)
    nearest = np.where(sound, gap, np.inf).argmin(axis=1)
    found = sound.any(axis=1)
    vertex, other = vertex[found], other[np.arange(len(other)), nearest][found]
    return _vertices(vertex), _vertices(other)


def _at_border(vertices: Floats, faces: AnyIntegers) -> Flags:
    """Which vertices lie at a border of the surface, bool (U,): these face nowhere."""
    first, place = weld(vertices)
    border = np.zeros(len(first), bool)
    border[boundary_edges(place[faces])] = True
    return np.asarray(border[place])


def _vertices(vertex: Integers) -> _Points:
    weights = np.tile([1.0, 0.0, 0.0], (len(vertex), 1))
    return _Points(np.repeat(vertex[:, None], 3, axis=1), weights, np.zeros(len(vertex)))


def _on_target(mapped: MappedMesh, points: Floats) -> _Points:
    """The points of the target that are mapped nearest to points (N, 3) of the source."""
    whole = ~mapped.carrier.torn
    faces = mapped.target.faces[whole if whole.any() else slice(None)]
    places = mapped.to_source.pull(mapped.source.vertices, mapped.source.faces)
    found = closest_points(points, places, faces)
    return _Points(faces[found.face], found.barycentric, np.sqrt(found.square))


def _corrections(
    mapped: MappedMesh, displacements: Floats, sides: tuple[_Points, _Points], left: Floats, kept: Flags
) -> Floats:
    """What to add to displacements (V, 3) so that hardly anything is left, (N, 3), of the gaps between two sides."""
    first, place = weld(np.column_stack((mapped.target.vertices.astype(np.float64), displacements)))
    motion = np.linalg.norm(displacements[first], axis=1)
    motion /= motion.max()
    free = np.flatnonzero((motion > MOVES) & (np.bincount(place, kept, len(first)) == 0))
    links = edges(place[mapped.target.faces])
    beside = symmetric_matrix(links, np.ones(len(links)), len(first))
    even = sparse.csr_array(sparse.diags_array(np.asarray(beside.sum(axis=1)).ravel()) - beside)[:, free]
    row = np.repeat(np.arange(len(left)), 3)
    shape = len(left), len(first)
    opening = sparse.csr_array((sides[0].weights.ravel(), (row, place[sides[0].corners].ravel())), shape=shape)
    opening = opening - sparse.csr_array(
        (sides[1].weights.ravel(), (row, place[sides[1].corners].ravel())), shape=shape
    )
    opening = sparse.csr_array(opening)[:, free]
    still = sparse.diags_array(STILL / (motion[free] ** 2 + LEAST_MOTION))
    system = sparse.csc_array(EVEN * (even.T @ even) + still + opening.T @ opening)
    corrections = np.zeros((len(first), 3))
    corrections[free] = factorized(system)(np.asarray(opening.T @ left))
    return np.asarray(corrections[place])
