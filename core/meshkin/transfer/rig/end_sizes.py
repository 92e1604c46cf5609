"""How large the ends of a body are where its joints do not say it: heads whose bones are only stubs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...geometry.arrays import Floats
from ...geometry.mesh import bounding_diagonal, vertex_areas
from .onto_joints import Joints
from .rest_skeleton import RestSkeleton

END_REACH = 4.0
"""How many times as far as its joints the surface of an end reaches from which these say nothing about its size.
Chosen: heads whose bones have lengths of their own reach 1 to 3 times as far, giant heads 4 to 6 times."""
BEHIND = 0.005
"""By how much a point may lie nearer to another bone than to an end's own, in diagonals (chosen): behind a joint it is
as near to both."""
LEAST_END = 0.02
"""Share of the surface from which an end has a size. Chosen: heads have more; tips of tails and chins have less, and
nearness finds them as well."""


def end_sizes(
    skeleton: RestSkeleton, joints: Joints, moving: NDArray[np.bool_], source: Snapshot, target: Snapshot
) -> Floats:
    """How many times larger than the source's the target's ends are, float64 (B,); NaN where joints say it.

    An end is a bone with all that hangs on it, if on one of both bodies the surface reaches much farther than their
    joints (:data:`END_REACH`). Its surface is what lies nearest to its bones, its size the root mean square distance of
    this surface from the end's first joint.

    Args:
        skeleton: of the source, in its frame.
        joints: where its bones lie in the target, in the target's frame.
        moving: bool (B,), bones that move vertices.
        source, target: the two shapes.
    """
    hanging = _hanging_on(skeleton.parents)
    below = hanging & joints.known
    there = RestSkeleton(joints.heads, joints.tails, skeleton.axes, skeleton.parents, skeleton.mirror, skeleton.column)
    stubs = skeleton.stubs() | there.stubs()
    size, extent = _sizes(skeleton, below, stubs, source)
    other_size, other_extent = _sizes(there, below, stubs, target)
    far = (size > END_REACH * extent) | (other_size > END_REACH * other_extent)
    ends = far & joints.known & (skeleton.parents >= 0) & (below & moving).any(axis=1)
    nested = (hanging & ~np.eye(len(ends), dtype=bool))[ends].any(axis=0)
    return np.where(ends & ~nested, other_size / size, np.nan)


def _hanging_on(parents: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which bones are a bone or hang on it, bool (B, B), a row for each bone."""
    result = np.eye(len(parents), dtype=bool)
    for bone in range(len(parents) - 1, -1, -1):  # children come after their parents
        if parents[bone] >= 0:
            result[parents[bone]] |= result[bone]
    return result


def _sizes(
    bones: RestSkeleton, below: NDArray[np.bool_], stubs: NDArray[np.bool_], shape: Snapshot
) -> tuple[Floats, Floats]:
    """Of each bone with what hangs on it, a row of ``below`` (B, B): its surface's size (B,), NaN if there is little of
    it, and how far its joints reach (B,). Tails that are stubs, bool (B,), do not count."""
    count, vertices = len(stubs), np.asarray(shape.vertices, np.float64)
    area = vertex_areas(vertices, shape.faces)
    away = _distances_to_bones(bones, below.diagonal(), stubs, vertices)
    beside = BEHIND * bounding_diagonal(vertices)
    sizes, extents = np.full(count, np.nan), np.zeros(count)
    for bone in np.flatnonzero(below.diagonal()):
        own = below[bone]
        joints = np.concatenate((bones.heads[own], bones.tails[own & ~stubs]))
        extents[bone] = np.linalg.norm(joints - bones.heads[bone], axis=1).max()
        nearest = away[:, own].min(axis=1) <= away[:, ~own].min(axis=1, initial=np.inf) + beside
        of_end = float(area[nearest].sum())
        if of_end > LEAST_END * area.sum():
            square = ((vertices[nearest] - bones.heads[bone]) ** 2).sum(axis=1)
            sizes[bone] = np.sqrt(area[nearest] @ square / of_end)
    return sizes, extents


def _distances_to_bones(
    bones: RestSkeleton, known: NDArray[np.bool_], stubs: NDArray[np.bool_], points: Floats
) -> Floats:
    """How far points (V, 3) lie from each bone, (V, B): from its tail and its children's heads, and the ways there.
    Bones that are not known, bool (B,), are infinitely far."""
    result = np.full((len(points), len(known)), np.inf)
    for bone in np.flatnonzero(known):
        ends = bones.heads[(bones.parents == bone) & known]
        ends = np.vstack((ends, bones.heads[bone] if stubs[bone] else bones.tails[bone]))
        for end in ends:
            way, offset = end - bones.heads[bone], points - bones.heads[bone]
            share = np.clip(offset @ way / max(float(way @ way), 1e-30), 0, 1)
            away = np.linalg.norm(offset - share[:, None] * way, axis=1)
            result[:, bone] = np.minimum(result[:, bone], away)
    return result
