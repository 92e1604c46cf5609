"""From which side the frames of a video show the object: each frame alone may be mistaken, all of them together less.

A photo match takes the view of the shape that fits best, and names another one that may be shown. An animal's left and
right look nearly alike, so that a single frame decides by chance; a camera does not jump from side to side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..geometry.arrays import Floats

FREE_TURN = 1 / 3
"""Change of the direction from one frame to the next, half circles, that costs nothing. Measured: single frames of a
dog, matched to a wolf, differ by 45 degrees; and who turns around needs more frames than three."""
JUMP_COST = 0.9
"""Score that half a circle beyond this costs. Measured: the scores of the right and the opposite view differ by up to
0.02 (the dog), or 0.04 in six frames in a row (a person from its front and its back)."""


def other_views(poses: Sequence[Floats | None], cuts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The frames (T,) that show the second view of their match, by the frames around them.

    Args:
        poses: of each frame's match, (2, 5) as :class:`meshkin.data.photo_map.PhotoMap` has them; None without one.
        cuts: bool (T,), frames that do not go on from the one before.
    """
    known = [frame for frame, pose in enumerate(poses) if pose is not None]
    is_other = np.zeros(len(poses), bool)
    if not known:
        return is_other
    shots = np.cumsum(cuts)[known]
    values = np.array([poses[frame] for frame in known])
    total, back = values[0, :, 4], list[NDArray[np.int64]]()
    for number in range(1, len(known)):
        before, now = values[number - 1], values[number]
        jumps = _jumps(before, now) if shots[number] == shots[number - 1] else np.zeros((2, 2))
        through = total[None] - JUMP_COST * np.maximum(jumps - FREE_TURN, 0)
        back.append(through.argmax(axis=1))
        total = through.max(axis=1) + now[:, 4]
    chosen = int(total.argmax())
    is_other[known[-1]] = chosen
    for number in range(len(known) - 2, -1, -1):
        chosen = int(back[number][chosen])
        is_other[known[number]] = chosen
    return is_other


def _jumps(before: Floats, now: Floats) -> Floats:
    """How far each view (row) is from each of the frame before (column), in half circles; a mirror image is one."""
    turns = np.arccos((now[:, :3] @ before[:, :3].T).clip(-1, 1)) / np.pi
    jumps: Floats = np.maximum(turns, np.abs(now[:, 3][:, None] - before[:, 3]))
    return jumps
