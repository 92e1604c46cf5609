"""The focal length of a clip that was filmed with an unknown lens."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    alone, fits = replace(settings, side_looks=0, smooth=0), []
    for number, factor in enumerate(LENS_FACTORS):
        report("Fitting the focal length", number / len(LENS_FACTORS))
        tried = replace(few, focal=clip.focal * factor)
        fits.append(_Left(tried, shape, *fit_motion(tried, shape, alone)))
    spread = max(settings.best_anchors, min(each.anchor_error(alone) for each in fits))
    tight = replace(alone, anchors=spread, anchor_count=settings.anchor_count * settings.most_counted)
    costs = [each.cost(tight) for each in fits]
    middle = int(np.clip(np.argmin(costs), 1, len(costs) - 2))
    logs, near = np.log(LENS_FACTORS), slice(middle - 1, middle + 2)
    bend, slope, _ = np.polyfit(logs[near], costs[near], 2)
    least = -slope / (2 * bend) if bend > 0 else logs[int(np.argmin(costs))]
    return clip.focal * float(np.exp(np.clip(least, logs[0], logs[-1])))


@dataclass(frozen=True)
class _Left:
    """What a motion leaves of a clip."""

    clip: Clip
    shape: PosableShape
    motion: Motion
    cameras: Floats

    def cost(self, settings: FitSettings) -> float:
        """The sum of squares."""
        residuals, state = self._residuals(settings)
        return residuals.cost(state, stages(self.shape, settings)[1][-1].freedom)

    def anchor_error(self, settings: FitSettings) -> float:
        """The median distance of anchors, sizes of the object."""
        residuals, state = self._residuals(settings)
        return float(residuals.anchor_distances(state).median())

    def _residuals(self, settings: FitSettings) -> tuple[Residuals, PoseState]:
        shape = self.shape
        center, size = shape.vertices.mean(axis=0), float(np.linalg.norm(np.ptp(shape.vertices, axis=0)))
        own, seen = unit_shape(shape, center, size), unit_clip(replace(self.clip, cameras=self.cameras), center, size)
        assert seen.cameras is not None
        evidence = gather(seen, self.clip.size, own, seen.cameras, settings)
        return Residuals(BoneTree.of(own), evidence, own, settings), PoseState.of(
            unit_motion(self.motion, center, size)
        )
