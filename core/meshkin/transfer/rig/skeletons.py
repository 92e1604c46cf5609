"""A skeleton built from skinning weights alone: bones, joints and hierarchy.

Source: the extraction of DreaMo (Tu et al., WACV 2025), section 3.4: each vertex belongs to the bone with the most
weight, and bones whose vertices touch are joined. How joints are placed and cycles resolved is this module's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ...geometry.adjacency import bridges
from ...geometry.arrays import AnyFloats, Floats, Integers
from ...geometry.mesh import bounding_diagonal, clean_faces, edges
from ...geometry.welding import weld
from .interior import InteriorSettings, move_inside, winding_numbers


@dataclass(frozen=True)
class SkeletonSettings:
    """How bones are found in weights. All values are chosen.

    Attributes:
        interior: how a way into the body is found.
        fewest_vertices: a bone must rule at least this many vertices.
        fewest_share: a bone must also rule at least this share of the vertices.
        most_demanded: a bone that rules this many vertices is large enough for any mesh.
        contact: two bones touch if at least this share of the shorter of their borders is between them.
        root_children: a root with at least this many children does not end in their middle, but as a bone without any.
        tip: where a bone without children ends, as a share of the way to its farthest vertex.
        shortest: a bone shorter than this, in diagonals of the bounding box, is pointed upwards instead.
        upward: the length of such a bone, in diagonals.
    """

    interior: InteriorSettings = field(default_factory=InteriorSettings)
    fewest_vertices: int = 5
    fewest_share: float = 1e-3
    most_demanded: int = 20
    contact: float = 0.1
    root_children: int = 3
    tip: float = 0.95
    shortest: float = 1e-3
    upward: float = 0.02


@dataclass(frozen=True)
class ExtractedSkeleton:
    """Bones found in weights, every parent before its children.

    Attributes:
        column: int64 (B,), which column of the weights each bone is.
        heads, tails: float64 (B, 3), in the shape's frame.
        parents: int64 (B,), -1 for the root.
    """

    column: Integers
    heads: Floats
    tails: Floats
    parents: Integers


@dataclass(frozen=True)
class _Border:
    """Where vertices of different bones are next to each other.

    Attributes:
        vertices: int (E, 2), pairs of vertices.
        bones: int (E, 2), the bones that rule them, numbers among the bones that are used.
    """

    vertices: Integers
    bones: Integers

    def between(self, first: int, second: int) -> Integers:
        """The vertices, int (N,), at the border of two bones."""
        chosen = ((self.bones == first) | (self.bones == second)).all(axis=1)
        return np.unique(self.vertices[chosen])


def extract_skeleton(
    shape: Snapshot, weights: AnyFloats, settings: SkeletonSettings = SkeletonSettings()
) -> ExtractedSkeleton:
    """Build a skeleton from skinning weights.

    Bones that rule too few vertices give them to the next best. Two bones are neighbors where their vertices touch
    along a good part of a border; of cycles the weakest contact is cut (maximum spanning tree). The root is the bone
    without which the largest branch is smallest. A joint lies in the middle of the border, where both weights are most
    alike, and inside the body.

    Args:
        shape: the surface.
        weights: (V, C), non-negative.
        settings: what is tuned.

    Raises:
        InputError: ``no-weights`` when no column rules enough vertices.
    """
    points = np.asarray(shape.vertices, np.float64)
    ruling, used = _ruling_bones(weights, settings)
    if not len(used):
        raise InputError("no-weights", f"The weights of “{shape.name}” name no bones.", "Paint weights first.")
    number = np.full(weights.shape[1], -1)  # of each column among the bones that are used
    number[used] = np.arange(len(used))
    bone = number[ruling]
    first, border = _borders(shape, bone)
    centers = _mean_places(points[first], bone[first], len(used))
    tree = _spanning_tree(_contacts(border.bones, len(used), settings.contact), centers)
    root = _balanced_root(tree, np.bincount(bone[bone >= 0], minlength=len(used)))
    order, parent_of = csgraph.breadth_first_order(tree, root, directed=False)
    position = np.full(len(used), -1)
    position[order] = np.arange(len(order))
    parents = np.where(parent_of[order] >= 0, position[np.maximum(parent_of[order], 0)], -1)
    column, centers = used[order], centers[order]
    heads = centers.copy()
    for child, parent in enumerate(parents):
        if parent >= 0:
            vertices = border.between(order[child], order[parent])
            between = (centers[child] + centers[parent]) / 2
            heads[child] = _joint(points[vertices], weights[vertices][:, column[[child, parent]]], between)
    tails = np.empty_like(heads)
    for index in range(len(order)):
        children = np.flatnonzero(parents == index)
        if len(children) and (index or len(children) < settings.root_children):
            tails[index] = heads[children].mean(axis=0)
        else:
            tails[index] = _tip(points[ruling == column[index]], heads[index], centers[index], settings.tip)
    heads = _heads_inside(shape, heads, settings.interior)
    diagonal = bounding_diagonal(points)
    short = np.linalg.norm(tails - heads, axis=1) < settings.shortest * diagonal
    tails[short] = heads[short] + (0, 0, settings.upward * diagonal)
    return ExtractedSkeleton(column.astype(np.int64), heads, tails, parents.astype(np.int64))


def _ruling_bones(weights: AnyFloats, settings: SkeletonSettings) -> tuple[Integers, Integers]:
    """The column that rules each vertex, (V,), and the columns that rule enough of them."""
    rows = np.asarray(weights, np.float64)
    least = max(settings.fewest_vertices, int(len(rows) * settings.fewest_share))
    least = min(least, settings.most_demanded)
    kept = np.ones(rows.shape[1], bool)
    while True:
        ruling = np.where(kept, rows, -1).argmax(axis=1)
        count = np.bincount(ruling[(rows * kept).any(axis=1)], minlength=len(kept))
        few = kept & (count < least)
        if not few.any():
            return ruling, np.flatnonzero(kept)
        # One after the other, the smallest first: its vertices may make the next one large enough.
        kept[np.flatnonzero(few)[count[few].argmin()]] = False
        if not kept.any():
            return ruling, np.empty(0, np.int64)


def _borders(shape: Snapshot, bone: Integers) -> tuple[Integers, _Border]:
    """A vertex at each place (W,), and the borders of the bones, across gaps between loose parts, too.

    Args:
        shape: the surface.
        bone: (V,), which bone rules each vertex, -1 for none.
    """
    points = np.asarray(shape.vertices, np.float64)
    first, place = weld(points)
    faces = clean_faces(place[shape.faces])
    pairs = first[np.concatenate((edges(faces), bridges(points[first], faces)))]
    bones = bone[pairs]
    across = (bones >= 0).all(axis=1) & (bones[:, 0] != bones[:, 1])
    return first, _Border(pairs[across], bones[across])


def _mean_places(points: Floats, bone: Integers, count: int) -> Floats:
    """The mean place of the points (N, 3) of each bone, (count, 3)."""
    sums = np.stack([np.bincount(bone, points[:, axis], count) for axis in range(3)], axis=1)
    return np.asarray(sums / np.maximum(np.bincount(bone, minlength=count), 1)[:, None])


def _contacts(bones: Integers, count: int, least: float) -> Floats:
    """The share of the shorter border that two bones have in common, (count, count), 0 where it is below ``least``.

    Args:
        bones: (E, 2), the two bones at each pair of neighboring vertices.
        count: how many bones there are.
        least: share.
    """
    number = np.zeros((count, count))
    np.add.at(number, (bones[:, 0], bones[:, 1]), 1)
    number += number.T
    border = np.maximum(number.sum(axis=1), 1)
    share = number / np.minimum(border[:, None], border)
    share[(share < least) | (number < 2)] = 0
    return share


def _spanning_tree(contacts: Floats, centers: Floats) -> sparse.csr_array:
    """The spanning tree (B, B) of the strongest contacts; what touches nothing is joined to the nearest bone."""
    count = len(contacts)
    distances = np.linalg.norm(centers[:, None] - centers[None], axis=2)
    cost = np.where(contacts > 0, 1 / (1 + contacts), 2 + distances / (distances.max() or 1.0))
    np.fill_diagonal(cost, 0)
    tree = csgraph.minimum_spanning_tree(sparse.csr_array(cost))
    return sparse.csr_array((np.ones(tree.nnz), tree.nonzero()), shape=(count, count))


def _balanced_root(tree: sparse.csr_array, ruled: Integers) -> int:
    """The bone without which the largest branch of the tree has the fewest vertices.

    Args:
        tree: (B, B).
        ruled: (B,), how many vertices each bone rules.
    """
    order, parent_of = csgraph.breadth_first_order(tree, 0, directed=False)
    below = ruled.astype(np.float64)  # vertices of a bone and all below it
    largest = np.zeros(len(ruled))
    for bone in order[::-1]:
        parent = parent_of[bone]
        if parent >= 0:
            below[parent] += below[bone]
            largest[parent] = float(max(largest[parent], below[bone]))
    return int(np.maximum(largest, ruled.sum() - below).argmin())


def _joint(points: Floats, weights: AnyFloats, otherwise: Floats) -> Floats:
    """The middle of the border of two bones, (3,), where their weights are most alike.

    Args:
        points: (N, 3), the border's vertices.
        weights: (N, 2), of the two bones.
        otherwise: (3,), the joint if there is no border.
    """
    if not len(points):
        return otherwise
    alike = np.clip(1.001 - np.abs(weights[:, 0] - weights[:, 1]), 1e-3, None)
    return np.asarray(alike @ points / alike.sum())


def _tip(points: Floats, head: Floats, center: Floats, share: float) -> Floats:
    """The tail of a bone without children, (3,): through the center of its vertices, about as far as they reach.

    Args:
        points: (N, 3), the vertices that the bone rules.
        head: (3,).
        center: (3,), of its vertices.
        share: of the way to the farthest of them.
    """
    along = center - head
    length = float(np.linalg.norm(along))
    if length < 1e-9 * (np.abs(points).max() or 1.0):
        along, length = np.array((0.0, 0.0, 1.0)), 1.0
    along = along / length
    return np.asarray(head + along * max(share * float(((points - head) @ along).max()), 1e-6))


def _heads_inside(shape: Snapshot, heads: Floats, settings: InteriorSettings) -> Floats:
    """The heads (B, 3), those outside of the body moved to the middle of what lies behind the nearest surface."""
    outside = winding_numbers(heads, shape.vertices, shape.faces) < 0.5
    heads = heads.copy()
    if outside.any():
        deep = np.full(int(outside.sum()), bounding_diagonal(np.asarray(shape.vertices, np.float64)))
        heads[outside] = move_inside(heads[outside], deep, shape.vertices, shape.faces, settings)
    return heads
