"""Alignment: a first map between two shapes, found in a space of eigenfunctions, features and sides.

Features alone are noisy and do not tell left from right. So the shapes are first matched without regard to the sides,
through functions that are the same on both sides. Then each side of one shape is matched to the side of the other that
keeps the orientation of triangles. Of the mirror maps that the shapes may have, those are taken whose result tears the
surface least. What is still turned over, or cut off by a tear, is tried elsewhere: on the other side, or straight
across the body. Of results that are equally good, the one that keeps the features better is taken. Last, all is refined
together. Point pairs that the user gives take part as further features.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from ..base.progress import ProgressCallback
from ..geometry.arrays import Floats, Integers
from ..spectral.eigenbasis import SpectralMesh, with_weighted_features
from ..spectral.functional_map import PairOfFloats
from ..symmetry.candidate_maps import AlignmentSettings, Candidate, MeshPair, maps_by_side, refined, with_other_sides
from ..symmetry.mirrors import Mirror, find_mirrors, has_several_symmetries
from .map_repair import repaired
from .surfaces import Guidance

__all__ = ["Alignment", "AlignmentSettings", "align"]

MOSTLY_KEPT = 0.5
"""Other maps are tried if they keep the orientation of more than this share of the triangles: no mirror image does."""


@dataclass(frozen=True)
class Alignment:
    """A first map between two shapes, found in one space.

    Attributes:
        to_target: int64 (R,), the point of the target's rough mesh for each point of the source's.
        to_target_flipped: the same with the other choice of sides, if there is one and the user asks for it.
        orientation: share of the triangles that keep their orientation under the map.
        mirrored: the same for the other choice of sides; None if the sides were not told apart.
        several: whether source and target have more symmetries than one; then no mirror maps are looked for.
        ambiguous: whether another answer may be as good: the sides the other way round, or another symmetry.
        hints: how near the user's point pairs are, (P, D) and (Q, D), for the points of both meshes.
        others: as ``to_target``, from other mirror maps, if they are nearly as good.
    """

    to_target: Integers
    to_target_flipped: Integers
    orientation: float
    mirrored: float | None
    several: tuple[bool, bool]
    ambiguous: bool
    hints: PairOfFloats
    others: tuple[Integers, ...] = ()


def align(
    source: SpectralMesh,
    target: SpectralMesh,
    prolong: tuple[sparse.csr_array, sparse.csr_array],
    weights: tuple[float, float],
    guidance: Guidance,
    report: ProgressCallback,
    settings: AlignmentSettings = AlignmentSettings(),
) -> Alignment:
    """Find a first map between two surfaces, and what is known about left and right.

    Args:
        source, target: their coarser meshes, with features.
        prolong: of each, (U, P) and (V, Q), carries values to the surface's vertices; tells where point pairs lie.
        weights: of the features against eigenfunctions, in the search for maps and for the last refinement.
        guidance: the user's point pairs and choice of sides.
        report: is told what is being done; may raise Cancelled.
        settings: of the alignment.
    """
    tick = _ticker(report)
    pair_points = _nearest_points(prolong[0], guidance.pairs[:, 0]), _nearest_points(prolong[1], guidance.pairs[:, 1])
    hints = pair_hints((source, target), prolong, guidance, settings)
    symmetry = settings.symmetry
    several = has_several_symmetries(source, symmetry), has_several_symmetries(target, symmetry)
    mirrors = ([], []) if any(several) else find_mirrors(source, target, tick, symmetry)
    search, final = (
        MeshPair(with_weighted_features(source, weight), with_weighted_features(target, weight), hints, tick, settings)
        for weight in weights
    )
    (best, source_mirror), *rest = _best_candidates(search, mirrors)
    other = best
    if source_mirror is not None:
        best, other = _choose_sides(best, with_other_sides(search, best, source_mirror), pair_points, settings)
    to_target = refined(final, best.maps, best.sides).maps[1]
    is_guess = best.mirrored is not None and best.orientation - best.mirrored < settings.clear
    return Alignment(
        to_target,
        refined(final, other.maps, other.sides).maps[1] if guidance.flip else to_target,
        best.orientation,
        best.mirrored,
        several,
        is_guess or any(several),
        hints,
        tuple(one.maps[1] for one, _ in rest if one.orientation > MOSTLY_KEPT),
    )


def pair_hints(
    meshes: tuple[SpectralMesh, SpectralMesh],
    prolong: tuple[sparse.csr_array, sparse.csr_array],
    guidance: Guidance,
    settings: AlignmentSettings = AlignmentSettings(),
) -> PairOfFloats:
    """Return how near the user's point pairs are, (P, D) and (Q, D), for the points of both meshes; for the rest
    :func:`align`."""
    source, target = (
        _nearness(mesh, _nearest_points(carry, vertices), settings)
        for mesh, carry, vertices in zip(meshes, prolong, guidance.pairs.T, strict=True)
    )
    return source, target


def _ticker(report: ProgressCallback) -> Callable[[], None]:
    """Return what is called in every round: it reports a share that approaches 1, as nobody knows the number."""
    rounds = itertools.count(1)
    return lambda: report("Telling left from right", 1 - 0.98 ** next(rounds))


def _best_candidates(
    pair: MeshPair, mirrors: tuple[list[Mirror], list[Mirror]]
) -> list[tuple[Candidate, Mirror | None]]:
    """Return the best maps first, and the mirror map of the source with which they were found, None if there is none;
    and those found with other mirror maps, if they have not many more faults.

    Args:
        pair: the two meshes.
        mirrors: the mirror maps that source and target may have, best first.
    """
    settings = pair.settings
    starts = []
    numbers = sorted(itertools.product(range(len(mirrors[0])), range(len(mirrors[1]))), key=sum)
    for source_number, target_number in numbers[: settings.mirror_pairs]:
        both = mirrors[0][source_number], mirrors[1][target_number]
        make_maps = maps_by_side(pair, both)
        candidates = [make_maps(side) for side in (both[1].side, -both[1].side)]
        starts.append((sorted(candidates, key=attrgetter("faults")), make_maps, both))
    if not starts:
        return [(refined(pair, None, pair.without_sides()), None)]
    starts.sort(key=lambda start: start[0][0].faults)
    results: list[tuple[Candidate, Mirror | None]] = [
        (repaired(pair, candidates, make_maps, both[1]), both[0])
        for candidates, make_maps, both in starts[: settings.repaired]
    ]
    fewest = min(candidate.faults for candidate, _ in results)
    equally_good = [result for result in results if result[0].faults <= settings.as_good * fewest]
    best = min(equally_good, key=lambda result: result[0].feature_distance)
    return [best, *(one for one in results if one is not best and one[0].faults <= settings.nearly_as_good * fewest)]


def _choose_sides(
    candidate: Candidate, other: Candidate, points: tuple[Integers, Integers], settings: AlignmentSettings
) -> tuple[Candidate, Candidate]:
    """Return the candidate with the right choice of sides, and the other one.

    The user's point pairs tell which is right, or else the share of triangles that keep their orientation, or if that
    leaves it open the features, which differ a little between the sides.

    Args:
        candidate, other: the same maps with either choice of sides.
        points: the user's point pairs, points (N,) of both meshes.
        settings: of the alignment.
    """
    agreement = float((candidate.sides[0][points[0]] * candidate.sides[1][points[1]]).sum())
    if abs(agreement) > settings.side_weight**2 / 2:
        is_right = agreement > 0
    elif abs(candidate.orientation - other.orientation) >= settings.clear:
        is_right = candidate.orientation > other.orientation
    else:
        is_right = candidate.feature_distance <= other.feature_distance
    chosen, rejected = (candidate, other) if is_right else (other, candidate)
    return replace(chosen, mirrored=rejected.orientation), replace(rejected, mirrored=chosen.orientation)


def _nearest_points(prolong: sparse.csr_array, vertices: Integers) -> Integers:
    """Return the point of the coarser mesh from which each of the surface's vertices (N,) takes most."""
    return np.asarray(prolong[vertices].argmax(axis=1)).ravel().astype(np.int64)


def _nearness(mesh: SpectralMesh, points: Integers, settings: AlignmentSettings) -> Floats:
    """Return how near each point is to some points along the surface, at several scales: (P, N x scales)."""
    if len(points) == 0:
        return np.empty((len(mesh.points), 0))
    start, end = mesh.links.T
    lengths = np.linalg.norm(mesh.points[start] - mesh.points[end], axis=1) + 1e-9
    graph = sparse.csr_array((lengths, (start, end)), shape=(len(mesh.points),) * 2)
    distances = csgraph.dijkstra(graph, directed=False, indices=points).T
    return settings.pair_weight * np.hstack(
        [np.exp(-((distances / reach) ** 2) / 2) for reach in settings.pair_reaches]
    )
