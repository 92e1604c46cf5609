"""Poses that the user gives for some frames, as a motion that a fit starts from and keeps there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.arrays import AnyIntegers, Floats
from ..geometry.rigid_motions import nearest_rotations
from .clip import Motion, PosableShape


def key_poses(
    shape: PosableShape, matrices: Floats, frames: AnyIntegers, count: int
) -> tuple[Motion, NDArray[np.bool_]]:
    """A motion that has given poses in given frames, and which frames (T,) these are.

    Args:
        shape: the character at rest.
        matrices: (K, B, 4, 4), by which each bone moves the shape in its frame.
        frames: (K,), numbers of the frames.
        count: T.

    Returns:
        the motion of T frames, each of which has the pose that is given for the nearest one. Scales of bones, and moves
        of bones that hang on others, are left out.
    """
    frames = np.asarray(frames)
    given = _motion(shape, np.asarray(matrices, np.float64))
    nearest = np.abs(np.arange(count)[:, None] - frames).argmin(axis=1)
    held = np.isin(np.arange(count), frames)
    return Motion(given.turns[nearest], given.shifts[nearest], given.root[nearest]), held


def _motion(shape: PosableShape, matrices: Floats) -> Motion:
    """The motion of matrices (T, B, 4, 4), in which the main root does not turn: the whole does."""
    root, is_root = _rigid(matrices[:, shape.main_root]), shape.parents < 0
    above = np.where(is_root[None, :, None, None], root[:, None], matrices[:, shape.parents])
    local = np.linalg.inv(above @ shape.rest) @ matrices @ shape.rest
    turns = nearest_rotations(local[..., :3, :3].reshape(-1, 3, 3)).reshape(*local.shape[:2], 3, 3)
    return Motion(turns, np.where(is_root[None, :, None], local[..., :3, 3], 0), root)


def _rigid(matrices: Floats) -> Floats:
    rigid = matrices.copy()
    rigid[:, :3, :3] = nearest_rotations(matrices[:, :3, :3])
    return rigid
