"""Limbs that lie hidden by mistake, found by the poses that they and their mirror images have at other times.

A far leg that a fit has left behind the near one is not drawn out by an outline, nor by matches that take it for the
near one. But what moves does again what it did, and one leg what the other did: each limb is tried in all poses that it
or the other one has in any frame, and takes the path of poses that covers most of what nothing else covers.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..geometry.arrays import Floats, Integers
from .clip import Clip, Motion, PosableShape
from .drawing import draw_faces, places, to_camera
from .exchanging import LimbPair, limb_pairs
from .hanging import hung, moved_alike
from .sides import FARTHER
from .skinning import BoneTree, full_weights, loads, matrices, skin
from .state import PoseState

COVER_CELLS = 64
"""Cells across the object in which it is told what a limb covers. Chosen: a leg is three cells wide."""
JUMP = 0.2
"""Distance, sizes of the shape, by which a limb's points move from frame to frame that costs as much as all that it may
cover. Chosen: the ends of legs in a gallop move by half as much, the rest of the leg less."""
LEAST_GAIN = 0.02
"""Share of what a limb covers, the mean over the frames, that it must gain to be moved. Chosen."""
FRAMES_AT_ONCE = 200
"""Frames that are looked at together, at most: time and memory grow with the square of their number. Chosen: several
steps of a walk."""
LIMB_POINTS = 400
"""Points of a limb by which it is told what it covers, at most about. Chosen: more than a limb has cells."""
COST_OUTSIDE = 1.0
"""What a cell costs that a limb covers outside of the mask, for one that it covers inside. Chosen."""


def far_limbs_found(motion: Motion, cameras: Floats, clip: Clip, shape: PosableShape) -> Motion:
    """A motion of a shape in which the far limb of each pair takes up what is seen and not covered.

    Args:
        motion: as it was fitted.
        cameras: (T, 4, 4).
        clip: its masks are looked at.
        shape: the character.
    """
    tree, bones = hung(shape)
    state = PoseState.of(moved_alike(motion, shape, tree, bones))
    size = float(np.linalg.norm(np.ptp(shape.vertices, axis=0)))
    for pair in limb_pairs(tree):
        moved = matrices(BoneTree.of(tree), state.turns, state.shifts, state.root).numpy()
        depth = [
            -np.einsum("tj,tbj->tb", cameras[:, 2], (moved[:, own] @ tree.rest[own])[..., 3]).mean()
            for own in (pair.left, pair.right)
        ]
        if abs(depth[0] - depth[1]) > FARTHER * size:
            turns = [
                recurring(pair, depth[0] > depth[1], tree, state.part(frames), clip.part(frames), cameras[frames])
                for frames in _parts(len(cameras))
            ]
            state = replace(state, turns=torch.cat(turns))
    return moved_alike(state.motion(), tree, shape, np.argsort(bones))


def _parts(count: int) -> list[slice]:
    """Frames, so many, in parts of about equal length that are looked at together."""
    borders = np.linspace(0, count, -(-count // FRAMES_AT_ONCE) + 1).astype(int).tolist()
    return [slice(first, last) for first, last in itertools.pairwise(borders)]


def recurring(
    pair: LimbPair, is_left: bool, shape: PosableShape, state: PoseState, clip: Clip, cameras: Floats
) -> torch.Tensor:
    """The turns (T, B, 3, 3) of a motion in which one limb of a pair takes up what is seen and not covered.

    It takes poses that the pair has at other times.

    Args:
        pair: the limbs.
        is_left: which of them.
        shape, state: the character and its motion.
        clip: the masks (T, H, W).
        cameras: (T, 4, 4).
    """
    own = pair.left if is_left else pair.right
    count = len(state.turns)
    mirrored = pair.exchanged(state, shape.rest, np.ones(count, bool)).turns[:, own]
    library = torch.cat((state.turns[:, own], mirrored))
    moved = matrices(BoneTree.of(shape), state.turns, state.shifts, state.root)
    is_own = full_weights(shape)[:, own].sum(axis=1) > 0.5
    local = _points(shape, own, library, is_own)
    parent = int(shape.parents[own[0]])
    above = moved[:, parent] if parent >= 0 else state.root
    vertices = skin(moved, loads(shape.vertices, full_weights(shape))).numpy()
    others = shape.faces[~is_own[shape.faces].any(axis=1)]
    gains, step = [], max(1.0, clip.size / COVER_CELLS)
    for frame, (points, camera) in enumerate(zip(vertices, cameras, strict=True)):
        worth = _worth(
            clip, frame, draw_faces(to_camera(points, camera), others, clip.focal, clip.masks.shape[1:]) >= 0
        )
        to_eye = camera @ above[frame].numpy()
        shown = places(to_camera(local.reshape(-1, 3), to_eye), clip.focal, clip.masks.shape[1:])
        gains.append(_gains(worth, (shown / step).astype(int).reshape(*local.shape[:2], 2)))
    own_gains = np.array(gains)
    apart = np.array([np.linalg.norm(local - each, axis=-1).mean(axis=1) for each in local])
    path = _best_path(own_gains, (apart / (JUMP * np.linalg.norm(np.ptp(shape.vertices, axis=0)))) ** 2)
    every = np.arange(count)
    if (own_gains[every, path] - own_gains[every, every]).mean() < LEAST_GAIN:
        return state.turns
    turns = state.turns.clone()
    turns[:, torch.from_numpy(own)] = library[torch.from_numpy(path)]
    return turns


def _points(shape: PosableShape, own: Integers, library: torch.Tensor, is_own: NDArray[np.bool_]) -> Floats:
    """The limb's points (J, P, 3) in its poses (J, N, 3, 3), while all else is at rest."""
    turns = torch.eye(3, dtype=torch.float64).repeat(len(library), len(shape.parents), 1, 1)
    turns[:, torch.from_numpy(own)] = library
    nothing = turns.new_zeros(len(library), len(shape.parents), 3)
    moved = matrices(BoneTree.of(shape), turns, nothing, torch.eye(4, dtype=torch.float64).repeat(len(library), 1, 1))
    some = np.flatnonzero(is_own)[:: max(1, int(is_own.sum()) // LIMB_POINTS)]
    return np.asarray(skin(moved, loads(shape.vertices[some], full_weights(shape)[some])).numpy())


def _worth(clip: Clip, frame: int, covered: NDArray[np.bool_]) -> Floats:
    """What it is worth to cover each cell (h, w) of a frame of which the rest of the character covers (H, W)."""
    step, mask = max(1.0, clip.size / COVER_CELLS), clip.masks[frame]
    rows, columns = (np.arange(0, side, step).astype(int) for side in mask.shape)
    return np.asarray(np.where(mask, np.where(covered, 0.0, 1.0), -COST_OUTSIDE)[np.ix_(rows, columns)])


def _gains(worth: Floats, cells: Integers) -> Floats:
    """What poses (J,) of a limb are worth, as shares of what they cover; ``cells`` (J, P, 2), x and y of points."""
    x, y = cells.transpose(2, 0, 1)
    is_in = (x >= 0) & (y >= 0) & (x < worth.shape[1]) & (y < worth.shape[0])
    covers = np.zeros((len(cells), *worth.shape), bool)
    pose = np.broadcast_to(np.arange(len(cells))[:, None], x.shape)
    covers[pose[is_in], y[is_in], x[is_in]] = True
    total = covers.sum(axis=(1, 2))
    return np.asarray((covers * worth).sum(axis=(1, 2)) / np.maximum(total, 1))


def _best_path(gains: Floats, costs: Floats) -> Integers:
    """One pose of each frame: most gain (T, J), least cost (J, J) from one to the next."""
    total, back = gains[0], []
    for own in gains[1:]:
        through = total[None] - costs
        back.append(through.argmax(axis=1))
        total = through.max(axis=1) + own
    path = [int(total.argmax())]
    for step in reversed(back):
        path.insert(0, int(step[path[0]]))
    return np.array(path, np.int64)
