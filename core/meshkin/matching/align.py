"""Two shapes brought into one space, in which each point's kin is its nearest neighbour.

Features alone leave left and right open and are noisy. So the shapes are matched without regard to the side first
(through functions that are the same on both), then each side is given the one of the other's that keeps triangles the
right way round. Of the mirror maps that the shapes may have those are taken whose result tears the surface least, and
what a tear cuts off is tried on the other side. Last all is refined together. Point pairs that the user gives take part
as further features.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from ..features import surface
from ..progress import Report
from .mirror import Mirror, find_mirrors, has_several, rough_of
from .spectral import (
    Both,
    Floats,
    Indices,
    Maps,
    Shape,
    fit,
    map_matrix,
    matching_counts,
    matrix_maps,
    nearest_rows,
    orientation,
    orientations,
    refine,
    tearing,
    torn,
    weighted,
)

SIDE_WEIGHT = 0.5
"""Of the side against functions and features, whose total variances are 1."""
FIRST = 6
"""Functions that refining without sides starts from."""
FIRST_WITH_SIDES = 20
"""Functions that refining with sides starts from."""
CONSTANT = 1.5
"""A coordinate that is the same everywhere: with it, comparing directions is comparing distances."""
REACH = (0.05, 0.2, 0.6)
"""How far a point pair is felt, on a surface of area 1."""
PAIR_WEIGHT = 0.5
"""Of a point pair's features."""
PARTS = 15
"""Smooth functions from which the parts are made whose sides are exchanged."""
LEAST_PART = 0.01
"""Share of the points that such a part must have."""
TRIED = 4
"""Pairs of mirror maps that are tried."""
CLEAR = 0.25
"""By how much more triangles the chosen sides must keep the right way round for the choice to be clear."""


@dataclass(frozen=True)
class Alignment:
    """Two shapes in one space.

    Attributes:
        source: float32 (U, D), a row for each source vertex.
        target: float32 (V, D), likewise.
        orientation: share of the triangles that keep their orientation under the map found.
        mirrored: the same of the other choice of sides; None where the sides were not told apart.
        mirrors: whether source and target have a mirror map of their own.
        several: whether source and target have more symmetries than one; then no mirror maps are looked for.
    """

    source: NDArray[np.float32]
    target: NDArray[np.float32]
    orientation: float
    mirrored: float | None
    mirrors: tuple[bool, bool]
    several: tuple[bool, bool]

    @property
    def ambiguous(self) -> bool:
        """Whether another answer may be as good: the sides the other way round, or another symmetry."""
        unclear = self.mirrored is not None and self.orientation - self.mirrored < CLEAR
        return unclear or any(self.several)


def align(
    one: Shape,
    two: Shape,
    prolong: tuple[sparse.csr_array, sparse.csr_array],
    weight: float,
    report: Report,
    pairs: Indices | None = None,
    flip: bool = False,
) -> Alignment:
    """Bring two surfaces into one space.

    Args:
        one, two: source and target, with features.
        prolong: of each, (U, P) and (V, Q), carries values to its vertices.
        weight: of the features against functions.
        report: told what is being done; may raise Cancelled.
        pairs: (N, 2), a source and a target vertex each, that belong together.
        flip: take the sides the other way round.
    """
    from_one, from_two = prolong
    rounds = 0

    def tick() -> None:
        nonlocal rounds
        rounds += 1
        report("Telling left from right", 1 - 0.98**rounds)

    given = np.empty((0, 2), np.int64) if pairs is None else pairs
    ends = _own_points(from_one, given[:, 0]), _own_points(from_two, given[:, 1])
    hints = _nearness(one, ends[0]), _nearness(two, ends[1])
    several = has_several(one), has_several(two)
    mirrors = ([], []) if any(several) else find_mirrors(one, two, tick)
    one, two = (weighted(end, weight) for end in (one, two))
    found = None
    choices = sorted(itertools.product(*map(range, map(len, mirrors))), key=sum)
    for choice in choices[:TRIED]:
        both = mirrors[0][choice[0]], mirrors[1][choice[1]]
        tried = _with_sides(one, two, both, hints, ends, flip, tick)
        if found is None or tried.faults < found.faults:
            found = tried
    if found is None:
        sides = np.zeros((len(one.points), 1)), np.zeros((len(two.points), 1))
        found = _refined(one, two, _beside(one, two, hints, sides), None, sides, tick)
    maps, sides = found.maps, found.sides
    counts = matching_counts((one.energies, two.energies), min(len(one.energies), len(two.energies)))
    functions = one.functions[:, : counts[0]], two.functions[:, : counts[1]]
    matrix = map_matrix(rough_of(one), rough_of(two), _rows(one, two, functions), maps)
    maps = matrix_maps(functions, _beside(one, two, hints, sides), matrix)
    places = functions[0], functions[1] @ map_matrix(one, two, functions, maps)
    rows = [
        np.hstack((place / np.sqrt(counts[0]), beside, np.full((len(place), 1), CONSTANT)))
        for place, beside in zip(places, _beside(one, two, hints, sides), strict=True)
    ]
    return Alignment(
        np.asarray(from_one @ rows[0], np.float32),
        np.asarray(from_two @ rows[1], np.float32),
        found.kept,
        found.mirrored,
        (len(mirrors[0]) > 0, len(mirrors[1]) > 0),
        several,
    )


@dataclass(frozen=True)
class _Found:
    """Maps both ways between the rough meshes, with the sides as coordinates that they were found by.

    ``kept`` is the share of triangles that keep their orientation, ``mirrored`` the same with the other choice of sides
    (None where there is none), ``torn`` the mean :func:`meshkin.matching.spectral.tearing` of both ways.
    """

    maps: Maps
    sides: Both
    kept: float
    torn: float
    mirrored: float | None = None

    @property
    def faults(self) -> float:
        """What the best of several maps has least of, either choice of sides granted."""
        return self.torn / max(self.kept, self.mirrored or 0, 1e-6)


def _with_sides(
    one: Shape,
    two: Shape,
    mirrors: tuple[Mirror, Mirror],
    hints: Both,
    ends: tuple[Indices, Indices],
    flip: bool,
    tick: Callable[[], None],
) -> _Found:
    """Maps with left and right told apart by both shapes' mirror maps."""
    none = np.zeros((len(one.points), 0)), np.zeros((len(two.points), 0))
    alike = _rows(one, two, _beside(one, two, hints, none))
    halves = tuple((part + part[mirror.twin]) / 2 for part, mirror in zip(alike, mirrors, strict=True))
    folded = _folded(one, two, mirrors, (halves[0], halves[1]), tick)

    def lift(of_target: Floats) -> _Found:
        sides = mirrors[0].side[:, None] * SIDE_WEIGHT, of_target[:, None] * SIDE_WEIGHT
        here = _rows(one, two, sides)
        lifted = _lifted(folded[0], mirrors[0], here[0], here[1]), _lifted(folded[1], mirrors[1], here[1], here[0])
        return _refined(one, two, _beside(one, two, hints, sides), lifted, sides, tick)

    side = mirrors[1].side
    found = lift(side), lift(-side)
    for parts_of in (_turned_over, _torn_off, _torn_off):
        parts = parts_of(one, two, mirrors[1], found)
        if min((parts > 0).mean(), (parts < 0).mean()) > LEAST_PART:
            mended = lift(side * parts), lift(-side * parts)
            if min(end.faults for end in mended) < min(end.faults for end in found):
                found, side = mended, side * parts
    agreements = [float((end.sides[0][ends[0]] * end.sides[1][ends[1]]).sum()) for end in found]
    said = abs(agreements[0]) > SIDE_WEIGHT**2 / 2  # the user's point pairs tell the sides
    right = (agreements[0] > 0) if said else (found[0].kept >= found[1].kept)
    chosen, other = found if right != flip else found[::-1]
    return replace(chosen, mirrored=other.kept)


def _local(one: Shape, two: Shape, to_source: Indices) -> Floats:
    """How far triangles around each point of the target's rough mesh keep their orientation, (R,), summed."""
    rough = rough_of(two)
    signs = orientations(rough, rough_of(one), to_source)
    total = np.bincount(np.ravel(rough.faces), weights=np.repeat(signs, 3), minlength=len(rough.points))
    return np.asarray(total, np.float64)


def _turned_over(one: Shape, two: Shape, mirror: Mirror, found: tuple[_Found, _Found]) -> Floats:
    """-1 (P,) where the other choice of sides keeps more triangles the right way round: one shape's sides may be
    exchanged there."""
    rough = rough_of(two)
    better = _local(one, two, found[0].maps[0]) - _local(one, two, found[1].maps[0])
    functions = mirror.symmetric[:, :PARTS]
    return np.sign(functions @ fit(functions[rough.place], rough.mass, better))


def _torn_off(one: Shape, two: Shape, mirror: Mirror, found: tuple[_Found, _Found]) -> Floats:
    """-1 (P,) on what tears separate from the largest part: it may have gone to the wrong side."""
    rough, surface_of = rough_of(two), rough_of(one)
    links = np.concatenate((surface.edges(rough.faces), surface.bridges(rough.points, rough.faces)))
    whole = links[~torn(surface_of, min(found, key=lambda end: end.faults).maps[0], links)]
    graph = sparse.coo_array((np.ones(len(whole)), tuple(whole.T)), shape=(len(rough.points),) * 2)
    part = csgraph.connected_components(graph, directed=False)[1]
    largest = np.bincount(part, weights=rough.mass).argmax()
    there = cKDTree(rough.points).query(two.points)[1]
    return np.where(part == largest, 1.0, -1.0)[there]


def _folded(one: Shape, two: Shape, mirrors: tuple[Mirror, Mirror], extra: Both, tick: Callable[[], None]) -> Maps:
    """Maps that do not care for sides, by symmetric functions alone."""
    functions = _rows(one, two, (mirrors[0].symmetric, mirrors[1].symmetric))
    maps = nearest_rows(extra[0], extra[1]), nearest_rows(extra[1], extra[0])
    energies = mirrors[0].energies, mirrors[1].energies
    return refine(rough_of(one), rough_of(two), functions, energies, extra, maps, FIRST, tick)[0]


def _refined(one: Shape, two: Shape, beside: Both, maps: Maps | None, sides: Both, tick: Callable[[], None]) -> _Found:
    """Maps refined on the rough meshes, from what is compared ``beside`` functions where there are none yet."""
    ends = rough_of(one), rough_of(two)
    extra = _rows(one, two, beside)
    if maps is None:
        maps = nearest_rows(extra[0], extra[1]), nearest_rows(extra[1], extra[0])
    functions, energies = (ends[0].functions, ends[1].functions), (one.energies, two.energies)
    maps, _ = refine(*ends, functions, energies, extra, maps, FIRST_WITH_SIDES, tick)
    torn = (tearing(ends[1], ends[0], maps[0]) + tearing(ends[0], ends[1], maps[1])) / 2
    return _Found(maps, sides, orientation(ends[1], ends[0], maps[0]), torn)


def _rows(one: Shape, two: Shape, values: Both) -> Both:
    """The rows of the rough meshes' points."""
    return values[0][rough_of(one).place], values[1][rough_of(two).place]


def _beside(one: Shape, two: Shape, hints: Both, sides: Both) -> Both:
    """What is compared beside the functions: features, nearness to the user's points, sides."""
    return (
        np.hstack((one.features, hints[0], sides[0])).astype(np.float64),
        np.hstack((two.features, hints[1], sides[1])).astype(np.float64),
    )


def _lifted(folded: Indices, mirror: Mirror, side: Floats, other: Floats) -> Indices:
    """A map that does not care for sides, with each answer or its twin taken, whichever lies on the asker's side."""
    wrong = side[folded, 0] * other[:, 0] < 0
    return np.where(wrong, mirror.twin[folded], folded)


def _own_points(prolong: sparse.csr_array, vertices: Indices) -> Indices:
    """The point of the coarser mesh that each of the mesh's vertices takes most from."""
    return np.asarray(prolong[vertices].argmax(axis=1)).ravel().astype(np.int64)


def _nearness(shape: Shape, points: Indices) -> Floats:
    """How near each point lies to some points, along the surface, at several scales: (P, number of points x scales)."""
    if len(points) == 0:
        return np.empty((len(shape.points), 0))
    links = np.concatenate((surface.edges(shape.faces), surface.bridges(shape.points, shape.faces)))
    lengths = np.linalg.norm(shape.points[links[:, 0]] - shape.points[links[:, 1]], axis=1) + 1e-9
    graph = sparse.csr_array((lengths, (links[:, 0], links[:, 1])), shape=(len(shape.points),) * 2)
    distances = csgraph.dijkstra(graph, directed=False, indices=points).T
    return PAIR_WEIGHT * np.hstack([np.exp(-((distances / reach) ** 2) / 2) for reach in REACH])
