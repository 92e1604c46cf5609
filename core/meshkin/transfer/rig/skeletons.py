"""What weights say about a skeleton: bones, joints and hierarchy from the weights alone, and what a transfer lost.

Source: the extraction of DreaMo (Tu et al., WACV 2025), section 3.4: each vertex belongs to the bone with the most
weight, bones whose vertices touch are joined. How joints are placed and cycles resolved is this module's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import igl
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ...geometry.adjacency import bridges
from ...geometry.mesh import clean_faces, edges
from ...geometry.welding import weld
from .joints import into

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

FEW = 5
"""A bone needs this many vertices."""
TOUCH = 0.1
"""Least share of the shorter of two borders that two neighboring bones have in common."""
SPLIT = 0.2
"""A second patch of this share of a bone's vertices counts as a bone in two places."""
LOST = 0.1
"""A bone that keeps less than this share of its part of the surface is missing."""


@dataclass(frozen=True)
class Skeleton:
    """Bones found in weights, every parent before its children.

    Attributes:
        column: int (B,), which column of the weights each bone is.
        heads, tails: float64 (B, 3), in the shape's frame.
        parents: int (B,), -1 for the root.
    """

    column: Indices
    heads: Floats
    tails: Floats
    parents: Indices


@dataclass(frozen=True)
class Findings:
    """Columns of the weights that a transfer did not bring over well, int (N,) each.

    Attributes:
        missing: bones that rule a part of the source and (nearly) none of the target.
        split: bones in one piece on the source and in several on the target.
        crossed: bones that lie on the other side of their mirror twins.
    """

    missing: Indices
    split: Indices
    crossed: Indices


def extract(shape: Snapshot, weights: NDArray[np.floating]) -> Skeleton:
    """Build a skeleton from skin weights.

    Bones that rule too few vertices give them to the next best. Two bones are neighbors where their vertices touch
    along a good part of a border; of cycles the weakest contact is cut (maximum spanning tree). The root is the bone
    that leaves the smallest largest branch. A joint lies in the middle of the border, where both weights are most
    alike, and inside the body.

    Args:
        shape: the surface.
        weights: (V, C), non-negative.

    Raises:
        InputError: ``no-weights`` when no column rules enough vertices.
    """
    points = np.asarray(shape.vertices, np.float64)
    rule, used = _rule(weights)
    if not len(used):
        raise InputError("no-weights", f"The weights of “{shape.name}” name no bones.", "Paint weights first.")
    first, place = weld(points)
    faces = clean_faces(place[shape.faces])
    pairs = np.concatenate((edges(faces), bridges(points[first], faces)))
    pairs = first[pairs]
    number = np.full(weights.shape[1], -1)
    number[used] = np.arange(len(used))
    ends = number[rule[pairs]]
    weighted = (ends >= 0).all(axis=1)
    pairs, ends = pairs[weighted], ends[weighted]
    across = ends[:, 0] != ends[:, 1]
    contact = _contacts(ends[across], len(used))
    count = np.bincount(number[rule[number[rule] >= 0]], minlength=len(used))
    middles = (
        np.stack([np.bincount(number[rule[first]], points[first, axis], len(used)) for axis in range(3)], axis=1)
        / np.maximum(np.bincount(number[rule[first]], minlength=len(used)), 1)[:, None]
    )
    tree = _tree(contact, middles)
    root = _center(tree, count)
    order, above = csgraph.breadth_first_order(tree, root, directed=False)
    position = np.full(len(used), -1)
    position[order] = np.arange(len(order))
    parents = np.where(above[order] >= 0, position[np.maximum(above[order], 0)], -1)
    column, middles = used[order], middles[order]
    heads = middles.copy()
    for bone in range(1, len(order)):
        pair = {int(order[bone]), int(order[parents[bone]])}
        shared = np.flatnonzero(np.isin(ends, list(pair)).all(axis=1) & across)
        heads[bone] = _joint(
            points, weights, pairs[shared], column[bone], column[parents[bone]], middles, bone, parents
        )
    tails = np.empty_like(heads)
    for bone in range(len(order)):
        children = np.flatnonzero(parents == bone)
        if len(children) and (bone or len(children) < 3):
            tails[bone] = heads[children].mean(axis=0)
        else:
            tails[bone] = _tip(points[rule == column[bone]], heads[bone], middles[bone])
    heads, tails = _within(shape, heads), tails
    size = float(np.linalg.norm(np.ptp(points, axis=0)))
    short = np.linalg.norm(tails - heads, axis=1) < 1e-3 * size
    tails[short] = heads[short] + (0, 0, 0.02 * size)
    return Skeleton(column.astype(np.int64), heads, tails, parents.astype(np.int64))


def examine(
    source: Snapshot,
    source_weights: NDArray[np.floating],
    target: Snapshot,
    target_weights: NDArray[np.floating],
    mirror: Indices,
) -> Findings:
    """Look for what a transfer of weights lost.

    Args:
        source, target: the two shapes.
        source_weights, target_weights: (U, C) and (V, C).
        mirror: int (C,), the column of the other side, -1 for none.
    """
    before, after = (np.asarray(rows).argmax(axis=1) for rows in (source_weights, target_weights))
    bones = source_weights.shape[1]
    shares = []
    for shape, rows, rule in ((source, source_weights, before), (target, target_weights, after)):
        weighted = np.asarray(rows).any(axis=1)
        area = np.bincount(shape.faces.ravel(), minlength=len(rule)) * weighted
        shares.append(np.bincount(rule, area, bones) / max(area.sum(), 1))
    counts = np.bincount(before[np.asarray(source_weights).any(axis=1)], minlength=bones)
    missing = (counts >= FEW) & (shares[1] < LOST * shares[0])
    pieces = [_second_piece(shape, rule, bones) for shape, rule in ((source, before), (target, after))]
    split = (pieces[0] < SPLIT) & (pieces[1] >= SPLIT) & ~missing & (counts >= 4 * FEW)
    middles = [_middles(shape, rule, bones) for shape, rule in ((source, before), (target, after))]
    left = np.flatnonzero((mirror > np.arange(bones)) & (counts > 0) & (counts[mirror] > 0))
    left = left[np.isfinite(middles[1][left]).all(axis=1) & np.isfinite(middles[1][mirror[left]]).all(axis=1)]
    crossed = np.zeros(bones, bool)
    if len(left) > 1:
        leans = []
        for middle in middles:
            apart = middle[left] - middle[mirror[left]]
            leans.append(apart @ apart.sum(axis=0))
        wrong = left[(leans[0] > 0) & (leans[1] < 0)]
        crossed[wrong] = crossed[mirror[wrong]] = True
    return Findings(*(np.flatnonzero(one) for one in (missing, split, crossed)))


def _rule(weights: NDArray[np.floating]) -> tuple[Indices, Indices]:
    """The bone that rules each vertex, and the bones that rule enough of them."""
    rows = np.asarray(weights, np.float64)
    least = min(max(FEW, len(rows) // 1000), 20)
    kept = np.ones(rows.shape[1], bool)
    while True:
        rule = np.where(kept, rows, -1).argmax(axis=1)
        count = np.bincount(rule[(rows * kept).any(axis=1)], minlength=len(kept))
        few = kept & (count < least)
        if not few.any():
            return rule, np.flatnonzero(kept)
        # One after the other, the smallest first: its vertices may make the next one large enough.
        kept[np.flatnonzero(few)[count[few].argmin()]] = False
        if not kept.any():
            return rule, np.empty(0, np.int64)


def _contacts(ends: Indices, bones: int) -> Floats:
    """How much of the shorter border two bones have in common, (B, B), 0 where that is too little."""
    number = np.zeros((bones, bones))
    np.add.at(number, (ends[:, 0], ends[:, 1]), 1)
    number += number.T
    border = np.maximum(number.sum(axis=1), 1)
    share = number / np.minimum(border[:, None], border)
    share[(share < TOUCH) | (number < 2)] = 0
    return share


def _tree(contact: Floats, middles: Floats) -> sparse.csr_array:
    """The spanning tree of the strongest contacts; what does not touch is joined where it is nearest."""
    bones = len(contact)
    apart = np.linalg.norm(middles[:, None] - middles[None], axis=2)
    cost = np.where(contact > 0, 1 / (1 + contact), 2 + apart / (apart.max() or 1.0))
    np.fill_diagonal(cost, 0)
    tree = csgraph.minimum_spanning_tree(sparse.csr_array(cost))
    return sparse.csr_array((np.ones(tree.nnz), tree.nonzero()), shape=(bones, bones))


def _center(tree: sparse.csr_array, count: NDArray[np.integer]) -> int:
    """The bone without which the largest branch has the fewest vertices."""
    order, above = csgraph.breadth_first_order(tree, 0, directed=False)
    below = count.astype(np.float64)
    largest = np.zeros(len(count))
    for bone in order[::-1]:
        parent = above[bone]
        if parent >= 0:
            below[parent] += below[bone]
            largest[parent] = float(max(largest[parent], below[bone]))
    return int(np.maximum(largest, count.sum() - below).argmin())


def _joint(
    points: Floats, weights: NDArray[np.floating], border: Indices, one: int, two: int, middles: Floats, bone: int,
    parents: Indices,
) -> Floats:  # fmt: skip
    """The middle of the border of two bones, where their weights are most alike."""
    if not len(border):
        return np.asarray((middles[bone] + middles[parents[bone]]) / 2)
    both = np.unique(border)
    alike = 1.001 - np.abs(weights[both, one] - weights[both, two])
    return np.asarray(np.clip(alike, 1e-3, None) @ points[both] / np.clip(alike, 1e-3, None).sum())


def _tip(own: Floats, head: Floats, middle: Floats) -> Floats:
    """The end of a bone that nothing follows: through the middle of its vertices, as far as they reach."""
    along = middle - head
    length = float(np.linalg.norm(along))
    if length < 1e-9 * (np.abs(own).max() or 1.0):
        along, length = np.array((0.0, 0.0, 1.0)), 1.0
    along = along / length
    return np.asarray(head + along * max(0.95 * float(((own - head) @ along).max()), 1e-6))


def _within(shape: Snapshot, heads: Floats) -> Floats:
    points, faces = np.asarray(shape.vertices, np.float64), shape.faces.astype(np.int64)
    outside = igl.fast_winding_number(points, faces, heads) < 0.5
    heads = heads.copy()
    if outside.any():
        size = float(np.linalg.norm(np.ptp(points, axis=0)))
        heads[outside] = into(heads[outside], np.full(int(outside.sum()), size), points, faces)
    return heads


def _second_piece(shape: Snapshot, rule: Indices, bones: int) -> Floats:
    """The share of each bone's vertices in its second largest connected patch, (B,)."""
    first, place = weld(shape.vertices)
    faces = clean_faces(place[shape.faces])
    pairs = np.concatenate((edges(faces), bridges(shape.vertices[first], faces)))
    own = rule[first]
    same = pairs[own[pairs[:, 0]] == own[pairs[:, 1]]]
    graph = sparse.coo_array((np.ones(len(same)), (same[:, 0], same[:, 1])), shape=(len(first),) * 2)
    count, patch = csgraph.connected_components(graph, directed=False)
    size = np.bincount(patch, minlength=count)
    owner = np.zeros(count, np.int64)
    owner[patch] = own
    order = np.lexsort((-size, owner))
    ranked = owner[order]
    place_in = np.arange(count) - np.searchsorted(ranked, ranked)
    total = np.bincount(own, minlength=bones)
    second = np.zeros(bones)
    chosen = place_in == 1
    second[ranked[chosen]] = size[order][chosen]
    return np.asarray(second / np.maximum(total, 1))


def _middles(shape: Snapshot, rule: Indices, bones: int) -> Floats:
    """The mean place of each bone's vertices, nan where it has none, (B, 3)."""
    count = np.bincount(rule, minlength=bones).astype(np.float64)
    count[count == 0] = np.nan
    return np.stack([np.bincount(rule, shape.vertices[:, axis], bones) / count for axis in range(3)], axis=1)
