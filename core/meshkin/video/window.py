"""The fit of one window of a clip's frames, all at once.

It goes from coarse to fine: first the whole, then with its large bones, then with all. If nearly all anchors agree with
what is found, they are believed. Else left and right may be confused: the fit begins anew with all that shows a limb as
the near one, and is told in turn which side each limb is of (``sides.py``). Outlines count only at the end: before,
they would hold a limb behind the one that hides it.

Source of the terms: BANMo (CVPR 2022), DreaMo (WACV 2025) and Puppeteer (NeurIPS 2025), with a known mesh in place of a
radiance field. These descend by Adam; of a mesh the derivatives are known, and damped steps of Gauss and Newton reach
the minimum, which Adam did not in 1500 steps: one camera tells far less about depth than about the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..base.progress import ProgressCallback
from ..geometry.arrays import Floats
from .clip import Clip, Motion, PosableShape
from .evidence import Evidence, gather
from .residuals import Residuals, limited
from .settings import FitSettings
from .sides import covered, on_sides
from .skinning import BoneTree, posed
from .solver import minimize
from .state import PoseState, Stage, stages

AGREES = 0.03
"""Distance of an anchor from where it is shown, sizes of the object, within which it agrees. Chosen: a leg's width;
matches err by a third of it, limbs' sides by more."""
BELIEVED = 0.93
"""Share of the anchors that must agree for all to be believed. Measured: true anchors with noise of .5 % agree to .95
and more."""


@dataclass(frozen=True)
class WindowFit:
    """What all windows have in common, in units of the shape; ``size`` of the object in the picture, pixels."""

    clip: Clip
    size: float
    shape: PosableShape
    cameras: Floats
    settings: FitSettings

    def run(self, frames: slice, motion: Motion, held: NDArray[np.bool_], report: ProgressCallback) -> Motion:
        """Fit the frames of a window that are not held; the others count for what is smooth."""
        evidence = gather(self.clip.part(frames), self.size, self.shape, self.cameras[frames], self.settings)
        first, last = stages(self.shape, self.settings)
        rounds = _Rounds(torch.from_numpy(held), report, len(first) * 2 + len(last))
        state = PoseState.of(motion)
        for stage in first:
            state = rounds.run(stage, self._residuals(evidence, stage), state)
        is_believed = not self.settings.side_looks or self._agreement(evidence, state, first[-1]) >= BELIEVED
        if not is_believed:
            state = PoseState.of(motion)
            for stage in first:
                near = self._told(frames, evidence, state, all_covered=True)
                state = rounds.run(stage, self._residuals(near, stage), state)
        rounds.done = 2 * len(first)
        for stage in last:
            seen = evidence if is_believed else self._told(frames, evidence, state)
            state = rounds.run(stage, self._tight(seen, stage, state, is_believed), state)
        within = limited(state.turns, torch.from_numpy(self.shape.limits))
        return restored(replace(state, turns=within).motion(), motion, held)

    def _residuals(self, evidence: Evidence, stage: Stage, settings: FitSettings | None = None) -> Residuals:
        settings = settings or self.settings
        if settings.anchor_count and not stage.with_outlines:
            settings = replace(settings, silhouette_count=0)
        return Residuals(BoneTree.of(self.shape), evidence, self.shape, settings)

    def _tight(self, evidence: Evidence, stage: Stage, state: PoseState, is_believed: bool) -> Residuals:
        """What a stage minimizes once all bones were fitted: anchors count as far as they agree.

        Those of a match err alike where they are neighbors; believed ones err each by itself.
        """
        settings = self.settings
        error = float(self._residuals(evidence, stage).anchor_distances(state).median())
        spread = min(settings.anchors, max(settings.best_anchors, error))
        count = settings.anchor_count
        if is_believed:
            count *= min(settings.anchors / spread, settings.most_counted)
        return self._residuals(evidence, stage, replace(settings, anchors=spread, anchor_count=count))

    def _agreement(self, evidence: Evidence, state: PoseState, stage: Stage) -> float:
        """The share of the anchors that are shown where they were matched; 1 without anchors."""
        distances = self._residuals(evidence, stage).anchor_distances(state)
        return float((distances < AGREES).double().mean())

    def _told(self, frames: slice, evidence: Evidence, state: PoseState, all_covered: bool = False) -> Evidence:
        """The evidence with the sides of limbs told by what covers what, as posed; or all by the near limb."""
        moved, vertices = posed(self.shape, state.motion())
        is_covered = np.ones(evidence.weight.shape, bool)
        if not all_covered:
            place = evidence.place.numpy() * self.size + np.array(self.clip.masks.shape[:0:-1]) / 2
            is_covered = covered(self.clip.part(frames), self.shape, vertices, self.cameras[frames], place)
        return on_sides(evidence, torch.from_numpy(moved), is_covered)


@dataclass
class _Rounds:
    """Runs stages, and tells the progress: ``done`` of ``count``."""

    held: torch.Tensor
    report: ProgressCallback
    count: int
    done: int = 0

    def run(self, stage: Stage, residuals: Residuals, state: PoseState) -> PoseState:
        def told(share: float) -> None:
            self.report(stage.name, (self.done + share) / self.count)

        found = minimize(residuals, state, stage.freedom, self.held, stage.rounds, told)
        self.done += 1
        return found


def restored(motion: Motion, before: Motion, held: NDArray[np.bool_]) -> Motion:
    """A motion that in held frames is exactly what it was before."""
    turns, shifts, root = motion.turns.copy(), motion.shifts.copy(), motion.root.copy()
    turns[held], shifts[held], root[held] = before.turns[held], before.shifts[held], before.root[held]
    return Motion(turns, shifts, root)
