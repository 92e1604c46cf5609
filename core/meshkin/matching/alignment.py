"""Two shapes brought into one space, in which each point's kin is its nearest neighbor.

Features alone leave left and right open and are noisy. So the shapes are matched without regard to the side first
(through functions that are the same on both), then each side is given the one of the other's that keeps triangles the
right way round. Of the mirror maps that the shapes may have those are taken whose result tears the surface least. What
is still turned over, or cut off by a tear, is tried elsewhere: on the other side, or straight across the body. Of
results that are as good the one that keeps the features better is taken. Last all is refined together. Point
pairs that the user gives take part as further features.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from ..base.progress import ProgressCallback
from ..geometry.arrays import Floats, Integers, nearest_rows
from ..spectral.eigenbasis import SpectralMesh, with_weighted_features
from ..spectral.functional_map import (
    PairOfFloats,
    PointMaps,
    coefficients,
    functional_map,
    maps_from,
    matching_counts,
    zoomout_refine,
)
from ..spectral.similarity import dirichlet_energy, kept_orientation, torn_links, triangle_orientations
from .symmetry import Mirror, find_mirrors, has_several, rough_of

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
PIECES = 2
"""Pieces that are turned over and tried at once, the largest."""
TRIED = 4
"""Pairs of mirror maps that are tried."""
MENDED = 2
"""The best of those, which are mended."""
ROUNDS = 3
"""Parts that are mended at most."""
CLOSE = 1.02
"""By how much more faults another map may have whose features are nearer; 1.1 took exchanged legs."""
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
    one: SpectralMesh,
    two: SpectralMesh,
    prolong: tuple[sparse.csr_array, sparse.csr_array],
    weights: tuple[float, float],
    report: ProgressCallback,
    pairs: Integers | None = None,
    flip: bool = False,
) -> Alignment:
    """Bring two surfaces into one space.

    Args:
        one, two: source and target, with features.
        prolong: of each, (U, P) and (V, Q), carries values to its vertices.
        weights: of the features against functions, where maps are searched for and where the last one is made.
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
    last = tuple(with_weighted_features(end, weights[1]) for end in (one, two))
    one, two = (with_weighted_features(end, weights[0]) for end in (one, two))
    starts = []
    choices = sorted(itertools.product(*map(range, map(len, mirrors))), key=sum)
    for here, there in choices[:TRIED]:
        both = mirrors[0][here], mirrors[1][there]
        lift = _lift(one, two, both, hints, tick)
        starts.append((sorted((lift(both[1].side), lift(-both[1].side)), key=FAULTS), lift, both))
    mended = []
    for lifted, lift, both in sorted(starts, key=lambda start: start[0][0].faults)[:MENDED]:
        mended.append((_mended(one, two, lifted, lift, both[1], hints, tick), both[0]))
    if mended:
        most = CLOSE * min(end.faults for end, _ in mended)
        found, mirror = min((end for end in mended if end[0].faults <= most), key=lambda end: end[0].unlike)
        found = _chosen(found, _mirrored(one, two, found, mirror, hints, tick), ends, flip)
    else:
        sides = np.zeros((len(one.points), 1)), np.zeros((len(two.points), 1))
        found = _refined(one, two, hints, None, sides, tick)
    one, two = last
    sides = found.sides
    maps = _refined(one, two, hints, found.maps, sides, tick).maps  # whose features count more now
    counts = matching_counts((one.eigenvalues, two.eigenvalues), min(len(one.eigenvalues), len(two.eigenvalues)))
    functions = one.eigenfunctions[:, : counts[0]], two.eigenfunctions[:, : counts[1]]
    matrix = functional_map(rough_of(one), rough_of(two), _rows(one, two, functions), maps)
    maps = maps_from(functions, _beside(one, two, hints, sides), matrix)
    places = functions[0], functions[1] @ functional_map(one, two, functions, maps)
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
    """PointMaps both ways between the rough meshes, with the sides as coordinates that they were found by.

    ``kept`` is the share of triangles that keep their orientation, ``mirrored`` the same with the other choice of sides
    (None where there is none), ``torn`` the mean :func:`meshkin.spectral.similarity.dirichlet_energy` of both ways,
    ``unlike`` the mean distance of matched features (the instance matching distance of Zhang et al., "Telling Left from
    Right", 2024, section 3.2, under the map).
    """

    maps: PointMaps
    sides: PairOfFloats
    kept: float
    torn: float
    unlike: float
    mirrored: float | None = None

    @property
    def faults(self) -> float:
        """What the best of several maps has least of."""
        return self.torn / max(self.kept, 1e-6)


Lift = Callable[[Floats], _Found]
"""PointMaps by the side of each of the target's points, (Q,)."""

FAULTS = attrgetter("faults")


def _lift(
    one: SpectralMesh, two: SpectralMesh, mirrors: tuple[Mirror, Mirror], hints: PairOfFloats, tick: Callable[[], None]
) -> Lift:
    """What makes maps that tell left from right, by both shapes' mirror maps, of one map that does not."""
    none = np.zeros((len(one.points), 0)), np.zeros((len(two.points), 0))
    alike = _rows(one, two, _beside(one, two, hints, none))
    halves = tuple((part + part[mirror.twin]) / 2 for part, mirror in zip(alike, mirrors, strict=True))
    folded = _folded(one, two, mirrors, (halves[0], halves[1]), tick)

    def lift(side: Floats) -> _Found:
        sides = mirrors[0].side[:, None] * SIDE_WEIGHT, side[:, None] * SIDE_WEIGHT
        here = _rows(one, two, sides)
        maps = _lifted(folded[0], mirrors[0], here[0], here[1]), _lifted(folded[1], mirrors[1], here[1], here[0])
        return _refined(one, two, hints, maps, sides, tick)

    return lift


def _mended(
    one: SpectralMesh,
    two: SpectralMesh,
    starts: Sequence[_Found],
    lift: Lift,
    mirror: Mirror,
    hints: PairOfFloats,
    tick: Callable[[], None],
) -> _Found:
    """The best of some maps with parts of the target taken to the other side, or across the body, as long as that
    leaves fewer faults. What is turned over is a candidate for both, what is torn off for the first. The other maps
    may become the best if they are taken across the body wholly."""
    found, *others = starts
    for _ in range(ROUNDS):
        side = found.sides[1][:, 0] / SIDE_WEIGHT
        ends, others = [found, *others], []
        tries = [_refined(one, two, hints, _across(one, two, end.maps), end.sides, tick) for end in ends]
        for part in (*_turned_over(one, two, mirror, found), _torn_off(one, two, found)):
            if part.mean() > LEAST_PART:
                tries.append(lift(np.where(part, -side, side)))
        best = min(tries, key=FAULTS)
        if best.faults >= found.faults:
            break
        found = best
    return found


def _mirrored(
    one: SpectralMesh, two: SpectralMesh, found: _Found, mirror: Mirror, hints: PairOfFloats, tick: Callable[[], None]
) -> _Found:
    """The maps with the sides the other way round; ``mirror`` is the source's."""
    to_source, to_target = found.maps
    maps = mirror.twin[to_source], to_target[mirror.twin]
    return _refined(one, two, hints, maps, (found.sides[0], -found.sides[1]), tick)


def _chosen(found: _Found, other: _Found, ends: tuple[Integers, Integers], flip: bool) -> _Found:
    """Which of two choices of sides is right; with ``flip`` the other.

    The user's point pairs (``ends``) say it, or else the share of triangles kept the right way round, or where that
    leaves it open the features, which differ a little between the sides.
    """
    agreement = float((found.sides[0][ends[0]] * found.sides[1][ends[1]]).sum())
    if abs(agreement) > SIDE_WEIGHT**2 / 2:
        right = agreement > 0
    elif abs(found.kept - other.kept) >= CLEAR:
        right = found.kept > other.kept
    else:
        right = found.unlike <= other.unlike
    chosen, other = (found, other) if right != flip else (other, found)
    return replace(chosen, mirrored=other.kept)


def _kept(domain: SpectralMesh, surface_of: SpectralMesh, to_surface: Integers) -> Floats:
    """How far triangles around each point keep their orientation under a map (P,), summed: (P,)."""
    signs = triangle_orientations(domain, surface_of, to_surface)
    total = np.bincount(np.ravel(domain.faces), weights=np.repeat(signs, 3), minlength=len(domain.points))
    return np.asarray(total, np.float64)


def _turned_over(one: SpectralMesh, two: SpectralMesh, mirror: Mirror, found: _Found) -> list[NDArray[np.bool_]]:
    """The largest connected pieces of what the map turns over of the target, with their mirror twins: (Q,) each."""
    rough = rough_of(two)
    functions = mirror.symmetric[:, :PARTS]
    kept = _kept(rough, rough_of(one), found.maps[0])
    over = functions @ coefficients(functions[rough.vertex], rough.mass, kept) < 0
    twins = np.stack((np.arange(len(mirror.twin)), mirror.twin), axis=1)
    links = np.concatenate((rough.links, twins))
    piece = _pieces(two, links[over[rough.vertex][links].all(axis=1)])
    largest = np.argsort(-np.bincount(piece[over], minlength=1), kind="stable")[:PIECES]
    return [over & (piece == number) for number in largest]


def _torn_off(one: SpectralMesh, two: SpectralMesh, found: _Found) -> NDArray[np.bool_]:
    """What tears separate from the largest part of the target, (Q,)."""
    rough = rough_of(two)
    piece = _pieces(two, rough.links[~torn_links(rough_of(one), found.maps[0], rough.links)])
    largest = np.bincount(piece, weights=two.mass).argmax()
    return np.asarray(piece != largest)


def _pieces(shape: SpectralMesh, links: NDArray[np.integer]) -> Integers:
    """The number of the piece that each point lies in, (P,), links (E, 2) of the rough mesh holding pieces together."""
    rough = rough_of(shape)
    graph = sparse.coo_array((np.ones(len(links)), tuple(links.T)), shape=(len(rough.points),) * 2)
    piece = csgraph.connected_components(graph, directed=False)[1]
    return np.asarray(piece[cKDTree(rough.points).query(shape.points)[1]], np.int64)


def _across(one: SpectralMesh, two: SpectralMesh, maps: PointMaps) -> PointMaps:
    """The maps with the answers of what is turned over taken straight through the body: a trunk's front and back may
    be exchanged, which maps that do not care for sides cannot tell by orientation."""

    def mended(domain: SpectralMesh, surface_of: SpectralMesh, to_surface: Integers) -> Integers:
        functions = domain.eigenfunctions[:, :PARTS]
        kept = functions @ coefficients(functions, domain.mass, _kept(domain, surface_of, to_surface))
        return np.where(kept < 0, surface_of.opposite[to_surface], to_surface)

    ends = rough_of(one), rough_of(two)
    return mended(ends[1], ends[0], maps[0]), mended(ends[0], ends[1], maps[1])


def _folded(
    one: SpectralMesh, two: SpectralMesh, mirrors: tuple[Mirror, Mirror], extra: PairOfFloats, tick: Callable[[], None]
) -> PointMaps:
    """PointMaps that do not care for sides, by symmetric functions alone."""
    functions = _rows(one, two, (mirrors[0].symmetric, mirrors[1].symmetric))
    maps = nearest_rows(extra[0], extra[1]), nearest_rows(extra[1], extra[0])
    energies = mirrors[0].eigenvalues, mirrors[1].eigenvalues
    return zoomout_refine(rough_of(one), rough_of(two), functions, energies, extra, maps, FIRST, tick)[0]


def _refined(
    one: SpectralMesh,
    two: SpectralMesh,
    hints: PairOfFloats,
    maps: PointMaps | None,
    sides: PairOfFloats,
    tick: Callable[[], None],
) -> _Found:
    """PointMaps refined on the rough meshes, from what is compared beside functions where there are none yet."""
    ends = rough_of(one), rough_of(two)
    extra = _rows(one, two, _beside(one, two, hints, sides))
    if maps is None:
        maps = nearest_rows(extra[0], extra[1]), nearest_rows(extra[1], extra[0])
    functions, energies = (ends[0].eigenfunctions, ends[1].eigenfunctions), (one.eigenvalues, two.eigenvalues)
    maps, _ = zoomout_refine(*ends, functions, energies, extra, maps, FIRST_WITH_SIDES, tick)
    torn = (dirichlet_energy(ends[1], ends[0], maps[0]) + dirichlet_energy(ends[0], ends[1], maps[1])) / 2
    changes = ends[0].features[maps[0]] - ends[1].features, ends[0].features - ends[1].features[maps[1]]
    unlike = np.mean([np.linalg.norm(change, axis=1).mean() for change in changes])
    return _Found(maps, sides, kept_orientation(ends[1], ends[0], maps[0]), torn, float(unlike))


def _rows(one: SpectralMesh, two: SpectralMesh, values: PairOfFloats) -> PairOfFloats:
    """The rows of the rough meshes' points."""
    return values[0][rough_of(one).vertex], values[1][rough_of(two).vertex]


def _beside(one: SpectralMesh, two: SpectralMesh, hints: PairOfFloats, sides: PairOfFloats) -> PairOfFloats:
    """What is compared beside the functions: features, nearness to the user's points, sides."""
    return (
        np.hstack((one.features, hints[0], sides[0])).astype(np.float64),
        np.hstack((two.features, hints[1], sides[1])).astype(np.float64),
    )


def _lifted(folded: Integers, mirror: Mirror, side: Floats, other: Floats) -> Integers:
    """A map that does not care for sides, with each answer or its twin taken, whichever lies on the asker's side."""
    wrong = side[folded, 0] * other[:, 0] < 0
    return np.where(wrong, mirror.twin[folded], folded)


def _own_points(prolong: sparse.csr_array, vertices: Integers) -> Integers:
    """The point of the coarser mesh that each of the mesh's vertices takes most from."""
    return np.asarray(prolong[vertices].argmax(axis=1)).ravel().astype(np.int64)


def _nearness(shape: SpectralMesh, points: Integers) -> Floats:
    """How near each point lies to some points, along the surface, at several scales: (P, number of points x scales)."""
    if len(points) == 0:
        return np.empty((len(shape.points), 0))
    one, two = shape.links.T
    lengths = np.linalg.norm(shape.points[one] - shape.points[two], axis=1) + 1e-9
    graph = sparse.csr_array((lengths, (one, two)), shape=(len(shape.points),) * 2)
    distances = csgraph.dijkstra(graph, directed=False, indices=points).T
    return PAIR_WEIGHT * np.hstack([np.exp(-((distances / reach) ** 2) / 2) for reach in REACH])
