"""A body posed and stretched until its joints are those of another skeleton.

Artists do this by hand before they take weights from the nearest surface: then shapes that no map tells how to match,
a wolf and a horse or a person and a giant head, lie on each other bone by bone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...geometry.arrays import AnyFloats, Floats, unit_rows
from ...geometry.rigid_motions import Similarity, nearest_rotations, similarity_alignment, turned_least
from .rest_skeleton import RestSkeleton

SHORTEST_WAY = 1e-4
"""Share of the skeleton's extent below which the way between two joints says nothing about a turn (chosen)."""
LEAST_SPREAD = 0.3
"""Least second singular value of the unit vectors to a bone's joints from which they fix its roll, too. Chosen: of two
of them, an angle of about 25 degrees."""
SAME_LENGTH = 1e-3
"""Share of its length by which a bone without children may differ from its parent and still be as long (chosen)."""
CONTRADICTED = 1.8
"""How many times larger or smaller than by its joints an end has to be for its size to count. Measured on the 34 pairs
of tests/benchmarks/characters.py, both ways: 1.5 at most but for giant heads, 3.1 to 4.2 between these and others."""
NO_TURN = 1e-3
"""Weight of staying as the parent turns, beside vectors of length 1: it decides what the joints leave open (chosen)."""


@dataclass(frozen=True)
class Joints:
    """Where the bones of a skeleton lie on another body.

    Attributes:
        heads, tails: float64 (B, 3), in the other body's frame; anything where they are not known.
        known: bool (B,), bones that the other skeleton has.
    """

    heads: Floats
    tails: Floats
    known: NDArray[np.bool_]


def posed_onto_joints(
    vertices: AnyFloats, weights: AnyFloats, skeleton: RestSkeleton, joints: Joints, ends: Floats | None = None
) -> NDArray[np.float32]:
    """Pose and stretch a body until its joints lie where another skeleton has them.

    From the root on, each bone turns with its parent and then by the least turn that leads to its own joints: its tail
    and where its children begin. So how bones are rolled plays no part. It is stretched along itself as its joints say;
    across, by the geometric mean of that and of how much larger the whole skeleton is. Bones that the other skeleton
    lacks follow their parents, and where importers guess how long a bone without children is, it grows as its parent
    does. Vertices follow by linear blend skinning.

    Args:
        vertices: (U, 3), in the skeleton's frame.
        weights: (U, C), its skinning weights; vertices without any follow the root.
        skeleton: the body's bones, as they pose these vertices.
        joints: where they are to be.
        ends: (B,), how many times larger the ends of the other body are
            (:func:`meshkin.transfer.rig.end_sizes.end_sizes`), NaN where nothing is known. Such an end gets that size,
            as a whole, if its joints say something else entirely.

    Returns:
        float32 (U, 3), in the frame of the joints.

    Raises:
        ValueError: no bone is known.
    """
    if not joints.known.any():
        raise ValueError("No bone of the skeleton is known.")
    share = np.zeros((len(vertices), len(skeleton.heads)))
    weighted = np.flatnonzero(skeleton.column >= 0)
    share[:, weighted] = np.maximum(weights[:, skeleton.column[weighted]], 0)
    linear, shift = _bone_transforms(skeleton, joints, np.asarray(share.any(axis=0)))
    if ends is not None:
        linear, shift = _with_ends_grown(skeleton, (linear, shift), ends)
    share[share.sum(axis=1) == 0, 0] = 1
    share /= share.sum(axis=1, keepdims=True)
    points = np.asarray(vertices, np.float64)
    posed = np.einsum("vb,bij,vj->vi", share, linear, points, optimize=True) + share @ shift
    return posed.astype(np.float32)


def rearranged(skeleton: RestSkeleton, joints: Joints) -> float:
    """How far joints are from being a turned, scaled and shifted copy of the skeleton's: root mean square, in the
    joints' frame. Raises ValueError: no bone is known."""
    if not joints.known.any():
        raise ValueError("No bone of the skeleton is known.")
    heads, goals = skeleton.heads[joints.known], joints.heads[joints.known]
    away = Similarity.between(heads, goals).apply(heads) - goals
    return float(np.sqrt((away**2).sum(axis=1).mean()))


def _bone_transforms(skeleton: RestSkeleton, joints: Joints, moving: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The linear part (B, 3, 3) and the shift (B, 3) of each bone, of which some, bool (B,), move vertices."""
    known = joints.known
    size, turn = _size_and_turn(skeleton, joints, moving)
    whole = turn.as_matrix()
    center = joints.heads[known].mean(axis=0) - size * whole @ skeleton.heads[known].mean(axis=0)
    spans = unit_rows(skeleton.spans(skeleton.heads, skeleton.tails))
    stubs = skeleton.stubs()
    guessed = _guessed_ends(skeleton, joints, stubs)
    count = len(known)
    rotations, linear, shift = np.empty((count, 3, 3)), np.empty((count, 3, 3)), np.empty((count, 3))
    for bone, parent in enumerate(skeleton.parents):
        above = parent >= 0
        rotations[bone] = rotations[parent] if above else whole
        if not known[bone]:
            linear[bone] = linear[parent] if above else size * whole
            shift[bone] = shift[parent] if above else center
            continue
        before, after = _ways_to_joints(skeleton, joints, bone, bool(stubs[bone]), size)
        along = across = size
        if len(before):
            leading = int(np.abs(unit_rows(before) @ spans[bone]).argmax())
            rotations[bone] = _turned_to(rotations[bone], before, after, leading)
            along = float(np.linalg.norm(after[leading]) / np.linalg.norm(before[leading]))
            across = float(np.sqrt(size * along))
        if guessed[bone]:
            along = across = float(np.cbrt(np.linalg.det(linear[parent])))
        stretch = across * np.eye(3) + (along - across) * np.outer(spans[bone], spans[bone])
        linear[bone] = rotations[bone] @ stretch
        shift[bone] = joints.heads[bone] - linear[bone] @ skeleton.heads[bone]
    return linear, shift


def _with_ends_grown(skeleton: RestSkeleton, motions: tuple[Floats, Floats], ends: Floats) -> tuple[Floats, Floats]:
    """The linear part (B, 3, 3) and the shift (B, 3) of each bone, where ends (B,) grow otherwise than joints say."""
    linear, shift = motions[0].copy(), motions[1].copy()
    change = ends / np.cbrt(np.linalg.det(linear))
    grown = np.abs(np.log(change)) > np.log(CONTRADICTED)
    for bone, parent in enumerate(skeleton.parents):
        if grown[bone]:
            head = linear[bone] @ skeleton.heads[bone] + shift[bone]
            linear[bone] *= change[bone]
            shift[bone] = head - linear[bone] @ skeleton.heads[bone]
        elif parent >= 0 and grown[parent]:
            grown[bone], linear[bone], shift[bone] = True, linear[parent], shift[parent]
    return linear, shift


def _size_and_turn(skeleton: RestSkeleton, joints: Joints, moving: NDArray[np.bool_]) -> tuple[float, Rotation]:
    """How many times larger the other skeleton is over all, and how it stands turned.

    The size is that of all ways from bones that move vertices to their parents: the similarity that lays the joints
    on each other makes them smaller where limbs are held otherwise.
    """
    known, parents = joints.known, skeleton.parents
    size, turn = similarity_alignment(skeleton.heads[known], joints.heads[known])
    counted = known & moving & (parents >= 0) & known[parents]
    before, after = (
        float(np.linalg.norm(heads[counted] - heads[parents[counted]], axis=1).sum())
        for heads in (skeleton.heads, joints.heads)
    )
    return (after / before if min(before, after) > 0 else size), turn


def _guessed_ends(skeleton: RestSkeleton, joints: Joints, stubs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The bones, bool (B,), whose lengths say nothing: formats without tails (glTF) do not have those of bones without
    children, to which importers give stubs or the length of their parents."""
    parents = skeleton.parents
    ends = (parents >= 0) & ~np.isin(np.arange(len(parents)), parents[joints.known])
    as_parent = np.zeros(len(parents), bool)
    for bones in (skeleton, joints):
        lengths = np.linalg.norm(bones.tails - bones.heads, axis=1)
        as_parent |= np.abs(lengths - lengths[parents]) <= SAME_LENGTH * lengths[parents]
    return np.asarray(ends & (stubs | as_parent))


def _ways_to_joints(
    skeleton: RestSkeleton, joints: Joints, bone: int, is_stub: bool, size: float
) -> tuple[Floats, Floats]:
    """The ways from a bone's head to its children's and to its tail, (K, 3) there and (K, 3) on the other body."""
    children = np.flatnonzero((skeleton.parents == bone) & joints.known)
    before = skeleton.heads[children] - skeleton.heads[bone]
    after = joints.heads[children] - joints.heads[bone]
    if not is_stub:
        before = np.vstack((before, skeleton.tails[bone] - skeleton.heads[bone]))
        after = np.vstack((after, joints.tails[bone] - joints.heads[bone]))
    shortest = SHORTEST_WAY * float(np.linalg.norm(np.ptp(skeleton.heads, axis=0)))
    long = np.linalg.norm(before, axis=1) > shortest
    long &= np.linalg.norm(after, axis=1) > shortest * size
    return before[long], after[long]


def _turned_to(start: Floats, before: Floats, after: Floats, leading: int) -> Floats:
    """A rotation (3, 3) that starts from another one and brings ways (K, 3) in line with others (K, 3).

    All of them decide where they fix it, else the leading one by the least turn.
    """
    turned, wanted = unit_rows(before) @ start.T, unit_rows(after)
    if np.linalg.svd(turned, compute_uv=False)[1:2].sum() >= LEAST_SPREAD:
        return np.asarray(nearest_rotations(wanted.T @ turned + NO_TURN * np.eye(3)) @ start)
    columns = np.ascontiguousarray(start.T)  # the images of the three axes, one a row
    first, last = (np.tile(ways[leading], (3, 1)) for ways in (turned, wanted))
    return np.asarray(turned_least(first, last, columns).T)
