"""The motion of a skinned character that best explains what a clip shows, window by window.

The character is posed by linear blend skinning and compared with matched pixels and masks in all frames of a window at
once (``window.py``); rotations and the place of the whole change smoothly in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..base.progress import ProgressCallback, silent
from ..geometry.arrays import Floats
from .clip import Clip, Motion, PosableShape
from .hanging import hung, moved_alike
from .roots import camera_of_poses, find_roots
from .settings import FitSettings
from .units import full_cameras, full_motion, unit_clip, unit_motion, unit_shape
from .window import WindowFit, restored


def fit_motion(
    clip: Clip,
    shape: PosableShape,
    settings: FitSettings = FitSettings(),
    start: Motion | None = None,
    held: NDArray[np.bool_] | None = None,
    report: ProgressCallback = silent,
) -> tuple[Motion, Floats]:
    """Fit a character's motion to a clip.

    Args:
        clip: what the frames show.
        shape: the character at rest.
        settings: weights and steps.
        start: a motion to start from, of which the frames in ``held`` are kept; None for one at rest. Elsewhere the
            whole starts where the anchors put it.
        held: bool (T,), frames whose pose is kept exactly.
        report: is told the progress; may raise Cancelled.

    Returns:
        the motion, and the cameras (T, 4, 4) that show it: those of the clip, or one that stands still. Without cameras
        and held frames, the character stands upright on average and begins where it rests.
    """
    center, size = shape.vertices.mean(axis=0), float(np.linalg.norm(np.ptp(shape.vertices, axis=0)))
    own_shape, own_clip = unit_shape(shape, center, size), unit_clip(clip, center, size)
    tree, bones = hung(own_shape)
    count, is_held = len(clip), np.zeros(len(clip), bool) if held is None else held
    given = None if start is None else moved_alike(unit_motion(start, center, size), own_shape, tree, bones)
    cameras, motion = _start(own_clip, tree, given, is_held)
    fit = WindowFit(own_clip, clip.size, tree, cameras, settings)
    windows = list(_windows(count, settings))
    for number, (first, last, kept) in enumerate(windows):
        fixed = is_held[first:last].copy()
        fixed[:kept] = True
        if kept:
            motion = _carried_on(motion, first + kept, last, is_held)

        def told(stage: str, share: float, number: int = number) -> None:
            report(stage, (number + share) / len(windows))

        part = slice(first, last)
        motion = _with(motion, part, fit.run(part, motion.part(part), fixed, told))
    free_camera = clip.cameras is None and not is_held.any()
    if free_camera:
        motion, cameras = _upright(motion, cameras)
    motion = moved_alike(motion, tree, own_shape, np.argsort(bones))
    found = full_motion(motion, center, size)
    return found if start is None else restored(found, start, is_held), full_cameras(cameras, center, size)


def motion_cost(
    clip: Clip, shape: PosableShape, motion: Motion, cameras: Floats, settings: FitSettings = FitSettings()
) -> float:
    """The sum of squares that a fit minimizes; arguments as of :func:`fit_motion`, and the cameras (T, 4, 4)."""
    center, size = shape.vertices.mean(axis=0), float(np.linalg.norm(np.ptp(shape.vertices, axis=0)))
    own_shape, own_clip = unit_shape(shape, center, size), unit_clip(replace(clip, cameras=cameras), center, size)
    assert own_clip.cameras is not None
    tree, bones = hung(own_shape)
    moved = moved_alike(unit_motion(motion, center, size), own_shape, tree, bones)
    fit = WindowFit(own_clip, clip.size, tree, own_clip.cameras, settings)
    return fit.cost(slice(0, len(clip)), moved)


def _windows(count: int, settings: FitSettings) -> Iterator[tuple[int, int, int]]:
    """First frame, frame after the last, and how many frames at the start are kept from the window before.

    Half of what two windows share is kept; the rest is fitted again, now that more of what follows is seen.
    """
    first, kept = 0, 0
    while True:
        last = min(first + settings.window, count)
        yield first, last, kept
        if last == count:
            return
        first, kept = last - settings.overlap, settings.overlap // 2


def _carried_on(motion: Motion, first: int, last: int, held: NDArray[np.bool_]) -> Motion:
    """Let the frames from ``first`` on, which were not fitted yet, start from the bones' turns in the last that was."""
    turns, shifts = motion.turns.copy(), motion.shifts.copy()
    unfitted = np.flatnonzero(~held[first:last]) + first
    fresh = unfitted[np.isclose(turns[unfitted], np.eye(3)).all(axis=(1, 2, 3))]
    turns[fresh], shifts[fresh] = turns[first - 1], shifts[first - 1]
    return Motion(turns, shifts, motion.root)


def _with(motion: Motion, frames: slice, part: Motion) -> Motion:
    """A motion with these frames replaced."""
    turns, shifts, root = motion.turns.copy(), motion.shifts.copy(), motion.root.copy()
    turns[frames], shifts[frames], root[frames] = part.turns, part.shifts, part.root
    return Motion(turns, shifts, root)


def _start(clip: Clip, shape: PosableShape, start: Motion | None, held: NDArray[np.bool_]) -> tuple[Floats, Motion]:
    """The cameras (T, 4, 4), and the motion to start from.

    The whole is where each frame's anchors put it. Without cameras, one stands still at the origin, or where it sees
    the held frames as their anchors say.
    """
    seen = find_roots(clip, shape)
    cameras = np.tile(np.eye(4), (len(clip), 1, 1)) if clip.cameras is None else clip.cameras
    motion = Motion.at_rest(len(clip), len(shape.parents))
    if start is None:
        return cameras, replace(motion, root=np.linalg.inv(cameras) @ seen)
    kept = np.flatnonzero(held)
    if clip.cameras is None and len(kept):
        guess = _mean_rigid(seen[kept] @ np.linalg.inv(start.root[kept]))
        cameras = np.tile(camera_of_poses(clip, shape, start, held, guess), (len(clip), 1, 1))
    root = np.linalg.inv(cameras) @ seen
    root[kept] = start.root[kept]
    return cameras, Motion(start.turns, start.shifts, root)


def _mean_rigid(motions: Floats) -> Floats:
    mean = np.eye(4)
    mean[:3, :3] = Rotation.from_matrix(motions[:, :3, :3]).mean().as_matrix()
    mean[:3, 3] = motions[:, :3, 3].mean(axis=0)
    return mean


def _upright(motion: Motion, cameras: Floats) -> tuple[Motion, Floats]:
    """Turn the world such that the character's up is +Z on average, and it begins where it rests, turned as at rest."""
    up = motion.root[:, :3, 2].mean(axis=0)
    to_up = Rotation.align_vectors([[0, 0, 1]], [up / np.linalg.norm(up)])[0].as_matrix()
    first = to_up @ motion.root[0, :3, :3]
    heading = np.arctan2(first[1, 0] - first[0, 1], first[0, 0] + first[1, 1])
    world = np.eye(4)
    world[:3, :3] = Rotation.from_euler("z", -heading).as_matrix() @ to_up
    world[:3, 3] = -world[:3, :3] @ motion.root[0, :3, 3]
    return replace(motion, root=world @ motion.root), cameras @ np.linalg.inv(world)
