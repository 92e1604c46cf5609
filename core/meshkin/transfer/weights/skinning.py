"""Skin weights, carried from one surface to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.adjacency import loose_parts
from ...geometry.filling import Filled, inpaint_weights
from ...geometry.mesh import edges
from ...geometry.smoothing import smooth_along_edges
from ...geometry.welding import weld
from .trust import trusted

BLOCK = 1 << 22
"""Most interpolated weights held at a time."""
LEAST = 0.4
"""Confidence below which a map is not relied on, unless that is more than half of it."""
TURNED = -0.3
"""Agreement of orientation below which a map between two bodies is not relied on."""
SURE = 0.4
"""A loose part of which a smaller share is relied on takes the weights of what it lies on."""
LOOSE = 0.5
"""Extent of a part that may be loose, in diagonals of the character's bounding box."""
ANCHORS = 0.5
"""Least share of the vertices that one bone rules which is taken from the map, the most confident first."""
GROWTH = 2.0
"""A bone may rule up to this many times the vertices that the map gives it, once the rest is inpainted."""
STEPS = 2
"""Steps from bone to bone, of those that share vertices, up to which the next bone over an edge is near."""
LEAP = 2.0
"""Way from bone to bone, by the middles of what they move, up to which it is near too, in lengths of the edge."""
SHARED = 0.05
"""Weight from which a vertex counts as shared."""
SMALL = 0.08
"""Extent of a small part (an eye, a tooth, a button), in diagonals of the character's bounding box."""
TINY = 0.03
"""Extent up to which a small part without one ruling bone is kept rigid too, by equal weights."""
RULE = 2 / 3
"""Share of its weights from which one bone rules a small part."""


@dataclass(frozen=True)
class Carried:
    """Weights on the target.

    Attributes:
        weights: float32 (V, B), non-negative, rows sum to 1 (within 1e-6), at most ``limit`` values above zero in each.
        inpainted: bool (V,), where they do not come from the map but from the vertices around.
        unsolved: bool (V,), where inpainting could not be solved (the system of equations is numerically singular), and
            the weights are those of the nearest vertex in space that the map or inpainting gave some.
    """

    weights: NDArray[np.float32]
    inpainted: NDArray[np.bool_]
    unsolved: NDArray[np.bool_]


def transfer_weights(
    weights: NDArray[np.floating],
    source: Snapshot,
    target: Snapshot,
    to_source: SurfaceMap,
    *,
    worn: bool = False,
    limit: int = 4,
    smoothing: int = 0,
    threshold: float = LEAST,
) -> Carried:
    """Carry vertex weights of the source to the target.

    Where the map can be relied on (:func:`meshkin.transfer.weights.trust.trusted`) weights are interpolated
    barycentrically; over the rest they are continued (:func:`meshkin.geometry.filling.inpaint_weights`). A small loose
    part (an eye, a tooth, a button) follows one bone, if one rules it. Then smoothing, the limit, and normalizing.
    Where nothing can be relied on, the map is followed as it is; and so it is, between bodies, at the more confident
    half of each bone's own vertices, from which nothing is continued if they would make the bone far larger.

    Args:
        weights: (U, B), one row for each source vertex, one column for each bone or group.
        source, target: the two shapes.
        to_source: every target vertex's point on the source.
        worn: whether ``to_source`` is a map of nearness (:func:`meshkin.transfer.weights.garments.closest`).
        limit: most groups that a vertex may be weighted to, 1 or more.
        smoothing: how often every row is averaged with its neighbors'.
        threshold: least confidence; where fewer than half of the vertices have it, the median stands in.

    Raises:
        InputError: ``weights-size`` (not one row for each source vertex), ``weights-limit``, ``no-weights`` (every
            weight is zero or not a number).
    """
    rows = interpolate(weights, source.faces, to_source)
    weighted: NDArray[np.bool_] = np.asarray(rows.any(axis=1))
    if not weighted.any():
        raise InputError(
            "no-weights",
            f"The chosen groups of “{source.name}” hold no weights.",
            "Choose other groups, or paint them.",
        )
    if limit < 1:
        raise InputError("weights-limit", f"A vertex cannot have {limit} weights.", "Choose a limit of 1 or more.")
    shapes = (source.vertices, source.faces), (target.vertices, target.faces)
    least = min(threshold, float(np.median(to_source.confidence)))
    known = trusted(to_source, *shapes, least, None if worn else TURNED, not worn) & weighted
    anchors = np.zeros_like(known)
    size = extent(source.vertices if worn else target.vertices)
    part, extents = loose_parts(target.vertices, target.faces)
    if not worn:
        # A loose part that the map is not sure of (armor, hair: the source has none) follows what it lies on.
        lost = (np.bincount(part, known) < SURE * np.bincount(part)) & (extents < LOOSE * size)
        anchors = weighted & ~known & _anchors(rows, known, to_source.confidence)
        known |= anchors
        if known[~lost[part]].any():
            known &= ~lost[part]
    if not known.any():
        known = weighted
    filled = _continued(rows, known, anchors, target)
    rows, unsolved = filled.values, filled.unsolved
    if not worn and (misplaced := _misplaced(rows, weights, source, target)).any():
        alone = (np.bincount(part, known) == 0)[part]
        known = known & ~misplaced
        kept = known | alone & ~misplaced
        filled = inpaint_weights(rows, kept, target.vertices, target.faces)
        rows, unsolved = filled.values, filled.unsolved | (unsolved & kept)
    rows = smooth_along_edges(_rigid(rows, part, extents, size), target.vertices, target.faces, smoothing)
    return Carried(_finished(rows, limit), ~known, unsolved)


def finish_weights(
    rows: NDArray[np.floating], target: Snapshot, limit: int = 4, smoothing: int = 0
) -> NDArray[np.float32]:
    """What :func:`transfer_weights` does at the end, to weights (V, B) from elsewhere."""
    part, extents = loose_parts(target.vertices, target.faces)
    rows = _rigid(rows, part, extents, extent(target.vertices))
    return _finished(smooth_along_edges(rows, target.vertices, target.faces, smoothing), limit)


def _anchors(
    rows: NDArray[np.floating], known: NDArray[np.bool_], confidence: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """The most confident vertices of every bone's own region that is hardly known, (V,).

    Otherwise a bone that the map is nowhere sure of would be painted over by its neighbors, and move nothing.
    """
    bone = rows.argmax(axis=1)
    count = np.bincount(bone, minlength=rows.shape[1])
    order = np.lexsort((-confidence, bone))
    rank = np.empty(len(bone), np.int64)
    rank[order] = np.arange(len(bone)) - np.repeat(np.cumsum(count) - count, count)
    share = np.bincount(bone, known, rows.shape[1]) / np.maximum(count, 1)
    anchors: NDArray[np.bool_] = (share[bone] < ANCHORS) & (rank < np.ceil(ANCHORS * count[bone]))
    return anchors


def _continued(
    rows: NDArray[np.floating], known: NDArray[np.bool_], anchors: NDArray[np.bool_], target: Snapshot
) -> Filled:
    """Weights (V, B) inpainted from the known rows, but not from the anchors among them (V,) of bones that would
    become far larger than in the map by it.

    Few anchors of a small bone may be all that is known in a hollow: an eye would rule its whole socket.
    """
    filled = inpaint_weights(rows, known, target.vertices, target.faces)
    bone, own = filled.values.argmax(axis=1), rows.argmax(axis=1)
    after, before = (np.bincount(ruling, minlength=rows.shape[1]) for ruling in (bone, own))
    larger = after > GROWTH * before
    fewer = known & ~(anchors & larger[own])
    if fewer.any() and (fewer != known).any():
        grown = larger[bone] & (bone != own) & ~known
        from_fewer = inpaint_weights(rows, fewer, target.vertices, target.faces)
        for array, new in ((filled.values, from_fewer.values), (filled.unsolved, from_fewer.unsolved)):
            array[grown] = new[grown]
    return filled


def _misplaced(
    rows: NDArray[np.floating], weights: NDArray[np.floating], source: Snapshot, target: Snapshot
) -> NDArray[np.bool_]:
    """The vertices (V,) from which no way leads to most of their loose part along which each ruling bone is near the
    next on the source: by few steps, or where meshes are coarse or bones short, by no longer a way than the edge here.

    Ears that the source has not may look like fingers to the map; but fingers are not found on heads.
    """
    sound = normalized(weights)
    share = sparse.csr_array((sound > SHARED).astype(np.float64))
    beside = sparse.csr_array(share.T @ share)
    middle = (sound.T @ source.vertices) / np.maximum(sound.sum(axis=0), 1e-30)[:, None]
    one, two = beside.nonzero()
    between = np.linalg.norm(middle[one] - middle[two], axis=1) + 1e-30
    ways = sparse.csr_array((between, (one, two)), shape=beside.shape)
    first, place = weld(target.vertices)
    pairs = edges(place[target.faces])
    bones = tuple(rows.argmax(axis=1)[first][pairs].T)
    points = target.vertices[first] * (extent(source.vertices) / max(extent(target.vertices), 1e-30))
    lengths = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    steps = csgraph.shortest_path(beside, unweighted=True)[bones]
    # Bones of rigid parts share nothing, and are found anywhere.
    near = (steps <= STEPS) | np.isinf(steps) | (csgraph.shortest_path(ways)[bones] <= LEAP * lengths)

    def pieces(links: NDArray[np.integer]) -> NDArray[np.int32]:
        graph = sparse.coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(len(first),) * 2)
        return np.asarray(csgraph.connected_components(graph, directed=False)[1], np.int32)

    part, region = pieces(pairs), pieces(pairs[near])
    size = np.bincount(region)[region]
    most = np.zeros(part.max(initial=0) + 1, np.int64)
    np.maximum.at(most, part, size)
    return np.asarray((size < most[part])[place])


def interpolate(
    weights: NDArray[np.floating], source_faces: NDArray[np.int32], to_source: SurfaceMap
) -> NDArray[np.float32]:
    """The source's weights at the points of a map, normalized.

    Source rows are normalized first, so that every weighted vertex counts the same; weights below zero, and what is
    not a number, count as none. A target vertex whose three source corners have no weight at all gets a row of zeros.

    Args:
        weights: (U, B).
        source_faces: int32 (F, 3), the source's triangles.
        to_source: every target vertex's point on the source.

    Returns:
        float32 (V, B), rows sum to 1 or are all zero.

    Raises:
        InputError: ``weights-size``.
    """
    weights = np.asarray(weights)
    if weights.ndim != 2 or len(weights) <= int(source_faces.max(initial=-1)):
        raise InputError(
            "weights-size", "The weights do not have a row for each vertex of the source.", "Read them again."
        )
    sound = normalized(weights)
    count, bones = len(to_source.face), weights.shape[1]
    carried = np.zeros((count, bones), np.float32)
    step = max(1, BLOCK // max(1, bones))
    for start in range(0, count, step):
        part = slice(start, start + step)
        corners = sound[source_faces[to_source.face[part]]]
        rows = np.einsum("vk,vkb->vb", to_source.barycentric[part].astype(np.float64), corners)
        carried[part] = _normalized(rows)
    return carried


def normalized(weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows that sum to 1, or are all zero; what is below zero or not a number counts as none."""
    return _normalized(np.where(np.isfinite(weights) & (weights > 0), weights, 0).astype(np.float64))


def _finished(rows: NDArray[np.floating], limit: int) -> NDArray[np.float32]:
    """At most ``limit`` weights in a row, the largest, and a sum of 1."""
    finished = np.empty(rows.shape, np.float32)
    step = max(1, BLOCK // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        finished[part] = _normalized(_largest(rows[part].astype(np.float64), limit))
    return finished


def _rigid(
    rows: NDArray[np.floating], part: NDArray[np.integer], extents: NDArray[np.float64], size: float
) -> NDArray[np.floating]:
    """Let small loose parts follow one bone, if one rules them; let tiny ones have the same weights all over."""
    small = (extents <= SMALL * size) & (extents > 0)
    here = np.flatnonzero(small[part])
    if not len(here):
        return rows
    number = np.cumsum(small) - 1
    chosen = sparse.csr_array(
        (np.ones(len(here)), (number[part[here]], np.arange(len(here)))), shape=(int(small.sum()), len(here))
    )
    mean = _normalized(np.asarray(chosen @ rows[here], np.float64))
    ruled = mean.max(axis=1, initial=0) >= RULE
    mean[ruled] = np.eye(rows.shape[1])[mean[ruled].argmax(axis=1)]
    held = ruled | (extents[small] <= TINY * size)
    here = here[held[number[part[here]]]]
    result = rows.copy()
    result[here] = mean[number[part[here]]]
    return result


def extent(vertices: NDArray[np.floating]) -> float:
    """The diagonal of the bounding box."""
    return float(np.linalg.norm(np.ptp(vertices, axis=0)))


def _normalized(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows that sum to 1; rows without a weight stay zero. Scaled by the largest first, against underflow."""
    scaled = _divided(rows, rows.max(axis=1, initial=0))
    return _divided(scaled, scaled.sum(axis=1))


def _divided(rows: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(rows, by[:, None], out=np.zeros_like(rows), where=by[:, None] > 0)


def _largest(rows: NDArray[np.float64], limit: int) -> NDArray[np.float64]:
    """Rows with all but their ``limit`` largest values set to zero."""
    if rows.shape[1] <= limit:
        return rows
    least = np.argpartition(rows, -limit, axis=1)[:, :-limit]
    np.put_along_axis(rows, least, 0, axis=1)
    return rows
