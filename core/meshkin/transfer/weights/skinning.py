"""Skinning weights carried through a map, and inpainted where the map cannot be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.adjacency import LooseParts, connected_components, loose_parts
from ...geometry.arrays import AnyFloats, AnyIntegers, Flags
from ...geometry.filling import Filled, inpaint_weights
from ...geometry.joining import joined_mesh, on_cut_pieces
from ...geometry.mesh import bounding_diagonal, edges
from ...geometry.smoothing import smooth_along_edges
from ...geometry.welding import weld
from ..certainty import certainty
from ..trust import TrustSettings, reachable_confidence, trusted_vertices
from .held_parts import HeldPartSettings, keep_held_parts_rigid
from .interpolation import interpolate_weights, limit_influences, mean_weights, normalize_weights
from .options import WeightOptions


@dataclass(frozen=True)
class SkinningSettings:
    """How weights are carried through a map.

    All values are chosen. They were kept because the pairs of tests/benchmarks/weights.py came out best with them
    together (results/weights.txt); what each of them does alone was not recorded. "Diagonals" are those of the
    character's bounding box.

    Attributes:
        trust: when a vertex of the map is trusted.
        lost_part: a loose part of whose vertices a smaller share than this is trusted takes the weights of what it
            lies on.
        largest_lost_part: greatest extent of such a part, in diagonals.
        anchors: of the vertices that one bone rules in the map, at least this share takes its weights from the map,
            the most confident first.
        growth: inpainting from a bone's anchors may enlarge the number of vertices that it rules by this factor.
        near_steps: two bones are near each other if this many steps or fewer lead from one to the other, over bones
            that share vertices.
        near_edges: they are near, too, if the way over the centers of such bones is no longer than this, in lengths of
            the edge between their vertices.
        shared: weight from which a bone shares a vertex with others.
        small_part: greatest extent of a part that is kept rigid if one bone rules it (an eye, a tooth, a button), in
            diagonals.
        tiny_part: greatest extent of a part that is kept rigid in any case, in diagonals.
        ruling_share: share of a part's weights from which one bone rules it.
        bending_share: a small part of the source bends if one bone rules at most this share of its vertices (a finger
            that is a shell of its own); what corresponds to it is not kept rigid.
        rigid_share: a part of the source is rigid if one bone has at least this share of its weights (a helmet, a head
            that is a shell of its own).
        corresponding_share: a part is kept rigid if at least this share of its vertices is trusted and leads to rigid
            parts that one bone moves. Measured on 33 pairs of characters: the error of weights falls by 4 to 11 % on
            three of characters built of shells, and rises on none; 0.5 and 0.9 do the same.
        held: what counts as held by the target.
    """

    trust: TrustSettings = field(default_factory=TrustSettings)
    lost_part: float = 0.4
    largest_lost_part: float = 0.5
    anchors: float = 0.5
    growth: float = 2.0
    near_steps: int = 2
    near_edges: float = 2.0
    shared: float = 0.05
    small_part: float = 0.08
    tiny_part: float = 0.03
    ruling_share: float = 2 / 3
    bending_share: float = 0.98
    rigid_share: float = 0.98
    corresponding_share: float = 0.75
    held: HeldPartSettings = field(default_factory=HeldPartSettings)


@dataclass(frozen=True)
class MappedWeights:
    """Skinning weights on the target.

    Attributes:
        weights: float32 (V, B), non-negative, rows sum to 1 (within 1e-6), at most ``limit`` values above zero in each.
        inpainted: bool (V,), where they were not taken from the map but continued from the vertices around.
        unsolved: bool (V,), those of the inpainted for which inpainting could not be solved, so that they took the
            weights of the nearest vertex instead.
    """

    weights: NDArray[np.float32]
    inpainted: Flags
    unsolved: Flags


def weights_through_map(
    weights: AnyFloats,
    source: Snapshot,
    target: Snapshot,
    to_source: SurfaceMap,
    garment: bool = False,
    options: WeightOptions = WeightOptions(),
    settings: SkinningSettings = SkinningSettings(),
) -> MappedWeights:
    """Carry the source's skinning weights to the target through their map.

    Where the map can be trusted weights are interpolated barycentrically; over the rest they are inpainted. A small
    loose part (an eye, a tooth, a button) follows one bone, if one rules it. Smoothing, the influence limit and
    normalization come last. Where no vertex can be trusted, the map is followed as it is.

    Between two bodies, each bone also keeps anchors: the more confident half of the vertices that it rules in the
    map. Otherwise a bone that the map is nowhere sure of would be painted over by its neighbors and move nothing.

    All this is done on the target's surface as it shows (:func:`meshkin.geometry.joining.joined_mesh`): both sides of
    cloth, and borders a hair apart, get the same weights. Where the target is a copy of the source, the map is certain
    and its weights are taken as they are.

    Args:
        weights: (U, B), one row for each source vertex, one column for each vertex group.
        source, target: the two shapes.
        to_source: every target vertex's point on the source.
        garment: whether the target lies on the source, and ``to_source`` comes from
            :func:`meshkin.transfer.weights.garment_map.map_garment`.
        options: of these the influence limit, the smoothing and the least confidence are read.
        settings: what is tuned.

    Raises:
        InputError: ``weights-size`` (not one row for each source vertex), ``weights-limit`` (limit below 1),
            ``no-weights`` (every weight is zero or not a number).
    """
    joined = joined_mesh(target, None if garment else _source_parts(source, to_source, options.threshold))
    certain = certainty(to_source, source, target).vertices
    rows = interpolate_weights(weights, source.faces, to_source)
    _check_input(np.asarray(rows.any(axis=1)), source, options.limit)
    chosen = joined.chosen(to_source.confidence + certain)
    filled, known = _weights_on(
        weights, source, joined.shape, to_source.at(chosen), certain[chosen], garment, options, settings
    )
    certain &= rows.any(axis=1)
    mapped = np.where(certain[:, None], rows, filled.values[joined.place])
    smoothed = smooth_along_edges(mapped, target.vertices, target.faces, options.smoothing)
    inpainted, unsolved = (flags[joined.place] & ~certain for flags in (~known, filled.unsolved))
    return MappedWeights(limit_influences(smoothed, options.limit), inpainted, unsolved)


def _weights_on(  # all that a transfer is given, once more
    weights: AnyFloats,
    source: Snapshot,
    target: Snapshot,
    to_source: SurfaceMap,
    certain: Flags,
    garment: bool,
    options: WeightOptions,
    settings: SkinningSettings,
) -> tuple[Filled, Flags]:
    """Weights on a target whose vertices at one place are one, not yet limited; and which of them (V,) are the map's.

    ``certain`` (V,) are vertices whose weights are those that the map leads to; the other arguments are those of
    :func:`weights_through_map`.
    """
    rows = interpolate_weights(weights, source.faces, to_source)
    weighted: Flags = np.asarray(rows.any(axis=1))
    certain = certain & weighted
    parts = loose_parts(target.vertices, target.faces)
    diagonal = bounding_diagonal(source.vertices if garment else target.vertices)
    meshes = (source.vertices, source.faces), (target.vertices, target.faces)
    confidence = reachable_confidence(to_source, options.threshold)
    known = weighted & trusted_vertices(to_source, *meshes, confidence, not garment, not garment, settings.trust)
    known |= certain
    anchors = np.zeros_like(known)
    if not garment:
        anchors = weighted & ~known & _anchors(rows, known, to_source.confidence, settings.anchors)
        known = certain | _without_lost_parts(known, anchors, parts, diagonal, settings)
    if not known.any():
        known = weighted
    filled = _inpaint_from_anchors(rows, known, anchors, target, settings.growth)
    if not garment and (misplaced := ~certain & _misplaced(filled.values, weights, source, target, settings)).any():
        unknown_part = (np.bincount(parts.of_vertex, known) == 0)[parts.of_vertex]
        known = known & ~misplaced
        filled = _inpaint_again(filled, known | unknown_part & ~misplaced, target)
    bending = _on_bending_parts(weights, source, to_source, settings) | on_cut_pieces(target.vertices, target.faces)
    values = _keep_small_parts_rigid(filled.values, parts, diagonal, settings, bending)
    if not garment:
        values = _keep_rigid_parts(values, parts, (weights, source), to_source.vertex, known, settings)
        values = keep_held_parts_rigid(values, parts, target, source, to_source, settings.held)
    return replace(filled, values=values), known


def _source_parts(source: Snapshot, to_source: SurfaceMap, least: float) -> AnyIntegers:
    """The number of the source's loose part that each target vertex corresponds to, int (V,), -1 where it is doubtful.

    Shells of the source that meet at a joint have weights of their own there, and so have those of the target.
    """
    part = loose_parts(source.vertices, source.faces).of_vertex[to_source.vertex]
    return np.where(to_source.confidence >= reachable_confidence(to_source, least), part, -1)


def _check_input(weighted: Flags, source: Snapshot, limit: int) -> None:
    """Raise InputError ``no-weights`` if no vertex of the target (V,) has a weight, ``weights-limit`` below 1."""
    if not weighted.any():
        raise InputError(
            "no-weights",
            f"The chosen groups of “{source.name}” hold no weights.",
            "Choose other groups, or paint them.",
        )
    if limit < 1:
        raise InputError("weights-limit", f"A vertex cannot have {limit} weights.", "Choose a limit of 1 or more.")


def finish_weights(
    rows: AnyFloats,
    target: Snapshot,
    options: WeightOptions = WeightOptions(),
    settings: SkinningSettings = SkinningSettings(),
) -> NDArray[np.float32]:
    """Weights (V, B) from elsewhere, finished as by :func:`weights_through_map`: float32 (V, B).

    Small loose parts are kept rigid, then come smoothing, the influence limit and normalization.
    """
    parts = loose_parts(target.vertices, target.faces)
    rows = _keep_small_parts_rigid(rows, parts, bounding_diagonal(target.vertices), settings)
    return limit_influences(smooth_along_edges(rows, target.vertices, target.faces, options.smoothing), options.limit)


def _anchors(rows: AnyFloats, known: Flags, confidence: NDArray[np.floating], least_share: float) -> Flags:
    """The most confident vertices of the bones that are known on less than a share of what they rule, bool (V,)."""
    bone = rows.argmax(axis=1)
    count = np.bincount(bone, minlength=rows.shape[1])
    order = np.lexsort((-confidence, bone))
    rank = np.empty(len(bone), np.int64)  # of each vertex among those of its bone, by confidence
    rank[order] = np.arange(len(bone)) - np.repeat(np.cumsum(count) - count, count)
    known_share = np.bincount(bone, known, rows.shape[1]) / np.maximum(count, 1)
    anchors: Flags = (known_share[bone] < least_share) & (rank < np.ceil(least_share * count[bone]))
    return anchors


def _without_lost_parts(
    trusted: Flags, anchors: Flags, parts: LooseParts, diagonal: float, settings: SkinningSettings
) -> Flags:
    """The trusted vertices and the anchors, without those of loose parts that are hardly trusted, bool (V,).

    Such a part (armor, hair) is probably one that the source does not have: it is to follow what it lies on.
    """
    part = parts.of_vertex
    hardly = np.bincount(part, trusted) < settings.lost_part * np.bincount(part)
    lost = (hardly & (parts.diagonals < settings.largest_lost_part * diagonal))[part]
    known = trusted | anchors
    return known & ~lost if known[~lost].any() else known


def _inpaint_from_anchors(rows: AnyFloats, known: Flags, anchors: Flags, target: Snapshot, growth: float) -> Filled:
    """Weights (V, B) inpainted from the known rows, but not from anchors whose bone would become far too large.

    A few anchors of a small bone may be all that is known in a hollow: an eye would rule its whole socket.
    """
    filled = inpaint_weights(rows, known, target.vertices, target.faces)
    filled_bone, map_bone = filled.values.argmax(axis=1), rows.argmax(axis=1)
    filled_count, map_count = (np.bincount(bone, minlength=rows.shape[1]) for bone in (filled_bone, map_bone))
    too_large = filled_count > growth * map_count
    fewer = known & ~(anchors & too_large[map_bone])
    if fewer.any() and (fewer != known).any():
        grown = too_large[filled_bone] & (filled_bone != map_bone) & ~known
        refilled = inpaint_weights(rows, fewer, target.vertices, target.faces)
        filled.values[grown], filled.unsolved[grown] = refilled.values[grown], refilled.unsolved[grown]
    return filled


def _inpaint_again(filled: Filled, known: Flags, target: Snapshot) -> Filled:
    """Inpainted weights with those that are not ``known`` (V,) inpainted from the others."""
    refilled = inpaint_weights(filled.values, known, target.vertices, target.faces)
    return Filled(refilled.values, refilled.unsolved | filled.unsolved & known)


def _misplaced(
    rows: AnyFloats, weights: AnyFloats, source: Snapshot, target: Snapshot, settings: SkinningSettings
) -> Flags:
    """The vertices ruled by a bone that cannot be where they are, bool (V,).

    The source tells which bones are near each other. Target vertices joined by an edge belong to one region if their
    ruling bones are near each other; all regions of a loose part but the largest are misplaced. So a bump that the map
    takes for a finger is not weighted to one in the middle of a head.

    Args:
        rows: (V, B), the target's weights so far.
        weights: (U, B), the source's.
        source, target: the two shapes.
        settings: which bones are near.
    """
    steps, distances = _ways_between_bones(weights, source, settings.shared)
    first, place = weld(target.vertices)
    pairs = edges(place[target.faces])
    bones = tuple(rows.argmax(axis=1)[first][pairs].T)
    scale = bounding_diagonal(source.vertices) / max(bounding_diagonal(target.vertices), 1e-30)
    points = target.vertices[first] * scale
    lengths = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    # Bones of rigid parts share no vertices with others: no way leads to them, and they may be anywhere.
    near = (steps[bones] <= settings.near_steps) | np.isinf(steps[bones])
    near |= distances[bones] <= settings.near_edges * lengths
    part, region = connected_components(pairs, len(first)), connected_components(pairs[near], len(first))
    size = np.bincount(region)[region]
    largest = np.zeros(part.max(initial=0) + 1, np.int64)
    np.maximum.at(largest, part, size)
    return np.asarray((size < largest[part])[place])


def _ways_between_bones(
    weights: AnyFloats, source: Snapshot, shared: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many steps lead from each bone to each other, and how far it is: float64 (B, B) each, inf where no way does.

    A step leads between two bones that share vertices; its length is the distance of their vertices' weighted means.
    """
    normalized = normalize_weights(weights)
    sharing = sparse.csr_array((normalized > shared).astype(np.float64))
    neighbors = sparse.csr_array(sharing.T @ sharing)
    center = (normalized.T @ source.vertices) / np.maximum(normalized.sum(axis=0), 1e-30)[:, None]
    bone, neighbor = neighbors.nonzero()
    lengths = np.linalg.norm(center[bone] - center[neighbor], axis=1) + 1e-30  # a stored zero would mean "no way"
    ways = sparse.csr_array((lengths, (bone, neighbor)), shape=neighbors.shape)
    return csgraph.shortest_path(neighbors, unweighted=True), csgraph.shortest_path(ways)


def _on_bending_parts(weights: AnyFloats, source: Snapshot, to_source: SurfaceMap, settings: SkinningSettings) -> Flags:
    """The vertices (V,) that correspond to small loose parts of the source that several bones bend."""
    parts = loose_parts(source.vertices, source.faces)
    small = parts.diagonals <= settings.small_part * bounding_diagonal(source.vertices)
    bone, count = weights.argmax(axis=1), weights.shape[1]
    ruled = np.bincount(parts.of_vertex * count + bone, minlength=len(small) * count).reshape(-1, count)
    bends = small & (ruled.max(axis=1, initial=0) <= settings.bending_share * ruled.sum(axis=1))
    return np.asarray(bends[parts.of_vertex[to_source.vertex]])


def _keep_small_parts_rigid(
    rows: AnyFloats, parts: LooseParts, diagonal: float, settings: SkinningSettings, bending: Flags | None = None
) -> AnyFloats:
    """The weights (V, B) with small loose parts made to follow one bone, if one rules them, or else, if they are tiny,
    given the same weights all over; but for those of which most is ``bending`` (V,)."""
    small = (parts.diagonals <= settings.small_part * diagonal) & (parts.diagonals > 0)
    if bending is not None:
        small &= 2 * np.bincount(parts.of_vertex, bending) <= np.bincount(parts.of_vertex)
    vertices = np.flatnonzero(small[parts.of_vertex])
    if not len(vertices):
        return rows
    number = np.cumsum(small) - 1  # of each small part among the small parts
    mean = mean_weights(rows[vertices], number[parts.of_vertex[vertices]], int(small.sum()))
    ruled = mean.max(axis=1, initial=0) >= settings.ruling_share
    mean[ruled] = np.eye(rows.shape[1])[mean[ruled].argmax(axis=1)]
    rigid = ruled | (parts.diagonals[small] <= settings.tiny_part * diagonal)
    vertices = vertices[rigid[number[parts.of_vertex[vertices]]]]
    result = rows.copy()
    result[vertices] = mean[number[parts.of_vertex[vertices]]]
    return result


def _keep_rigid_parts(
    rows: AnyFloats,
    parts: LooseParts,
    weighted: tuple[AnyFloats, Snapshot],
    partner: AnyIntegers,
    known: Flags,
    settings: SkinningSettings,
) -> AnyFloats:
    """The weights (V, B) with loose parts made to follow one bone that correspond to such parts of the source.

    Args:
        rows: (V, B), the target's weights so far.
        parts: its loose parts.
        weighted: the source's weights (U, B), and the source.
        partner: (V,), the source vertex that each vertex leads to.
        known: bool (V,), where that is trusted.
        settings: what is tuned.
    """
    weights, source = weighted
    own = loose_parts(source.vertices, source.faces)
    mean = mean_weights(normalize_weights(weights), own.of_vertex, len(own.diagonals))
    bone = np.where(mean.max(axis=1, initial=0) >= settings.rigid_share, mean.argmax(axis=1), -1)[
        own.of_vertex[partner]
    ]
    leads = np.flatnonzero(known & (bone >= 0))
    votes = sparse.csr_array(
        (np.ones(len(leads)), (parts.of_vertex[leads], bone[leads])), shape=(len(parts.diagonals), rows.shape[1])
    ).toarray()
    kept = votes.max(axis=1, initial=0) >= settings.corresponding_share * np.bincount(parts.of_vertex)
    return np.where(kept[parts.of_vertex][:, None], np.eye(rows.shape[1])[votes.argmax(axis=1)][parts.of_vertex], rows)
