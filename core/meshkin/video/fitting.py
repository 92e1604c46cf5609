"""The fit: the motion of a skinned character that best explains what a clip shows.

The character is posed by linear blend skinning and compared with matched pixels and masks in all frames of a window at
once; rotations and the place of the whole change smoothly in between. It goes from coarse to fine: first the whole,
then with its large bones, then with all; then, in turn, it is told which side each limb is of (``sides.py``), and all
bones are fitted again. Outlines count only at the end: before, they would hold a limb behind the one that hides it.
Source of the terms: BANMo (CVPR 2022), DreaMo (WACV 2025) and Puppeteer (NeurIPS 2025), with a known mesh in place of a
radiance field. These descend by Adam; of a mesh the
derivatives are known, and damped steps of Gauss and Newton reach the minimum, which Adam did not in 1500 steps: one
camera tells far less about depth than about the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..base.progress import ProgressCallback, silent
from ..geometry.arrays import Floats
from .clip import Clip, Motion, PosableShape
from .evidence import Evidence, gather
from .hanging import hung, moved_alike
from .residuals import Residuals, limited
from .roots import find_roots
from .settings import FitSettings
from .sides import covered, on_sides
from .skinning import BoneTree, posed
from .solver import minimize
from .state import FIRST_STAGES, PoseState, stages

LAST_LOOKS = 2
"""Last stages, in which outlines count, too. Chosen: when every limb is near where it is seen."""


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
    own_shape, unit_clip = _unit_shape(shape, center, size), _unit_clip(clip, center, size)
    unit_shape, bones = hung(own_shape)
    count, is_held = len(clip), np.zeros(len(clip), bool) if held is None else held
    given = None if start is None else moved_alike(_unit_motion(start, center, size), own_shape, unit_shape, bones)
    cameras, motion = _start(unit_clip, unit_shape, given, is_held)
    fit = _Fit(unit_clip, clip.size, unit_shape, cameras, settings)
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
    motion = moved_alike(motion, unit_shape, own_shape, np.argsort(bones))
    found = _full_motion(motion, center, size)
    return found if start is None else _restored(found, start, is_held), _full_cameras(cameras, center, size)


@dataclass(frozen=True)
class _Fit:
    """What all windows have in common, in units of the shape; ``size`` of the object in the picture, pixels."""

    clip: Clip
    size: float
    shape: PosableShape
    cameras: Floats
    settings: FitSettings

    def run(self, frames: slice, motion: Motion, held: NDArray[np.bool_], report: ProgressCallback) -> Motion:
        """Fit the frames of a window that are not held; the others count for what is smooth."""
        evidence = gather(self.clip.part(frames), self.size, self.shape, self.cameras[frames], self.settings)
        state, plan = PoseState.of(motion), stages(self.shape, self.settings)
        for number, (stage, rounds, freedom) in enumerate(plan):

            def told(share: float, stage: str = stage, number: int = number) -> None:
                report(stage, (number + share) / len(plan))

            left = len(plan) - number
            residuals = self._residuals(frames, evidence, state, number, left)
            state = minimize(residuals, state, freedom, torch.from_numpy(held), rounds, told)
        within = limited(state.turns, torch.from_numpy(self.shape.limits))
        return _restored(replace(state, turns=within).motion(), motion, held)

    def _residuals(self, frames: slice, evidence: Evidence, state: PoseState, number: int, left: int) -> Residuals:
        """What a stage minimizes; ``left`` stages are still to come, with this one.

        Once all bones were fitted, what covers what tells the sides of limbs, and anchors count as far as they agree.
        """
        settings, skeleton = self.settings, BoneTree.of(self.shape)
        moved, vertices = posed(self.shape, state.motion())
        if settings.side_looks:
            is_covered = np.ones(evidence.weight.shape, bool)
            if number >= FIRST_STAGES:
                place = evidence.place.numpy() * self.size + np.array(self.clip.masks.shape[:0:-1]) / 2
                is_covered = covered(self.clip.part(frames), self.shape, vertices, self.cameras[frames], place)
            evidence = on_sides(evidence, torch.from_numpy(moved), is_covered)
        if settings.anchor_count and left > LAST_LOOKS:
            settings = replace(settings, silhouette_count=0)  # a limb must cross what lies outside of the mask
        residuals = Residuals(skeleton, evidence, self.shape, settings)
        if number < FIRST_STAGES:
            return residuals
        spread = min(settings.anchors, max(settings.best_anchors, residuals.anchor_error(state)))
        return Residuals(skeleton, evidence, self.shape, replace(settings, anchors=spread))


def _restored(motion: Motion, before: Motion, held: NDArray[np.bool_]) -> Motion:
    """A motion that in held frames is exactly what it was before."""
    turns, shifts, root = motion.turns.copy(), motion.shifts.copy(), motion.root.copy()
    turns[held], shifts[held], root[held] = before.turns[held], before.shifts[held], before.root[held]
    return Motion(turns, shifts, root)


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
        cameras = np.tile(_mean_rigid(seen[kept] @ np.linalg.inv(start.root[kept])), (len(clip), 1, 1))
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


def _unit_shape(shape: PosableShape, center: Floats, size: float) -> PosableShape:
    rest = shape.rest.copy()
    rest[:, :3, 3] = (rest[:, :3, 3] - center) / size
    return replace(shape, vertices=(shape.vertices - center) / size, rest=rest)


def _unit_clip(clip: Clip, center: Floats, size: float) -> Clip:
    if clip.cameras is None:
        return clip
    cameras = clip.cameras.copy()
    cameras[:, :3, 3] = (cameras[:, :3, 3] + cameras[:, :3, :3] @ center) / size
    return replace(clip, cameras=cameras)


def _full_cameras(cameras: Floats, center: Floats, size: float) -> Floats:
    full = cameras.copy()
    full[:, :3, 3] = full[:, :3, 3] * size - full[:, :3, :3] @ center
    return full


def _unit_motion(motion: Motion, center: Floats, size: float) -> Motion:
    root = motion.root.copy()
    root[:, :3, 3] = (root[:, :3, 3] + root[:, :3, :3] @ center - center) / size
    return Motion(motion.turns, motion.shifts / size, root)


def _full_motion(motion: Motion, center: Floats, size: float) -> Motion:
    root = motion.root.copy()
    root[:, :3, 3] = root[:, :3, 3] * size + center - root[:, :3, :3] @ center
    return Motion(motion.turns, motion.shifts * size, root)
