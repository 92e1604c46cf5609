"""Repair of maps: what is turned over, or cut off by a tear, is tried on the other side or straight across the body."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from ..geometry.arrays import Flags, Floats, Integers
from ..spectral.eigenbasis import SpectralMesh
from ..spectral.functional_map import PointMaps, coefficients
from ..spectral.similarity import torn_links, triangle_orientations
from ..symmetry.candidate_maps import Candidate, MapsBySide, MeshPair, refined
from ..symmetry.mirrors import Mirror, rough_of


def repaired(
    pair: MeshPair, candidates: Sequence[Candidate], make_maps: MapsBySide, target_mirror: Mirror
) -> Candidate:
    """Return the best of some candidates, with parts of the target moved while that leaves fewer faults.

    Parts that the map turns over are tried on the other side and straight across the body, parts that it tears off on
    the other side. The other candidates may become the best if they are taken across the body as a whole.

    Args:
        pair: the two meshes.
        candidates: best first.
        make_maps: of :func:`meshkin.symmetry.candidate_maps.maps_by_side`.
        target_mirror: the target's mirror map.
    """
    best, *others = candidates
    for _ in range(pair.settings.repair_rounds):
        side = best.sides[1][:, 0] / pair.settings.side_weight
        starts, others = [best, *others], []
        trials = [refined(pair, _across(pair, start.maps), start.sides) for start in starts]
        for part in (*_turned_over(pair, target_mirror, best), _torn_off(pair, best)):
            if part.mean() > pair.settings.least_part:
                trials.append(make_maps(np.where(part, -side, side)))
        trial = min(trials, key=attrgetter("faults"))
        if trial.faults >= best.faults:
            break
        best = trial
    return best


def _across(pair: MeshPair, maps: PointMaps) -> PointMaps:
    """Return the maps with the answers of what is turned over taken straight through the body.

    Front and back of a trunk may be exchanged. Maps that ignore the sides cannot tell this by the orientation of
    triangles.
    """

    def repaired_map(domain: SpectralMesh, image: SpectralMesh, to_image: Integers) -> Integers:
        basis = domain.eigenfunctions[:, : pair.settings.part_functions]
        kept = basis @ coefficients(basis, domain.mass, _kept_orientation(domain, image, to_image))
        return np.where(kept < 0, image.opposite[to_image], to_image)

    source, target = pair.rough
    return repaired_map(target, source, maps[0]), repaired_map(source, target, maps[1])


def _turned_over(pair: MeshPair, mirror: Mirror, candidate: Candidate) -> list[Flags]:
    """Return the largest connected pieces of the target that the map turns over, with their mirror twins: (Q,) each."""
    source, target = pair.rough
    basis = mirror.symmetric[:, : pair.settings.part_functions]
    kept = _kept_orientation(target, source, candidate.maps[0])
    is_over = basis @ coefficients(basis[target.vertex], target.mass, kept) < 0
    twins = np.stack((np.arange(len(mirror.twin)), mirror.twin), axis=1)
    links = np.concatenate((target.links, twins))
    piece = _pieces(pair.target, links[is_over[target.vertex][links].all(axis=1)])
    largest = np.argsort(-np.bincount(piece[is_over], minlength=1), kind="stable")[: pair.settings.pieces]
    return [is_over & (piece == number) for number in largest]


def _torn_off(pair: MeshPair, candidate: Candidate) -> Flags:
    """Return what tears of the map separate from the largest part of the target, (Q,)."""
    source, target = pair.rough
    piece = _pieces(pair.target, target.links[~torn_links(source, candidate.maps[0], target.links)])
    largest = np.bincount(piece, weights=pair.target.mass).argmax()
    return np.asarray(piece != largest)


def _kept_orientation(domain: SpectralMesh, image: SpectralMesh, to_image: Integers) -> Floats:
    """Return how far the triangles around each point keep their orientation under a map (P,), summed: (P,)."""
    signs = triangle_orientations(domain, image, to_image)
    total = np.bincount(np.ravel(domain.faces), weights=np.repeat(signs, 3), minlength=len(domain.points))
    return np.asarray(total, np.float64)


def _pieces(mesh: SpectralMesh, links: NDArray[np.integer]) -> Integers:
    """Return the number of the piece that each point lies in, (P,); links (E, 2) of the rough mesh join the pieces."""
    rough = rough_of(mesh)
    graph = sparse.coo_array((np.ones(len(links)), tuple(links.T)), shape=(len(rough.points),) * 2)
    piece = csgraph.connected_components(graph, directed=False)[1]
    return np.asarray(piece[cKDTree(rough.points).query(mesh.points)[1]], np.int64)
