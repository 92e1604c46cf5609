"""Limbs that were taken for each other: the pairs of a body's mirrored limbs, exchanged in some frames.

Seen from the side, outlines and matches say where two legs are, and hardly which is which. Where they pass each other a
fit may let each go on as the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from ..geometry.arrays import Floats, Integers
from .clip import PosableShape
from .evidence import Evidence
from .mirroring import mirror_plane, mirrored, nearest
from .skinning import BoneTree, carried_middles, full_weights, loads, matrices, skin
from .state import PoseState

TWIN_JOINTS = 0.04
"""Distance, in sizes of the shape, between a joint and another one mirrored, up to which they are each other's mirror
image. Chosen: skeletons are less symmetric than surfaces."""
LEAST_LENGTH = 0.15
"""Length of a limb, sizes of the shape, from which it may be exchanged. Chosen: legs and arms, not ears."""
SHOWN_POINTS = 300
"""Points of the surface that tell where limbs are shown. Chosen."""

CLOSE = 0.5
"""Share of the farthest that two limbs are apart in the picture, below which they may pass each other. Chosen."""


@dataclass(frozen=True)
class LimbPair:
    """Two limbs that are each other's mirror image.

    Attributes:
        left, right: (N,), their bones, in corresponding order.
        mirror: (3, 3), the reflection between them.
    """

    left: Integers
    right: Integers
    mirror: Floats

    def exchanged(self, state: PoseState, rest: Floats, frames: NDArray[np.bool_]) -> PoseState:
        """A motion in which, in these frames, each limb is posed as the mirror image of the other.

        ``rest`` (B, 4, 4) is the place of the bones at rest.
        """
        turns, rows = state.turns.clone(), torch.from_numpy(np.flatnonzero(frames))
        mirror = torch.from_numpy(self.mirror)
        axes = torch.from_numpy(np.asarray(rest[:, :3, :3], np.float64))
        for to, of in ((self.left, self.right), (self.right, self.left)):
            change = axes[to].transpose(1, 2) @ mirror @ axes[of]
            given = state.turns[rows][:, of]
            turns[rows[:, None], torch.from_numpy(to)] = change @ given @ change.transpose(1, 2)
        return replace(state, turns=turns)


def limb_pairs(shape: PosableShape) -> list[LimbPair]:
    """The pairs of limbs that are each other's mirror image."""
    plane = mirror_plane(shape.vertices)
    if plane is None:
        return []
    twin = _twins(shape, plane)
    size = float(np.linalg.norm(np.ptp(shape.vertices, axis=0)))
    weights, found = full_weights(shape), []
    for bone, other in enumerate(twin):
        parent = shape.parents[bone]
        if other <= bone or (parent >= 0 and twin[parent] >= 0 and twin[parent] != parent):
            continue
        own = [each for each in range(len(twin)) if twin[each] >= 0 and _hangs_on(shape, each, bone)]
        length = np.linalg.norm(shape.vertices[weights[:, own].sum(axis=1) > 0.5] - shape.rest[bone, :3, 3], axis=1)
        if length.max(initial=0) >= LEAST_LENGTH * size:
            mirror = np.eye(3) - 2 * np.outer(plane[0], plane[0])
            found.append(LimbPair(np.array(own), twin[own], mirror))
    return found


def _twins(shape: PosableShape, plane: tuple[Floats, float]) -> Integers:
    """The mirror image of each bone that moves something, (B,); -1 for none, itself for one in the plane."""
    heads, middles = shape.rest[:, :3, 3], carried_middles(shape)
    size = float(np.linalg.norm(np.ptp(shape.vertices, axis=0)))
    away = np.maximum(cdist(mirrored(heads, plane), heads), cdist(mirrored(middles, plane), middles))
    away[:, ~shape.moved] = np.inf
    away[~shape.moved] = np.inf
    best = away.argmin(axis=1)
    is_mutual = (best[best] == np.arange(len(best))) & (away.min(axis=1) <= TWIN_JOINTS * size)
    return np.where(is_mutual, best, -1)


def _hangs_on(shape: PosableShape, bone: int, above: int) -> bool:
    while bone >= 0 and bone != above:
        bone = int(shape.parents[bone])
    return bone == above


def passing(pair: LimbPair, shape: PosableShape, state: PoseState, cameras: Floats) -> list[NDArray[np.bool_]]:
    """Frames (T,) in which the limbs of a pair may have been taken for each other.

    These are all, and those from one time at which the limbs pass each other in the picture to the next.
    """
    moved = matrices(BoneTree.of(shape), state.turns, state.shifts, state.root).numpy()
    shown = []
    for bones in (pair.left, pair.right):
        joints = cameras[:, None] @ moved[:, bones] @ shape.rest[bones]
        shown.append(joints[..., :2, 3] / np.minimum(joints[..., 2:3, 3], -1e-6))
    apart = np.linalg.norm(shown[0] - shown[1], axis=-1).mean(axis=1)
    count = len(apart)
    padded = np.pad(apart, 1, constant_values=np.inf)
    is_border = (apart <= padded[:-2]) & (apart < padded[2:]) & (apart < CLOSE * apart.max(initial=0))
    borders = np.flatnonzero(is_border[1:]) + 1
    parts = [np.ones(count, bool)]
    if len(borders):
        number = np.searchsorted(borders, np.arange(count), side="right")
        parts += [number == each for each in range(number.max() + 1)]
    return parts


def where_exchanged(
    shape: PosableShape, pairs: list[LimbPair], state: PoseState, evidence: Evidence, frames: NDArray[np.bool_]
) -> Evidence:
    """What frames would show if limbs were where their mirror images are, and all else where it is.

    Limbs posed as mirror images of each other do not lie there: they are seen from aside, and the near ones larger.

    Args:
        shape: symmetric.
        pairs: its limbs.
        state: its motion.
        evidence: what the frames show.
        frames: (T,), in which they are exchanged.
    """
    plane, weights = mirror_plane(shape.vertices), full_weights(shape)
    assert plane is not None
    some = np.random.default_rng(0).permutation(len(shape.vertices))[:SHOWN_POINTS]
    other = nearest(shape.vertices, mirrored(shape.vertices[some], plane))
    bones = np.concatenate([bones for pair in pairs for bones in (pair.left, pair.right)])
    of_limb = weights[some][:, bones].sum(axis=1) > 0.5
    moved = matrices(BoneTree.of(shape), state.turns, state.shifts, state.root)
    own = loads(shape.vertices[some], weights[some])
    places = [evidence.places(skin(moved, load)) for load in (own, loads(shape.vertices[other], weights[other]))]
    is_other = torch.from_numpy(frames[:, None] & of_limb)
    return replace(
        evidence,
        place=torch.where(is_other[..., None], places[1], places[0]),
        weight=torch.ones(is_other.shape, dtype=torch.float64),
        load=own.expand(len(frames), -1, -1, -1),
        twin=None,
        sharp=None,
    )
