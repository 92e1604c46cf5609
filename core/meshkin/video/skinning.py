"""Linear blend skinning down a hierarchy of bones, for many frames at once, and how points move as bones turn.

A bone's matrix is ``D_b = D_parent rest_b L_b rest_b^-1``, where ``L_b`` is its rotation (and, for a root, its shift)
in its own axes; a root's parent is the motion of the whole. A point moves by the weighted mean of the matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..geometry.arrays import Floats
from .clip import Motion, PosableShape


@dataclass(frozen=True)
class BoneTree:
    """A hierarchy of bones as tensors.

    Attributes:
        rest, unrest: (B, 4, 4), place and axes at rest, and the inverse.
        levels: bones by how many bones they hang on, and their parents; of roots the parent is -1.
        below: (B, B), 1 where the column's bone is the row's or hangs on it.
    """

    rest: Tensor
    unrest: Tensor
    levels: list[tuple[list[int], list[int]]]
    below: Tensor

    @staticmethod
    def of(shape: PosableShape) -> BoneTree:
        """The skeleton of a shape."""
        count = len(shape.parents)
        depth, below = np.zeros(count, int), np.eye(count)
        for bone, parent in enumerate(shape.parents):
            depth[bone] = depth[parent] + 1 if parent >= 0 else 0
        for bone in range(count - 1, -1, -1):
            if shape.parents[bone] >= 0:
                below[shape.parents[bone]] += below[bone]
        levels = []
        for level in range(depth.max(initial=0) + 1):
            bones = np.flatnonzero(depth == level)
            levels.append((bones.tolist(), shape.parents[bones].tolist()))
        rest = torch.from_numpy(np.asarray(shape.rest, np.float64))
        return BoneTree(rest, torch.linalg.inv(rest), levels, torch.from_numpy(below))


def matrices(skeleton: BoneTree, turns: Tensor, shifts: Tensor, root: Tensor) -> Tensor:
    """The matrix (T, B, 4, 4) by which each bone moves points; arguments as :class:`Motion`."""
    local = turns.new_zeros(*turns.shape[:2], 4, 4)
    local[..., :3, :3], local[..., :3, 3], local[..., 3, 3] = turns, shifts, 1
    moved = skeleton.rest @ local @ skeleton.unrest
    for bones, parents in skeleton.levels:
        above = root[:, None] if parents[0] < 0 else moved[:, parents]
        moved[:, bones] = above @ moved[:, bones]
    return moved


def loads(points: Floats, weights: NDArray[np.floating]) -> Tensor:
    """The weighted homogeneous points (P, B, 4) of points (P, 3) with weights (P, B)."""
    unit = np.column_stack((points, np.ones(len(points))))
    return torch.from_numpy(weights[:, :, None].astype(np.float64) * unit[:, None])


def skin(moved: Tensor, load: Tensor) -> Tensor:
    """Points (T, P, 3) that matrices (T, B, 4, 4) move; ``load`` (P, B, 4), or (T, P, B, 4) for points of frames."""
    rows = moved[:, :, :3].permute(0, 1, 3, 2).reshape(len(moved), -1, 3)
    if load.dim() == 3:  # one product for all frames: the points are not copied for each
        points = load.flatten(1) @ rows.permute(1, 0, 2).flatten(1)
        return points.reshape(len(load), -1, 3).transpose(0, 1)
    return load.flatten(2) @ rows


def posed(shape: PosableShape, motion: Motion) -> tuple[Floats, Floats]:
    """The matrices (T, B, 4, 4) of a motion's bones, and the vertices (T, V, 3) that they move."""
    moved = matrices_of(shape, motion)
    return moved, skin(torch.from_numpy(moved), loads(shape.vertices, full_weights(shape))).numpy()


def matrices_of(shape: PosableShape, motion: Motion) -> Floats:
    """The matrices (T, B, 4, 4) of a motion's bones."""
    values = [torch.from_numpy(np.asarray(each, np.float64)) for each in (motion.turns, motion.shifts, motion.root)]
    moved: Floats = matrices(BoneTree.of(shape), *values).numpy()
    return moved


def full_weights(shape: PosableShape) -> NDArray[np.float32]:
    """The weights (V, B), those of vertices that no bone moves given to the main root."""
    weights = np.array(shape.weights, np.float32)
    weights[weights.sum(axis=1) <= 0, shape.main_root] = 1
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def carried_middles(shape: PosableShape) -> Floats:
    """The middle of what each bone and those below it move, (B, 3)."""
    weights = full_weights(shape).astype(np.float64)
    total, middle = weights.sum(axis=0), weights.T @ shape.vertices
    for bone in range(len(total) - 1, -1, -1):
        if shape.parents[bone] >= 0:
            total[shape.parents[bone]] += total[bone]
            middle[shape.parents[bone]] += middle[bone]
    return np.asarray(middle / np.maximum(total, 1e-9)[:, None])


def bone_lengths(shape: PosableShape) -> Floats:
    """The length of each bone, (B,): to the farthest joint below it; of the last ones, as far as what they move."""
    heads = shape.rest[:, :3, 3]
    lengths, last = np.zeros(len(heads)), 2 * np.linalg.norm(carried_middles(shape) - heads, axis=1)
    for bone in np.flatnonzero(shape.moved & (shape.parents >= 0)):
        parent = shape.parents[bone]
        lengths[parent] = max(lengths[parent], float(np.linalg.norm(heads[bone] - heads[parent])))
    return np.asarray(np.where(lengths > 0, lengths, last))


def turning(skeleton: BoneTree, moved: Tensor, load: Tensor, along: Tensor) -> Tensor:
    """How far points move along directions when bones turn about their own axes.

    With the part ``y`` of a point that a bone and those below it move, and their weight ``w``, a turn about the axis
    ``a`` through the joint ``j`` moves the point by ``a x (y - w j)``.

    Args:
        skeleton: of the bones.
        moved: (T, B, 4, 4), their matrices.
        load: (T, R, B, 4), of the points.
        along: (T, R, K, 3), the directions.

    Returns:
        (T, R, K, B, 3), per radian.
    """
    parts = torch.einsum("tbij,trbj->trbi", moved[:, :, :3], load)
    parts = torch.einsum("ab,trbi->trai", skeleton.below, parts)
    weights = load[..., 3] @ skeleton.below.T
    axes = moved @ skeleton.rest
    arms = parts - weights[..., None] * axes[:, None, :, :3, 3]
    # along . (a x arm) = a . (arm x along)
    moments = torch.linalg.cross(arms[:, :, None], along[:, :, :, None], dim=-1)
    return torch.einsum("trkbi,tbij->trkbj", moments, axes[:, :, :3, :3])


def turns_of(vectors: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3), by the matrix exponential."""
    zero = torch.zeros_like(vectors[..., 0])
    x, y, z = vectors.unbind(-1)
    return torch.linalg.matrix_exp(
        torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=-1).reshape(*zero.shape, 3, 3)
    )


def vectors_of(turns: Tensor) -> Tensor:
    """Rotation vectors (..., 3) of rotation matrices (..., 3, 3), radians, for turns of less than half a circle."""
    cosine = ((turns.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1)
    skew = torch.stack(
        (turns[..., 2, 1] - turns[..., 1, 2], turns[..., 0, 2] - turns[..., 2, 0], turns[..., 1, 0] - turns[..., 0, 1]),
        dim=-1,
    )
    sine = torch.linalg.vector_norm(skew, dim=-1) / 2
    angle = torch.atan2(sine, cosine)
    factor = torch.where(sine > 1e-9, angle / (2 * sine.clamp(min=1e-9)), torch.full_like(sine, 0.5))
    return skew * factor[..., None]
