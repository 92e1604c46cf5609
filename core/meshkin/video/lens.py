"""The focal length of a clip that was filmed with an unknown lens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..base.progress import ProgressCallback, silent
from ..geometry.arrays import Floats
from .clip import Clip, Motion, PosableShape
from .evidence import gather
from .posing import fit_motion
from .residuals import Residuals
from .settings import FitSettings
from .skinning import BoneTree
from .state import PoseState, stages
from .units import unit_clip, unit_motion, unit_shape

LENS_FRAMES = 6
"""Frames that are fitted with each focal length. Chosen: each tells the lens anew."""
LENS_FACTORS = (0.5, 0.7, 1.0, 1.4, 2.0)
"""Focal lengths that are tried, of the first guess. Chosen: 25 to 100 mm where this is 50."""


def fitted_focal(clip: Clip, shape: PosableShape, settings: FitSettings, report: ProgressCallback = silent) -> float:
    """The focal length, pixels, with which a few frames, each fitted alone, agree best.

    One camera tells focal length from distance by perspective alone: by how much larger near parts look.
    """
    known = np.flatnonzero(clip.masks.any(axis=(1, 2)))
    if not len(known):
        return clip.focal
    few = clip.picked(
        known[np.unique(np.linspace(0, len(known) - 1, min(LENS_FRAMES, len(known))).round().astype(int))]
    )
    alone, costs = replace(settings, side_looks=0, smooth=0), []
    for number, factor in enumerate(LENS_FACTORS):
        report("Fitting the focal length", number / len(LENS_FACTORS))
        tried = replace(few, focal=clip.focal * factor)
        costs.append(_cost(tried, shape, *fit_motion(tried, shape, alone), alone))
    middle = int(np.clip(np.argmin(costs), 1, len(costs) - 2))
    logs, near = np.log(LENS_FACTORS), slice(middle - 1, middle + 2)
    bend, slope, _ = np.polyfit(logs[near], costs[near], 2)
    least = -slope / (2 * bend) if bend > 0 else logs[int(np.argmin(costs))]
    return clip.focal * float(np.exp(np.clip(least, logs[0], logs[-1])))


def _cost(clip: Clip, shape: PosableShape, motion: Motion, cameras: Floats, settings: FitSettings) -> float:
    """The sum of squares that a motion leaves."""
    center, size = shape.vertices.mean(axis=0), float(np.linalg.norm(np.ptp(shape.vertices, axis=0)))
    own, seen = unit_shape(shape, center, size), unit_clip(replace(clip, cameras=cameras), center, size)
    assert seen.cameras is not None
    evidence = gather(seen, clip.size, own, seen.cameras, settings)
    state = PoseState.of(unit_motion(motion, center, size))
    return Residuals(BoneTree.of(own), evidence, own, settings).cost(state, stages(own, settings)[1][-1].freedom)
