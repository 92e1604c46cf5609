"""Bones of several roots in one tree: feet that hang on controls of their own hang on the leg while a fit looks.

Rigs let feet follow controls that are no part of the leg. Where each may move freely, one camera does not say how far
away a foot is. Its vertices are the leg's, too: the control turns about the place that both move, or about its own
head where this is near: chains that reach for a control (inverse kinematics) end there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..geometry.arrays import Floats
from .clip import Motion, PosableShape
from .skinning import full_weights, matrices_of

LEAST_COMMON = 1.0
"""Vertices' worth of common weight from which two bones meet in what both move. Chosen."""

HEAD_NEAR = 0.05
"""Distance of a control's head from the middle of what it and a bone move, sizes of the shape, within which the head is
the joint. Measured: 0 to 0.015 on eight quadrupeds' feet, where the head errs by 0 to 2 % of the height as they gallop
and the middle by 1 to 4 %."""


def hung(shape: PosableShape) -> tuple[PosableShape, NDArray[np.int64]]:
    """A shape all of whose bones that move something hang on the main root, and which bone each of its bones is.

    A root beside the main one hangs on the bone of the tree with which it, or a bone below it, moves most vertices
    together; if there are none, on the bone that moves the nearest vertex. It turns about that place.
    """
    parents, rest, limits = shape.parents.copy(), shape.rest.copy(), shape.limits.copy()
    weights, roots = full_weights(shape).astype(np.float64), _roots(shape.parents)
    common, in_tree = weights.T @ weights, roots == shape.main_root
    waiting = {int(root) for root in np.flatnonzero((shape.parents < 0) & shape.moved)} - {shape.main_root}
    while waiting:
        shared = {root: common[np.ix_(roots == root, in_tree)].max() for root in waiting}
        root = max(waiting, key=lambda each: shared[each])
        own = roots == root
        parents[root], rest[root, :3, 3] = _joint(shape, weights, common, own, in_tree)
        limits[root] = (-np.inf, np.inf)  # they were about the world's axes
        in_tree |= own
        waiting.remove(root)
    order = _downward(parents)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    ordered = np.where(parents[order] >= 0, number[parents[order]], -1).astype(np.int32)
    return replace(
        shape, weights=shape.weights[:, order], rest=rest[order], parents=ordered, limits=limits[order]
    ), order


def _joint(
    shape: PosableShape, weights: Floats, common: Floats, own: NDArray[np.bool_], tree: NDArray[np.bool_]
) -> tuple[int, Floats]:
    """The bone of a tree that other bones hang on, and where."""
    pairs = np.where(own[:, None] & tree, common, 0)
    bone, parent = np.unravel_index(pairs.argmax(), pairs.shape)
    if pairs[bone, parent] >= LEAST_COMMON:
        share, head = weights[:, bone] * weights[:, parent], shape.rest[np.flatnonzero(own)[0], :3, 3]
        middle = share @ shape.vertices / share.sum()
        is_near = np.linalg.norm(head - middle) <= HEAD_NEAR * np.linalg.norm(np.ptp(shape.vertices, axis=0))
        return int(parent), head if is_near else middle
    of_own = np.flatnonzero(weights[:, own].sum(axis=1) > 0.5)
    of_tree = np.flatnonzero(weights[:, tree].sum(axis=1) > 0.5)
    if not len(of_own) or not len(of_tree):
        return shape.main_root, shape.rest[np.flatnonzero(own)[0], :3, 3]
    distance, nearest = cKDTree(shape.vertices[of_tree]).query(shape.vertices[of_own])
    vertex = of_tree[nearest[distance.argmin()]]
    return int(np.where(tree, weights[vertex], -1).argmax()), shape.vertices[vertex]


def _roots(parents: NDArray[np.int32]) -> NDArray[np.int64]:
    """The root that each bone hangs on."""
    roots = np.arange(len(parents))
    for bone, parent in enumerate(parents):
        if parent >= 0:
            roots[bone] = roots[parent]
    return roots


def _downward(parents: NDArray[np.int32]) -> NDArray[np.int64]:
    """The bones in an order in which every parent comes before its children."""
    order = [int(bone) for bone in np.flatnonzero(parents < 0)]
    for bone in order:
        order += [int(child) for child in np.flatnonzero(parents == bone)]
    return np.array(order, np.int64)


def moved_alike(motion: Motion, shape: PosableShape, like: PosableShape, bones: NDArray[np.int64]) -> Motion:
    """The motion of a shape whose bones hang otherwise, that moves the same points alike.

    Args:
        motion: of ``shape``.
        shape: whose bones move so.
        like: the shape of the result; ``bones`` (B,) says which bone of ``shape`` each of its bones is.
    """
    moved = matrices_of(shape, motion)[:, bones]
    above = np.where((like.parents >= 0)[None, :, None, None], moved[:, like.parents], motion.root[:, None])
    local = np.linalg.inv(above @ like.rest) @ moved @ like.rest
    return Motion(local[..., :3, :3], local[..., :3, 3], motion.root)
